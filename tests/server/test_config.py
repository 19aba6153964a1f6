"""Settings: where they are read from, and what is said about wrong ones."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from traitlets import TraitError

from jupyter_tasks.config import ExtensionSettings, TasksEngine, load_config
from jupyter_tasks.errors import InvalidInput


def test_our_file_wins_over_jupyters_and_a_nearer_directory_over_a_farther(tmp_path: Path) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    for directory in (near, far):
        directory.mkdir()
    (far / "jupyter_tasks_config.py").write_text("c.TasksEngine.max_active = 1\nc.TasksEngine.idle_timeout = 5")
    (near / "jupyter_tasks_config.py").write_text("c.TasksEngine.max_active = 2")
    (near / "jupyter_server_config.py").write_text("c.TasksEngine.max_active = 3\nc.TasksEngine.default_template = 'x'")
    (near / "jupyter_server_config.json").write_text(json.dumps({"TasksEngine": {"store_url": "postgresql://h/d"}}))
    engine = TasksEngine(config=load_config([str(near), str(far)]))
    assert (engine.max_active, engine.idle_timeout, engine.default_template) == (2, 5, "x")
    assert engine.store_url == "postgresql://h/d"


def test_without_files_there_are_defaults(tmp_path: Path) -> None:
    engine = TasksEngine(config=load_config([str(tmp_path)]))
    assert (engine.max_active, engine.idle_timeout) == (8, 900)


def test_a_broken_file_of_ours_is_an_error_and_one_of_jupyters_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    (tmp_path / "jupyter_server_config.py").write_text("raise RuntimeError('only in a server')")
    load_config([str(tmp_path)])
    assert "was left out" in caplog.text
    (tmp_path / "jupyter_tasks_config.py").write_text("c.TasksEngine.max_active = = 3")
    with pytest.raises(InvalidInput, match=r"jupyter_tasks_config.py cannot be read"):
        load_config([str(tmp_path)])


@pytest.mark.parametrize(("name", "value"), [("max_active", 0), ("idle_timeout", 0), ("max_active", "many")])
def test_values_are_checked(name: str, value: object) -> None:
    with pytest.raises(TraitError):
        TasksEngine(**{name: value})


@pytest.mark.parametrize("kind", [TasksEngine, ExtensionSettings])
def test_every_setting_says_what_it_is_for(kind: type) -> None:
    settings = kind.class_traits(config=True)  # type: ignore[attr-defined]
    assert settings
    for name, trait in settings.items():
        assert len(trait.help) > 10, name
