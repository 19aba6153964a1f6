"""``jupyter tasks status``."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import click

from jupyter_tasks.cli import output
from jupyter_tasks.cli.answer import say_question
from jupyter_tasks.cli.columns import TASK_CELLS, warn_unisolated
from jupyter_tasks.cli.options import Shape, engine, shaped, task_argument

if TYPE_CHECKING:
    from jupyter_tasks.models import Task
    from jupyter_tasks.notebook.client import Client

__all__ = ["status_command"]


@click.command("status")
@task_argument
@click.option("--watch", is_flag=True, help="Print a line at every change, until the agent is no longer working.")
@click.option("--watch-interval", hidden=True, help="Taken for coder's sake: changes are told, not asked for.")
@shaped(TASK_CELLS, "state changed,status,healthy,state,message")
def status_command(task: str, watch: bool, watch_interval: str | None, shape: Shape) -> None:
    """Show the status of a task, and what its agent asks."""
    with engine() as client:
        if watch:
            _watch(client, task, shape)
        else:
            found = client.get(task)
            shape.show([found], found)
            warn_unisolated([found])
            say_question(found)


def _watch(client: Client, task: str, shape: Shape) -> None:
    before: list[str] | None = None
    compared = [name for name in shape.columns if name != "state changed"]  # that one changes by itself
    with closing(client.watch(task)) as seen:
        for current, _ in seen:
            now = [shape.cells[name](current) for name in compared]
            if now != before:
                _row(current, shape, first=before is None)
                before = now
            if _over(current):
                if not shape.json:
                    say_question(current)
                return


def _row(task: Task, shape: Shape, *, first: bool) -> None:
    if shape.json:
        output.print_json(task)
        return
    text = output.table([task], shape.columns, shape.cells)
    click.echo(text if first else text.split("\n", 1)[1])


def _over(task: Task) -> bool:
    """Whether ``coder task status --watch`` would end here; and where nothing will come any more."""
    if task.workspace_status == "stopped" or task.status in {"paused", "error"}:
        return True
    if task.workspace_agent_health is None or not task.workspace_agent_health.healthy:
        return False
    if task.workspace_agent_lifecycle in {None, "created", "starting", "shutting_down"}:
        return False
    return task.attention is not None or (task.current_state is not None and task.current_state.state != "working")
