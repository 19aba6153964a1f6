"""``jupyter tasks uninstall``.

Owns the order in which everything that we made is stopped and removed: tasks with their workspaces (by the engine,
which verifies that their processes are gone), the engine, then its two directories. The Python package is pip's.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jupyter_tasks import places
from jupyter_tasks.cli import output
from jupyter_tasks.cli.options import confirm, yes_option
from jupyter_tasks.errors import Forbidden, TasksError, WorkspaceFailed

if TYPE_CHECKING:
    from jupyter_tasks.models import Task
    from jupyter_tasks.notebook.client import Client

__all__ = ["uninstall_command"]

_WORKSPACES_END = 120.0  # seconds
_ENGINE_ENDS = 20.0
_OURS = ("tasks.db", "engine.log", "workspaces")  # what a state directory has at least one of


@dataclass(frozen=True, slots=True)
class _Found:
    tasks: Sequence[Task]
    directories: Sequence[Path]
    trouble: TasksError | None = None
    """Why the engine could not be asked."""


@click.command("uninstall")
@click.option("--dry-run", is_flag=True, help="Only list what would be removed.")
@yes_option
def uninstall_command(dry_run: bool, yes: bool) -> None:
    """List, stop and remove everything that Jupyter Tasks made: tasks, workspaces, the engine, its directories."""
    from jupyter_tasks.launch import stop_engine

    found = _look()
    _list(found)
    if dry_run or not (found.tasks or found.directories):
        return
    if found.trouble is not None and _any_workspace_runs():
        raise WorkspaceFailed(
            "Workspaces run, and the engine that could stop them cannot be reached; nothing was removed.",
            detail=found.trouble.message,
            hint="`jupyter tasks doctor` says what is wrong; then try again.",
        )
    confirm("Stop and remove all of this? It cannot be undone.", yes)
    if found.trouble is None and found.directories:
        with _own_engine() as client:
            _delete(client, found.tasks)
    stop_engine(_ENGINE_ENDS)
    for path in found.directories:
        _remove(path)
        click.echo(f"Removed {path}")
    click.echo("The rest is pip's: `pip uninstall jupyter-tasks`.")


@contextmanager
def _own_engine() -> Iterator[Client]:
    """The engine of these directories, whatever JUPYTER_TASKS_URL says: nobody else's tasks are to go."""
    from jupyter_tasks.notebook.client import Client
    from jupyter_tasks.notebook.discovery import find

    with Client(find(environ={})) as client:
        yield client


def _look() -> _Found:
    directories = [path for path in (places.state_dir(), places.runtime_dir()) if path.exists()]
    if not places.state_dir().exists():  # no engine was ever started: do not begin now
        return _Found((), [path for path in directories if any(path.iterdir())])
    _check_ours(places.state_dir())
    try:
        with _own_engine() as client:
            return _Found(client.list(), directories)
    except TasksError as error:
        return _Found((), directories, error)


def _list(found: _Found) -> None:
    for task in found.tasks:
        click.echo(f"task       {output.clean(task.owner_name)}/{output.clean(task.name)} ({task.status.value})")
    for path in found.directories:
        click.echo(f"directory  {path}")
    if found.trouble is not None:
        click.echo(f"The engine could not be asked for tasks: {output.clean(found.trouble.message)}", err=True)
    if not (found.tasks or found.directories):
        click.echo("Jupyter Tasks has made nothing here.", err=True)


def _check_ours(path: Path) -> None:
    """Raises: Forbidden for a directory that holds more than ours, should JUPYTER_TASKS_STATE_DIR name such a one."""
    real = path.resolve()
    if real in (Path.home().resolve(), *Path.home().resolve().parents, *Path.cwd().parents) or not any(
        (path / name).exists() for name in _OURS
    ):
        raise Forbidden(
            f"{path} does not look like a state directory of Jupyter Tasks; nothing was removed.",
            hint="Look at JUPYTER_TASKS_STATE_DIR, or remove it by hand.",
        )


def _delete(client: Client, tasks: Sequence[Task]) -> None:
    for task in tasks:
        client.delete(task.id)
        click.echo(f"Deleted task {output.clean(task.owner_name)}/{output.clean(task.name)}")
    folder = places.state_dir() / "workspaces"
    deadline = time.monotonic() + _WORKSPACES_END
    while folder.exists() and any(folder.iterdir()):
        if time.monotonic() > deadline:
            raise WorkspaceFailed(
                f"Workspaces in {folder} could not be removed; the directories were left.",
                hint=f"{places.engine_log()} says why; then try again.",
            )
        time.sleep(0.1)


def _any_workspace_runs() -> bool:
    from jupyter_tasks.notebook.discovery import engine_answers

    return any(engine_answers(path) for path in places.links_dir().glob("*/link.sock"))


def _remove(path: Path) -> None:
    """Remove a directory, also what a workspace made unreadable in it; links are removed, not followed."""
    for folder, names, _ in os.walk(path):
        for inner in (Path(folder) / name for name in names):
            if not inner.is_symlink():
                inner.chmod(0o700)
    shutil.rmtree(path)
