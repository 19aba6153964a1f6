"""Calls of LLMs: one row each, and their sums."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Connection

from jupyter_tasks.store.database import Database
from jupyter_tasks.store.llm_rows import (
    LlmCall,
    LlmTotals,
    add_llm_call,
    llm_calls_of,
    refusal_of,
    totals_between,
    totals_of,
    totals_of_all,
)
from jupyter_tasks.store.task_rows import TaskRow, insert_task

pytestmark = [pytest.mark.usefixtures("anyio_backend"), pytest.mark.anyio]
NOON = datetime(2025, 7, 1, 12, tzinfo=timezone.utc)


def call(number: int, task_id: str, **values: Any) -> LlmCall:
    given: dict[str, Any] = {
        "id": f"c{number}",
        "task_id": task_id,
        "build_id": "b",
        "time": NOON + timedelta(hours=number),
        "provider": "anthropic",
        "model": "m",
        "status": 200,
        "input": 10,
        "output": 20,
        "cache_read": 1,
        "cache_write": 2,
        "cost": 3_000_000_000,
        "milliseconds": 5,
    }
    return LlmCall(**{**given, **values})


async def test_sums(database: Database, make_task: Callable[..., TaskRow]) -> None:
    one, two, three = (make_task(number) for number in (1, 2, 3))

    def work(connection: Connection) -> None:
        for task in (one, two, three):
            insert_task(connection, task)
        add_llm_call(connection, call(1, one.id))
        add_llm_call(connection, call(2, one.id))
        add_llm_call(connection, call(3, two.id, cost=None, model="x\0" + "y" * 500, problem="p\0q"))

    await database.write(work)
    expected = LlmTotals(calls=2, input=20, output=40, cache_read=2, cache_write=4, cost=6_000_000_000)
    assert await database.read(totals_of, one.id) == expected
    assert await database.read(totals_of, three.id) is None
    unknown = await database.read(totals_of, two.id)
    assert unknown is not None
    assert (unknown.calls, unknown.cost) == (1, None)
    assert await database.read(totals_of_all, [one.id, two.id, three.id]) == {one.id: expected, two.id: unknown}
    between = await database.read(totals_between, NOON + timedelta(hours=2), NOON + timedelta(hours=3))
    assert (between.calls, between.cost) == (1, 3_000_000_000)
    assert await database.read(totals_between, NOON, NOON) == LlmTotals()
    [kept] = await database.read(llm_calls_of, two.id)
    assert (kept.model, kept.problem, kept.time) == ("x" + "y" * 199, "pq", NOON + timedelta(hours=3))
    assert [each.id for each in await database.read(llm_calls_of, one.id)] == ["c2", "c1"]


async def test_a_refused_key_is_told_until_a_call_goes_well(
    database: Database, make_task: Callable[..., TaskRow]
) -> None:
    task = make_task(1)

    def work(connection: Connection) -> list[str | None]:
        insert_task(connection, task)
        said = [refusal_of(connection, "b")]
        for number, status in enumerate((200, 401, 529, 403, 200)):
            add_llm_call(connection, call(number, task.id, status=status, problem=f"said {status}"))
            said.append(refusal_of(connection, "b"))
        return [*said, refusal_of(connection, "another")]

    assert await database.write(work) == [None, None, "said 401", None, "said 403", None, None]
