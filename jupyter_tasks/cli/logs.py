"""``jupyter tasks logs``."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from jupyter_tasks.cli import output
from jupyter_tasks.cli.options import Shape, engine, shaped, task_argument
from jupyter_tasks.errors import NotFound

if TYPE_CHECKING:
    from jupyter_tasks.models import Event, Task, TaskLogEntry
    from jupyter_tasks.notebook.client import Client

__all__ = ["logs_command"]

_AGAIN = 1.0  # seconds between two looks at logs that have no events of their own

_CELLS = {
    "id": lambda entry: str(entry.id),
    "type": lambda entry: f"{entry.type.value:<6}",  # rows that follow later stand under the same heading
    "source": lambda entry: entry.source or "",
    "time": lambda entry: output.stamp(entry.time),
    "content": lambda entry: entry.content.strip("\n"),
}


@click.command("logs")
@task_argument
@click.option(
    "-f", "--follow", is_flag=True, help="Go on until the task is paused, failed or deleted. JSON: one a line."
)
@click.option(
    "--kind",
    type=click.Choice(["chat", "build", "script", "agent"]),
    default="chat",
    show_default=True,
    help="The conversation, or what the build, the scripts or the agent's side wrote.",
)
@shaped(_CELLS, "type,content")
def logs_command(task: str, follow: bool, kind: str, shape: Shape) -> None:  # fmt: skip
    """Show a task's conversation, or the logs of its build and scripts."""
    with engine() as client:
        if follow:
            _follow(client, task, kind, shape)
            return
        found = client.logs(task, kind)
    shape.show(found.logs, found)
    if found.snapshot and not shape.json:
        when = f" as of {output.stamp(found.snapshot_at)}" if found.snapshot_at else ""
        click.echo(f"This is what was kept{when}: the task is not active.", err=True)


def _follow(client: Client, task: str, kind: str, shape: Shape) -> None:
    printed = -1
    asked = float("-inf")
    headed = shape.json
    try:
        with closing(client.watch(task)) as seen:
            for current, event in seen:
                over = current.status in {"paused", "error"}
                if not over and not _tells(event, kind, printed) and time.monotonic() - asked < _AGAIN:
                    continue
                asked = time.monotonic()
                fresh = [entry for entry in _final(client, current, kind) if entry.id > printed]
                if fresh:
                    _rows(fresh, shape, headed)
                    headed, printed = True, fresh[-1].id
                if over:
                    return
    except NotFound:
        if not headed and printed < 0:
            raise
        click.echo(f"The task {task} was deleted.", err=True)


def _tells(event: Event | None, kind: str, printed: int) -> bool:
    """Whether there is something to fetch because of ``event``."""
    if event is None or event.type == "task":
        return True
    if event.type == "build_log":
        return kind != "chat"
    message: Any = event.data.get("message")
    # while a message grows it is not fetched again and again: only when the next one shows that it is whole
    return (
        kind == "chat" and event.type == "message" and isinstance(message, dict) and message.get("id", 0) > printed + 1
    )


def _final(client: Client, task: Task, kind: str) -> list[TaskLogEntry]:
    entries = client.logs(task.id, kind).logs
    working = task.current_state is not None and task.current_state.state == "working"
    if kind == "chat" and working and entries and entries[-1].type == "output":
        return entries[:-1]  # it still grows
    return entries


def _rows(entries: list[TaskLogEntry], shape: Shape, headed: bool) -> None:
    if shape.json:
        for entry in entries:
            click.echo(output.as_json(entry))
        return
    text = output.table(entries, shape.columns, shape.cells)
    click.echo(text.split("\n", 1)[1] if headed else text)
