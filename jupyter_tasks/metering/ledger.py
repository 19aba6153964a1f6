"""The ledger: one usage event for each start build of a task, exactly once.

Owns ``usage_events`` and its daily sums. An event is written in the transaction that accepts the build and has the
build's id, so a crash, a repetition or a race can neither lose it nor count it twice. Events are never changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from importlib import import_module
from typing import Any

from sqlalchemy import Connection, func, select

from jupyter_tasks.store.codec import to_json, to_time
from jupyter_tasks.store.tables import usage_daily, usage_events

__all__ = ["AGENT_WORKSPACE_BUILD", "Period", "actual", "record_build"]

AGENT_WORKSPACE_BUILD = "dc_managed_agents_v1"
"""Coder's event type; its data is ``{"count": n}``."""


@dataclass(frozen=True, slots=True)
class Period:
    """From ``start`` on, up to and without ``end``; both midnight in UTC, because the sums are by day."""

    start: datetime
    end: datetime


def record_build(connection: Connection, *, build_id: str, task_id: str, created_at: datetime) -> bool:
    """Count a start build, within the transaction that accepts it.

    Args:
        connection: of a writing transaction.
        build_id: the build's id, which becomes the event's.
        task_id: whose build it is.
        created_at: when it was accepted; its day in UTC is the day it counts for.

    Returns whether it was counted now; False: it had been before.
    """
    event = {
        "id": build_id,
        "event_type": AGENT_WORKSPACE_BUILD,
        "event_data": to_json({"count": 1}),
        "task_id": task_id,
        "created_at": to_time(created_at),
    }
    statement = _dialect(connection).insert(usage_events).values(**event).on_conflict_do_nothing()
    # Of an INSERT, SQLAlchemy keeps the number of rows only where it is asked to.
    inserted = connection.execute(statement.execution_options(preserve_rowcount=True)).rowcount == 1
    if inserted:
        _add_to_day(connection, _day(created_at), 1)
    return inserted


def actual(connection: Connection, period: Period) -> int:
    """How many Agent Workspace Builds were started in a period."""
    query = select(func.coalesce(func.sum(usage_daily.c.amount), 0)).where(
        usage_daily.c.event_type == AGENT_WORKSPACE_BUILD,
        usage_daily.c.day >= _day(period.start),
        usage_daily.c.day <= _day(period.end - timedelta(microseconds=1)),
    )
    return int(connection.execute(query).scalar_one())


def _add_to_day(connection: Connection, day: str, amount: int) -> None:
    row = {"day": day, "event_type": AGENT_WORKSPACE_BUILD, "amount": amount}
    statement = _dialect(connection).insert(usage_daily).values(**row)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[usage_daily.c.day, usage_daily.c.event_type],
            set_={"amount": usage_daily.c.amount + statement.excluded.amount},
        )
    )


def _dialect(connection: Connection) -> Any:
    """The two spell ON CONFLICT alike, in modules of their own."""
    module = "postgresql" if connection.dialect.name == "postgresql" else "sqlite"
    return import_module(f"sqlalchemy.dialects.{module}")  # the other one takes a tenth of an engine's start


def _day(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%d")
