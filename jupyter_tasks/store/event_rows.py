"""Rows of ``events``: what has changed, in the order in which it became true.

Owns their queries. An event about a message names it only: what the message says is read when the event is delivered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from jupyter_tasks.store.codec import from_json, from_time, to_json, to_time
from jupyter_tasks.store.tables import events

__all__ = ["EventRow", "append_event", "events_after", "newest_event_id", "prune_events"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event."""

    id: int
    type: str
    task_id: str | None
    time: datetime
    data: Mapping[str, Any]


_APPEND = insert(events)  # made once: to put a statement together costs more than to run it


def append_event(
    connection: Connection, type_: str, task_id: str | None, data: Mapping[str, Any], now: datetime
) -> EventRow:
    """Add an event; its id is above every other's, for ever."""
    done = connection.execute(
        _APPEND, {"type": type_, "task_id": task_id, "time": to_time(now), "data": to_json(dict(data))}
    )
    key = done.inserted_primary_key
    assert key is not None  # noqa: S101 - an autoincrement table always gives one
    return EventRow(id=int(key[0]), type=type_, task_id=task_id, time=now, data=data)


def events_after(connection: Connection, after: int, *, task_id: str | None, limit: int) -> Sequence[EventRow]:
    """At most ``limit`` events with an id above ``after``, of one task or of all, in order."""
    query = select(events).where(events.c.id > after).order_by(events.c.id).limit(limit)
    if task_id is not None:
        query = query.where(events.c.task_id == task_id)
    return [
        EventRow(
            id=found.id,
            type=found.type,
            task_id=found.task_id,
            time=from_time(found.time),
            data=from_json(found.data),
        )
        for found in connection.execute(query)
    ]


def newest_event_id(connection: Connection) -> int:
    """Id of the newest event, 0 when there is none."""
    return int(connection.execute(select(func.max(events.c.id))).scalar() or 0)


def prune_events(connection: Connection, keep: int) -> None:
    """Forget all but about the last ``keep`` events."""
    connection.execute(delete(events).where(events.c.id <= newest_event_id(connection) - keep))
