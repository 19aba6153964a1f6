"""What the rooms of ``FakeService`` share: tasks in memory, and events about them with ids.

Owns the tasks, the events and their readers; what can be done with a task is in the modules beside this one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from jupyter_tasks import models
from jupyter_tasks._version import __version__
from jupyter_tasks.errors import NotFound

__all__ = ["OWNER", "OWNER_ID", "FakeRoom", "now"]

OWNER_ID = "11111111-1111-4111-8111-111111111111"
OWNER = "ada"
_QUEUE = 100  # events a slow reader may be behind


@dataclass(eq=False)
class FakeRoom:
    """Tasks, and what happened to them."""

    owner_id: str = OWNER_ID
    owner_name: str = OWNER
    calls: list[tuple[object, ...]] = field(default_factory=list)
    """What was asked, in order."""
    watched: set[str] = field(default_factory=set)
    """The tasks whose own events somebody has begun to read, as those do who wait for one."""
    _tasks: dict[str, models.Task] = field(default_factory=dict)
    _events: list[models.Event] = field(default_factory=list)
    _readers: list[MemoryObjectSendStream[models.Event]] = field(default_factory=list)

    def info(self) -> models.BuildInfo:
        """What ``make_app`` takes as ``info``."""
        return models.BuildInfo(
            version=__version__,
            wire=models.WIRE,
            wire_oldest=models.WIRE_OLDEST,
            pid=1,
            started_at=now(),
            mode="inprocess",
            owner_id=self.owner_id,
            owner_name=self.owner_name,
            last_event_id=len(self._events),
        )

    def publish(self, kind: models.EventType, task_id: str | None, data: dict[str, object]) -> models.Event:
        """A new event, to all readers; one that is too slow is ended."""
        event = models.Event(id=len(self._events) + 1, type=kind, task_id=task_id, time=now(), data=data)
        self._events.append(event)
        for reader in list(self._readers):
            try:
                reader.send_nowait(event)
            except (anyio.WouldBlock, anyio.BrokenResourceError):
                self._readers.remove(reader)
                reader.close()
        return event

    def end_streams(self) -> None:
        """End every subscription, as an engine does that stops."""
        while self._readers:
            self._readers.pop().close()

    @asynccontextmanager
    async def events(
        self, *, after: int | None, task_id: str | None = None
    ) -> AsyncIterator[AsyncIterator[models.Event]]:
        send, receive = anyio.create_memory_object_stream[models.Event](_QUEUE)
        missed = [] if after is None else [event for event in self._events if event.id > after]
        self._readers.append(send)
        if task_id is not None:
            self.watched.add(task_id)
        try:
            yield _stream(missed, receive, task_id)
        finally:
            if send in self._readers:
                self._readers.remove(send)
            send.close()
            receive.close()

    def _find(self, task: str) -> models.Task:
        for found in self._tasks.values():
            if found.id == task or found.name.lower() == task.lower():
                return found
        raise NotFound("Resource not found or you do not have access to this resource")

    def _store(self, task: models.Task) -> models.Task:
        state = task.current_state.state.value if task.current_state else None
        data: dict[str, object] = {
            "id": task.id,
            "name": task.name,
            "owner_name": task.owner_name,
            "status": task.status.value,
            "state": state,
            "summary": task.summary.value,
            "attention": task.attention.model_dump(mode="json") if task.attention else None,
            "deleted": False,
        }
        event = self.publish(models.EventType.task, task.id, data)
        stored = task.model_copy(update={"last_event_id": event.id, "updated_at": now()})
        self._tasks[task.id] = stored
        return stored


async def _stream(
    missed: Sequence[models.Event], live: MemoryObjectReceiveStream[models.Event], task_id: str | None
) -> AsyncIterator[models.Event]:
    for event in missed:
        if task_id in {None, event.task_id}:
            yield event
    async for event in live:
        if task_id in {None, event.task_id}:
            yield event


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(timezone.utc)
