"""Every change goes through here: one transaction, its events in it, published once when it stands.

Owns the order of events and who hears of them. A subscriber is served from the table first and live afterwards, with
no gap and no repetition; one that does not keep up is ended, and comes back with the id that it saw last.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, TypeVar

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from sqlalchemy import Connection

from jupyter_tasks.clock import Clock
from jupyter_tasks.store.database import Database
from jupyter_tasks.store.event_rows import EventRow, append_event, events_after, newest_event_id, prune_events
from jupyter_tasks.store.talk_rows import message

__all__ = ["Change", "EventStream", "Journal"]

T = TypeVar("T")

KEPT_EVENTS = 20_000
PRUNED_EVERY = 1_000
QUEUE = 1_024
PAGE = 500


class Change:
    """One transaction in the making: its connection, its moment, and the events that will be published."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self.connection = connection
        self.now = clock.now()
        self.emitted: list[EventRow] = []
        self.notes: list[Callable[[], None]] = []

    def emit(
        self, type_: str, task_id: str | None, data: Mapping[str, Any], live: Mapping[str, Any] | None = None
    ) -> None:
        """Record an event with ``data``; subscribers that listen now are given ``live`` instead, where it is said."""
        row = append_event(self.connection, type_, task_id, data, self.now)
        if live is not None:
            row = EventRow(id=row.id, type=type_, task_id=task_id, time=row.time, data=live)
        self.emitted.append(row)

    def once_it_stands(self, note: Callable[[], None]) -> None:
        """Call ``note`` when this is in the store, before any other change begins; never, where it cannot be written.

        For what is remembered of the store: noted earlier, it would be wrong after a commit that failed.
        """
        self.notes.append(note)


class Journal:
    """The only writer of the store."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.clock = clock
        self.newest_id = 0
        self._subscribers: set[MemoryObjectSendStream[EventRow]] = set()
        self._since_prune = 0

    async def open(self) -> None:
        """Find out where the events stand."""
        self.newest_id = await self.database.read(newest_event_id)

    async def read(self, question: Callable[[Connection], T]) -> T:
        """Ask the store, outside any change."""
        return await self.database.read(question)

    async def change(self, work: Callable[[Change], T]) -> T:
        """Run ``work`` in one write transaction, then publish what it emitted.

        The thread that runs it is the only writer, so events become public in the order of their ids. Work that was
        begun is finished also when the caller is cancelled: nobody is left wondering whether it stands.
        """

        def transaction(connection: Connection) -> tuple[T, Change]:
            change = Change(connection, self.clock)
            result = work(change)
            if change.emitted and self._since_prune + len(change.emitted) >= PRUNED_EVERY:
                prune_events(connection, KEPT_EVENTS)
            return result, change

        with anyio.CancelScope(shield=True):
            result, change = await self.database.write(transaction)
            for note in change.notes:
                note()
            self._publish(change.emitted)
        return result

    def _publish(self, emitted: list[EventRow]) -> None:
        self._since_prune = (self._since_prune + len(emitted)) % PRUNED_EVERY
        for event in emitted:
            self.newest_id = max(self.newest_id, event.id)
            for subscriber in list(self._subscribers):
                try:
                    subscriber.send_nowait(event)
                except (anyio.WouldBlock, anyio.BrokenResourceError, anyio.ClosedResourceError):
                    self._drop(subscriber)

    def _drop(self, subscriber: MemoryObjectSendStream[EventRow]) -> None:
        self._subscribers.discard(subscriber)
        subscriber.close()

    @property
    def listeners(self) -> int:
        """How many subscribers there are."""
        return len(self._subscribers)

    @contextlib.asynccontextmanager
    async def subscribe(self, *, after: int | None, task_id: str | None = None) -> AsyncIterator[EventStream]:
        """Events above ``after`` (None: only what comes), of one task or of all."""
        send, receive = anyio.create_memory_object_stream[EventRow](QUEUE)
        self._subscribers.add(send)
        stream = EventStream(self, receive, self.newest_id if after is None else after, task_id)
        try:
            yield stream
        finally:
            self._drop(send)
            receive.close()

    def end_subscriptions(self) -> None:
        """Let every subscriber read to its end: the engine goes."""
        for subscriber in list(self._subscribers):
            self._drop(subscriber)


class EventStream:
    """What one subscriber reads."""

    def __init__(
        self, journal: Journal, live: MemoryObjectReceiveStream[EventRow], after: int, task_id: str | None
    ) -> None:
        self._journal = journal
        self._live = live
        self._last = after
        self._task_id = task_id

    async def __aiter__(self) -> AsyncIterator[EventRow]:
        while self._last < self._journal.newest_id:
            page = await self._journal.read(self._page)
            if not page:
                break
            for event in page:
                self._last = event.id
                yield event
        async for event in self._live:
            if event.id > self._last and (self._task_id is None or event.task_id == self._task_id):
                self._last = event.id
                yield event

    def _page(self, connection: Connection) -> list[EventRow]:
        rows = events_after(connection, self._last, task_id=self._task_id, limit=PAGE)
        return [_with_message(connection, row) for row in rows]


def _with_message(connection: Connection, event: EventRow) -> EventRow:
    if event.type != "message" or event.task_id is None:
        return event
    said = message(connection, event.task_id, int(event.data["message_id"]))
    if said is None:
        return event
    body = {"id": said.id, "role": said.role, "time": said.time.isoformat(), "parts": said.parts}
    return EventRow(id=event.id, type=event.type, task_id=event.task_id, time=event.time, data={"message": body})
