"""``jupyter tasks send`` and ``interrupt``."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING
from uuid import uuid4

import click

from jupyter_tasks.cli import output
from jupyter_tasks.cli.options import engine, read_input, task_argument
from jupyter_tasks.errors import AgentBusy, Conflict

if TYPE_CHECKING:
    from jupyter_tasks.models import Task
    from jupyter_tasks.notebook.client import Client

__all__ = ["interrupt_command", "send_command"]


@click.command("send")
@task_argument
@click.argument("input", required=False)
@click.option("--stdin", is_flag=True, help="Read the input from stdin; `-` as the input does the same.")
def send_command(task: str, input: str | None, stdin: bool) -> None:  # noqa: A002
    """Send input to a task.

    A paused task is resumed first; a starting or a busy one is waited for.
    """
    text = read_input(input, stdin, "expected an input for the task")
    if not text.strip():
        raise click.UsageError("Task input is required.")
    with engine() as client:
        found = client.get(task)
        if found.status == "paused":
            click.echo(f"Resuming the task {found.name} first …", err=True)
            client.resume(found.id)
        if found.status != "active":
            found = _ready(client, found)
        key = str(uuid4())
        try:
            client.send(found.id, text, key=key)
        except AgentBusy:
            click.echo(f"Waiting for the agent of {found.name} …", err=True)
            _ready(client, found)
            client.send(found.id, text, key=key)


@click.command("interrupt")
@task_argument
def interrupt_command(task: str) -> None:
    """End the turn that a task's agent is working on."""
    with engine() as client:
        interrupted = client.interrupt(task)
    click.echo("Interrupted." if interrupted else "The agent was not working.", err=not interrupted)


def _ready(client: Client, task: Task) -> Task:
    """The task, once its agent takes input. Raises: Conflict when it never will."""
    from jupyter_tasks.cli.waiting import going_on

    resumed = task.status == "paused"
    with going_on(task), closing(client.watch(task.id)) as seen:
        for current, _ in seen:
            resumed = resumed and current.status == "paused"  # until the build is seen
            if current.status in {"error", "unknown"} or (current.status == "paused" and not resumed):
                raise Conflict(
                    f'task "{current.name}" has status {current.status.value} and cannot be sent input',
                    detail=output.clean(current.reason or ""),
                    hint=f"`jupyter tasks logs {current.name} --kind build` says why.",
                )
            state = current.current_state
            if current.status == "active" and (current.attention or (state and state.state != "working")):
                return current
    raise AssertionError("watch ends by raising only")
