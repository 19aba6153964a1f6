"""Waiting for a task in a shell: quietly (``--wait``) or showing what happens (``--follow``).

Owns the loop, and what the end of it means as an exit code. Ctrl-C ends the waiting, never the task.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

from jupyter_tasks.cli import errors
from jupyter_tasks.cli.output import clean
from jupyter_tasks.cli.progress import Progress
from jupyter_tasks.cli.talk import Talk

if TYPE_CHECKING:
    from jupyter_tasks.models import Event, Task
    from jupyter_tasks.notebook.client import Client

__all__ = ["follow", "going_on", "outcome"]


@contextmanager
def going_on(task: Task) -> Iterator[None]:
    """Around any waiting: says on Ctrl-C that the task goes on."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"\nNo longer waiting; the task {task.name} goes on.", err=True)
        click.echo(f"Hint: `jupyter tasks status {task.name}` shows it, `jupyter tasks pause` stops it.", err=True)
        raise click.exceptions.Exit(errors.INTERRUPTED) from None


def follow(client: Client, task: Task) -> Task:
    """Show stages and messages of a new task until there is nothing to wait for; the task as it is then."""
    from jupyter_tasks import models
    from jupyter_tasks.notebook.client import settled

    progress = Progress(task.created_at)
    talk = Talk(progress.say)
    place = task.queue_position
    if place:
        progress.say(f"Waiting for {place} other task{'s' if place > 1 else ''} first.")
    with going_on(task), closing(client.watch(task.id, after=task.last_event_id)) as seen:
        current, _ = next(seen)
        for current, event in seen:
            if event is not None and event.type == models.EventType.build_log:
                progress.heard(models.BuildLogEntry.model_validate(event.data.get("entry")))
            elif event is not None and event.type == models.EventType.message:
                talk.heard(models.Message.model_validate(event.data.get("message")))
            # the task may be further than the events: go on until they say so too, else a quick failure has no log
            if settled(current) and (event is None or _says_settled(event)):
                break
        progress.end(well=current.status == models.TaskStatus.active)
        talk.end(client.messages(task.id) if current.status == models.TaskStatus.active else ())
    return current


def _says_settled(event: Event) -> bool:
    said = event.data
    if said.get("attention") or said.get("status") in {"paused", "error"}:
        return True
    return said.get("status") == "active" and said.get("state") in {"idle", "complete", "failure"}


def outcome(task: Task) -> int:
    """What became of a task, said on stderr where it is not good news, as an exit code."""
    if task.attention is not None:
        click.echo(clean(f"The task {task.name} needs you: {task.attention.text}"), err=True)
        answers = "".join(f"\n  [{number}] {option.label}" for number, option in enumerate(task.attention.options, 1))
        hint = f'Hint: `jupyter tasks send {task.name} "…"` answers, `jupyter tasks attach {task.name}` shows it.'
        click.echo(f"{clean(answers)}\n{hint}".lstrip("\n"), err=True)
        return errors.NEEDS_YOU
    failed = task.current_state is not None and task.current_state.state == "failure"
    if task.status in {"paused", "error"} or failed:
        why = task.reason or (task.current_state.message if task.current_state else "")
        what = "has failed" if failed or task.status == "error" else "is paused"
        click.echo(clean(f"The task {task.name} {what}{': ' + why if why else '.'}"), err=True)
        click.echo(f"Hint: `jupyter tasks logs {task.name} --kind build` shows more.", err=True)
        return errors.FAILED
    return errors.OK
