"""Everything that we made is listed, stopped and removed; nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest
from shell_engine import Shell

from jupyter_tasks import places


def state(shell: Shell) -> Path:
    """A state directory as an engine leaves it."""
    folder = places.state_dir()
    (folder / "workspaces").mkdir(parents=True)
    (folder / "tasks.db").write_bytes(b"")
    (folder / "reviews" / "locked").mkdir(parents=True)
    (folder / "reviews" / "locked" / "file").write_text("x")
    (folder / "reviews" / "locked").chmod(0)
    (folder / "reviews" / "link").symlink_to(folder.parent / "project")
    (folder.parent / "project").mkdir()
    (folder.parent / "project" / "mine").write_text("mine")
    return folder


def test_a_dry_run_lists_and_removes_nothing(shell: Shell) -> None:
    folder = state(shell)
    shell.create()
    done = shell.run("uninstall", "--dry-run")
    assert done.code == 0, done
    assert "task       ada/purple (active)\n" in done.out
    assert f"directory  {folder}\n" in done.out
    assert (folder / "tasks.db").exists()
    assert shell.service._tasks


def test_all_of_it_goes_and_nothing_else(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_TASKS_URL", "http://127.0.0.1:9/somebody-elses/")
    folder = state(shell)
    runtime = places.runtime_dir()
    shell.create()
    assert shell.run("uninstall").code == 2  # nobody can answer
    done = shell.run("uninstall", "--yes")
    assert done.code == 0, done
    assert not folder.exists()
    assert not runtime.exists()
    assert not shell.service._tasks
    assert (folder.parent / "project" / "mine").read_text() == "mine"
    assert "pip uninstall jupyter-tasks" in done.out


def test_a_workspace_that_stays_keeps_the_directories(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyter_tasks.cli import uninstall

    monkeypatch.setattr(uninstall, "_WORKSPACES_END", 0.2)
    folder = state(shell)
    (folder / "workspaces" / "w").mkdir()
    shell.create()
    done = shell.run("uninstall", "--yes")
    assert done.code == 1
    assert "could not be removed" in done.err
    assert folder.exists()


def test_a_directory_of_somebody_else_is_refused(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = places.state_dir()
    folder.mkdir()
    (folder / "thesis.tex").write_text("x")
    done = shell.run("uninstall", "--yes")
    assert done.code == 1
    assert "does not look like a state directory" in done.err
    (folder / "tasks.db").write_text("")
    monkeypatch.setenv("HOME", str(folder / "home"))  # the state directory holds the home
    assert shell.run("uninstall", "--yes").code == 1
    assert (folder / "thesis.tex").exists()


def test_nothing_was_ever_made(own_places: Path) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "jupyter_tasks", "uninstall"], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0
    assert "has made nothing here" in done.stderr
    assert not places.state_dir().exists()  # nor was an engine started for the question
