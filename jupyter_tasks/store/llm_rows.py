"""Rows of ``llm_calls``: one for each call of an agent that went through the gateway, and their sums.

Owns their dataclass and queries. There is no text of a call in them, only what it used and how it ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, bindparam, case, func, insert, select

from jupyter_tasks.store.codec import from_time, to_time
from jupyter_tasks.store.tables import llm_calls

__all__ = [
    "LlmCall",
    "LlmTotals",
    "add_llm_call",
    "llm_calls_of",
    "refusal_of",
    "totals_between",
    "totals_of",
    "totals_of_all",
]

MOST_NAME = 200
MOST_PROBLEM = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmCall:
    """One call.

    ``status`` is that of HTTP, 0 where no answer came. ``input`` are the tokens that were neither read from a cache nor
    written to one. ``cost`` is in millionths of a US dollar, None where it is not known. ``problem`` is a sentence,
    where the call did not end well or did not say what it used.
    """

    id: str
    task_id: str
    build_id: str
    time: datetime
    provider: str
    model: str
    status: int
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cost: int | None = None
    milliseconds: int = 0
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmTotals:
    """What calls used together. ``cost`` is None where that of any of them is not known."""

    calls: int = 0
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cost: int | None = 0


def _sums() -> list[ColumnElement[Any]]:
    names = ("input", "output", "cache_read", "cache_write", "cost")
    sums = [func.coalesce(func.sum(llm_calls.c[name]), 0).label(name) for name in names]
    unknown = func.coalesce(func.sum(case((llm_calls.c.cost.is_(None), 1), else_=0)), 0)
    return [func.count().label("calls"), unknown.label("unknown"), *sums]


_OF_ONE = select(*_sums()).where(llm_calls.c.task_id == bindparam("task"))
"""Put together once: it is asked in every change of a task."""


def add_llm_call(connection: Connection, call: LlmCall) -> None:
    """Write a call down. Names and sentences came from outside: they are cut, and hold no NUL (PostgreSQL)."""
    values = {name: getattr(call, name) for name in LlmCall.__slots__}
    values["time"] = to_time(call.time)
    values["model"] = call.model.replace("\0", "")[:MOST_NAME]
    values["problem"] = None if call.problem is None else call.problem.replace("\0", "")[:MOST_PROBLEM]
    connection.execute(insert(llm_calls).values(**values))


def llm_calls_of(connection: Connection, task_id: str, *, limit: int = 1_000) -> Sequence[LlmCall]:
    """The newest ``limit`` calls of a task, newest first."""
    query = select(llm_calls).where(llm_calls.c.task_id == task_id)
    query = query.order_by(llm_calls.c.time.desc(), llm_calls.c.id).limit(limit)
    found = connection.execute(query).mappings()
    return [LlmCall(**{**row, "time": from_time(row["time"])}) for row in found]


def refusal_of(connection: Connection, build_id: str) -> str | None:
    """What the vendor said when it refused the key, where that was the end of the newest call of a build."""
    query = select(llm_calls.c.status, llm_calls.c.problem).where(llm_calls.c.build_id == build_id)
    newest = connection.execute(query.order_by(llm_calls.c.time.desc(), llm_calls.c.id).limit(1)).one_or_none()
    return newest.problem if newest is not None and newest.status in (401, 403) else None


def totals_of(connection: Connection, task_id: str) -> LlmTotals | None:
    """What every call of a task used; None where it made none."""
    found = _totals(connection.execute(_OF_ONE, {"task": task_id}).mappings().one())
    return found if found.calls else None


def totals_of_all(connection: Connection, task_ids: Sequence[str]) -> Mapping[str, LlmTotals]:
    """The same of several tasks in one query; one that made no call is not in it."""
    query = select(llm_calls.c.task_id, *_sums()).where(llm_calls.c.task_id.in_(task_ids)).group_by(llm_calls.c.task_id)
    return {row["task_id"]: _totals(row) for row in connection.execute(query).mappings()}


def totals_between(connection: Connection, start: datetime, end: datetime) -> LlmTotals:
    """What every call from ``start`` on, up to and without ``end``, used."""
    when = (llm_calls.c.time >= to_time(start), llm_calls.c.time < to_time(end))
    return _totals(connection.execute(select(*_sums()).where(*when)).mappings().one())


def _totals(row: RowMapping) -> LlmTotals:
    # PostgreSQL sums integers into a numeric
    return LlmTotals(
        calls=int(row["calls"]),
        input=int(row["input"]),
        output=int(row["output"]),
        cache_read=int(row["cache_read"]),
        cache_write=int(row["cache_write"]),
        cost=None if int(row["unknown"]) else int(row["cost"]),
    )
