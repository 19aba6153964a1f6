"""Waiting for a task in a shell: quietly (``--wait``) or showing what happens (``--follow``).

Owns the loop, and what the end of it means as an exit code. Ctrl-C ends the waiting, never the task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

import click

from jupyter_tasks.cli import errors
from jupyter_tasks.cli.answer import say_question
from jupyter_tasks.cli.output import clean
from jupyter_tasks.cli.progress import Progress
from jupyter_tasks.cli.talk import Talk

if TYPE_CHECKING:
    from jupyter_tasks.models import Event, Message, Task
    from jupyter_tasks.notebook.client import Client

__all__ = ["follow", "going_on", "late_events", "outcome"]


_LATE = 0.5  # seconds
_CERTAIN = 20.0  # seconds for what is known to come: an engine may stand still for some of them


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

    show = _Show(task)
    with going_on(task):
        with closing(client.watch(task.id, after=task.last_event_id)) as seen:
            for current, event in seen:
                show.event(event)
                if settled(current):
                    break
        if current.status not in {task.status, show.status}:  # that it changed is told too, behind why it did
            late_events(client, task, show.seen, show.event, current.status.value)
        late_events(client, task, show.seen, show.event)
        active = current.status == models.TaskStatus.active
        show.end(client.messages(task.id) if active else (), well=active)
    return current


def late_events(client: Client, task: Task, after: int, show: Callable[[Event], None], status: str = "") -> None:
    """Show what is still under way: a task is fetched ahead of its events, and an agent's own report is ahead of its
    last words, which come by way of the terminal. ``status``: up to the event that tells of it, which is certain to
    come."""
    timeout = _CERTAIN if status else _LATE
    with suppress(TimeoutError), closing(client.watch(task.id, after=after, timeout=timeout)) as seen:
        for _, event in seen:
            if event is not None:
                show(event)
                if status and event.data.get("status") == status:
                    return


class _Show:
    """Build first, then talk: messages that come while stages are at work wait for these."""

    def __init__(self, task: Task) -> None:
        self.seen = task.last_event_id
        self.status: object = None  # that was told last
        self._progress = Progress(task.created_at)
        self._talk = Talk(self._progress.say)
        self._held: list[Message] = []
        if task.queue_position:
            self._progress.say(f"Waiting for other tasks: place {task.queue_position} in the queue.")

    def event(self, event: Event | None) -> None:
        from jupyter_tasks import models

        if event is None:
            return
        self.seen = event.id
        self.status = event.data.get("status", self.status)
        if event.type == models.EventType.build_log:
            self._progress.heard(models.BuildLogEntry.model_validate(event.data.get("entry")))
        elif event.type == models.EventType.message:
            self._held.append(models.Message.model_validate(event.data.get("message")))
        if self._progress.over:
            self._release()

    def end(self, messages: Sequence[Message], *, well: bool) -> None:
        self._progress.end(well=well)
        self._release()
        self._talk.end(messages)

    def _release(self) -> None:
        for message in self._held:
            self._talk.heard(message)
        self._held.clear()


def outcome(task: Task) -> int:
    """What became of a task, said on stderr where it is not good news, as an exit code."""
    if task.attention is not None:
        say_question(task)
        return errors.NEEDS_YOU
    failed = task.current_state is not None and task.current_state.state == "failure"
    if task.status in {"paused", "error"} or failed:
        why = task.reason or (task.current_state.message if task.current_state else "")
        what = "has failed" if failed or task.status == "error" else "is paused"
        click.echo(clean(f"The task {task.name} {what}{': ' + why if why else '.'}"), err=True)
        click.echo(f"Hint: `jupyter tasks logs {task.name} --kind build` shows more.", err=True)
        return errors.FAILED
    return errors.OK
