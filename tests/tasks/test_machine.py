"""Which coding agents are found, and how the template that we ship is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_tasks.tasks.machine import AGENTS, agents_here, machine_variables
from jupyter_tasks.templates.library import default_library


@pytest.fixture
def search(tmp_path: Path) -> Path:
    """A directory for PATH with ``opencode`` and ``claude``, and a ``codex`` that cannot be run."""
    for name, mode in (("opencode", 0o755), ("claude", 0o755), ("codex", 0o644)):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(mode)
    return tmp_path


def test_agents_are_found_in_our_order(search: Path) -> None:
    assert agents_here(f"/nonexistent:{search}") == ["claude", "opencode"]
    assert agents_here("/nonexistent") == []
    (search / "codex").chmod(0o755)
    assert tuple(agents_here(str(search))) == AGENTS


def test_only_what_a_template_of_ours_declares_is_told(search: Path) -> None:
    library = default_library()
    template = library.get("project")
    told = machine_variables(template, str(search), "part/of it")
    assert told == {"agents_here": '["claude", "opencode"]', "project_subdirectory": "part/of it"}
    assert machine_variables(library.get("quickstart"), str(search)) == {}
    assert machine_variables(replace(template, builtin=False), str(search)) == {}
    assert library.analysis(template, told).parameters[0].value == "claude"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("codex", ["claude", "opencode", "codex"]),
        ("claude", ["claude", "opencode"]),
        ("custom", ["claude", "opencode"]),
        ('"]; rm', ["claude", "opencode"]),
    ],
)
def test_the_agent_that_was_asked_for_is_offered(search: Path, wanted: str, expected: list[str]) -> None:
    told = machine_variables(default_library().get("project"), str(search), wanted=wanted)
    assert json.loads(told["agents_here"]) == expected
