"""Notifications: a command or a webhook of the user's, when a task needs them, can be reviewed or has failed.

Owns when one is due: a task has entered one of those words and stayed in it for a moment. What a task was when the
engine started is old news, and so is a word that was told already and never left. How it is sent: ``notify_send``.
Nothing that a person or an agent wrote is in it but the task's name and title.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from sqlalchemy import Connection
from traitlets import Enum, Float, List, TraitError, Unicode, validate
from traitlets.config.configurable import Configurable

from jupyter_tasks.clock import Clock
from jupyter_tasks.errors import TasksError
from jupyter_tasks.models import Summary
from jupyter_tasks.store.event_rows import EventRow
from jupyter_tasks.store.journal import Journal
from jupyter_tasks.store.task_rows import live_tasks, task_by_id
from jupyter_tasks.tasks.bundle import bundles
from jupyter_tasks.tasks.notify_send import is_loopback, post, run_command
from jupyter_tasks.tasks.status import summary
from jupyter_tasks.tasks.views import facts_of

__all__ = ["Notify"]

_log = logging.getLogger(__name__)

SETTLE = 2.0
MOST_SETTLES = 5  # a task that never settles is told as it is after so many times
QUEUE = 64
MOST_A_MINUTE = 20

_WORDS = {Summary.needs_you.value: "needs_you", Summary.ready.value: "ready", Summary.failed.value: "failed"}


@dataclass(slots=True)
class _Seen:
    """What is known of the tasks: ``now`` what the newest event said, ``settled`` what was weighed last."""

    now: dict[str, str] = field(default_factory=dict)
    settled: dict[str, str] = field(default_factory=dict)
    settling: set[str] = field(default_factory=set)
    changes: dict[str, int] = field(default_factory=dict)

    def forget(self, task_id: str) -> None:
        for each in (self.now, self.settled, self.changes):
            each.pop(task_id, None)


@dataclass(frozen=True, slots=True)
class _Due:
    task_id: str
    word: str
    time: datetime


class Notify(Configurable):
    """Tells the user, also where no browser is open."""

    command = List(
        Unicode(),
        help=(
            "Program and arguments (no shell) that is run for each notification. It gets a JSON document on its"
            " standard input and the same in JUPYTER_TASKS_EVENT, JUPYTER_TASKS_SUMMARY, JUPYTER_TASKS_TASK_NAME …"
        ),
    ).tag(config=True)
    webhook = Unicode(
        "", help="A URL (https, or http on this machine) that the JSON document is posted to. It is never logged."
    ).tag(config=True)
    events = List(
        Enum(("needs_you", "ready", "failed")),
        default_value=["needs_you", "ready", "failed"],
        help="What is told: a task needs you, is ready to review, has failed.",
    ).tag(config=True)
    timeout = Float(10.0, min=0.1, help="Seconds that the command or one try of the webhook may take.").tag(config=True)

    @validate("webhook")
    def _is_safe(self, proposal: dict[str, Any]) -> str:
        url = str(proposal["value"])
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            host, parts = "", urlsplit("")
        if url and not (host and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))):
            raise TraitError("c.Notify.webhook is neither an https URL nor an http URL of this machine.")
        return url

    async def run(self, journal: Journal, clock: Clock) -> None:
        """Tell until cancelled; returns at once where nothing is set."""
        if not (self.command or self.webhook) or not self.events:
            return
        send, receive = anyio.create_memory_object_stream[_Due](QUEUE)
        seen = _Seen()
        async with send, receive, anyio.create_task_group() as group:
            group.start_soon(self._deliver, receive, journal, clock, name="notifications")
            try:
                await self._follow(journal, clock, seen, group, send)
            except TasksError as error:
                _log.warning("there will be no notifications until the engine starts anew: %s", error)
            group.cancel_scope.cancel()

    # ------------------------------------------------------------ when

    async def _follow(
        self, journal: Journal, clock: Clock, seen: _Seen, group: TaskGroup, send: MemoryObjectSendStream[_Due]
    ) -> None:
        after: int | None = None
        while True:
            last = after
            async with journal.subscribe(after=after) as stream:
                if after is None:
                    seen.now = dict(await journal.read(_summaries))
                    seen.settled = dict(seen.now)
                async for event in stream:
                    after = event.id
                    if event.type == "task" and event.task_id is not None and self._changed(seen, event):
                        seen.settling.add(event.task_id)
                        group.start_soon(self._settle, event.task_id, clock, seen, send, name="notify")
            if after == last:  # not dropped for being slow: the engine ends
                return

    def _changed(self, seen: _Seen, event: EventRow) -> bool:
        """Take in an event. Returns: whether somebody has to wait until the task settles."""
        task_id = str(event.task_id)
        if event.data.get("deleted"):
            seen.forget(task_id)
            return False
        word = str(event.data.get("summary", ""))
        if seen.now.get(task_id) == word:
            return False
        seen.now[task_id] = word
        seen.changes[task_id] = seen.changes.get(task_id, 0) + 1
        return task_id not in seen.settling

    async def _settle(self, task_id: str, clock: Clock, seen: _Seen, send: MemoryObjectSendStream[_Due]) -> None:
        try:
            for _ in range(MOST_SETTLES):
                before = seen.changes.get(task_id)
                await clock.sleep(SETTLE)
                if seen.changes.get(task_id) == before:
                    break
        finally:
            seen.settling.discard(task_id)
        word = seen.now.get(task_id)
        if word is None or seen.settled.get(task_id) == word:
            return
        seen.settled[task_id] = word
        if _WORDS.get(word) in self.events:
            try:
                send.send_nowait(_Due(task_id, word, clock.now()))
            except anyio.WouldBlock:
                _log.warning("a notification was dropped: %d wait already", QUEUE)

    # ------------------------------------------------------------ what

    async def _deliver(self, due: MemoryObjectReceiveStream[_Due], journal: Journal, clock: Clock) -> None:
        sent: deque[float] = deque()
        async for each in due:
            now = clock.monotonic()
            while sent and now - sent[0] >= 60:
                sent.popleft()
            if len(sent) >= MOST_A_MINUTE:
                _log.warning("a notification was dropped: more than %d in a minute", MOST_A_MINUTE)
                continue
            sent.append(now)
            try:
                payload = await journal.read(partial(_payload, each))
                if payload is not None:
                    await self._tell(payload, clock)
            except Exception as error:  # noqa: BLE001 - no notification is worth the engine
                _log.warning("a notification could not be sent: %s", type(error).__name__)

    async def _tell(self, payload: Mapping[str, Any], clock: Clock) -> None:
        async with anyio.create_task_group() as group:
            if self.command:
                group.start_soon(partial(run_command, self.command, payload, timeout=self.timeout))
            if self.webhook:
                group.start_soon(partial(post, self.webhook, payload, clock=clock, timeout=self.timeout))


def _summaries(connection: Connection) -> Mapping[str, str]:
    return {each.task.id: summary(facts_of(each)).value for each in bundles(connection, live_tasks(connection))}


def _payload(due: _Due, connection: Connection) -> Mapping[str, Any] | None:
    row = task_by_id(connection, due.task_id)
    if row is None or row.deleted_at is not None:
        return None
    return {
        "event": _WORDS[due.word],
        "summary": due.word,
        "time": due.time.isoformat(),
        "url_path": f"/tasks/{quote(row.owner_name, safe='')}/{row.id}",
        "task": {
            "id": row.id,
            "name": row.name,
            "display_name": row.display_name,
            "owner_name": row.owner_name,
            "template": row.template_name,
        },
    }
