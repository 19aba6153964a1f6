"""Events as server-sent events: for the kernel, the shell and the relay of a Jupyter server. Browsers get the relay's.

Owns the frames, the heartbeat and where a reader resumes (``Last-Event-ID`` or ``?after=``); the bound is the
subscription's: a reader that is too slow is ended and comes back with its last id.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import anyio

from jupyter_tasks.models import Event
from jupyter_tasks.server.handlers.base import parse_number
from jupyter_tasks.server.handlers.streams import StreamHandler
from jupyter_tasks.tasks.api import Subscription

__all__ = ["EventsHandler", "TaskEventsHandler", "frame"]

HEARTBEAT = 15.0  # seconds


def frame(event: Event) -> str:
    """An event on the wire: id and kind are the frame's own, the rest is its data."""
    data = event.model_dump_json(exclude={"id", "type"})  # JSON of one line: no line end can break the frame
    return f"id: {event.id}\nevent: {event.type.value}\ndata: {data}\n\n"


class _Events(StreamHandler):
    async def follow(self, task_id: str | None) -> None:
        after = self._after()
        subscription = self.tasks.events(after=after, task_id=task_id)
        await self.streaming(lambda: self._deliver(subscription))

    def _after(self) -> int | None:
        seen = self.request.headers.get("Last-Event-ID") or self.get_query_argument("after", "")
        return parse_number("after", seen) if seen else None

    async def _deliver(self, events: AbstractAsyncContextManager[Subscription]) -> None:
        async with events as subscription, anyio.create_task_group() as group:
            self.set_header("Content-Type", "text/event-stream")
            self.set_header("Cache-Control", "no-cache, no-transform")
            self.set_header("X-Accel-Buffering", "no")
            await self.send_chunk(": here\n\n")
            group.start_soon(self._beat)
            async for event in subscription:
                await self.send_chunk(frame(event))
            group.cancel_scope.cancel()

    async def _beat(self) -> None:
        while True:
            await self.context.clock.sleep(HEARTBEAT)
            await self.send_chunk(": ping\n\n")


class EventsHandler(_Events):
    """Events of all tasks."""

    path = "/api/v2/events"

    async def get(self) -> None:
        await self.follow(None)


class TaskEventsHandler(_Events):
    """Events of one task, with its messages and build log."""

    path = "/api/v2/tasks/{user}/{task}/events"

    async def get(self, user: str, task: str) -> None:
        found = await self.tasks.get(self.owner(user), task)
        await self.follow(found.id)
