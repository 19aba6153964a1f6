"""Events: in the transaction that makes them true, published once, with no gap and no repetition."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from journals import journal_in

from jupyter_tasks.store.event_rows import EventRow, events_after
from jupyter_tasks.store.journal import QUEUE, Change, EventStream, Journal


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    async with journal_in(tmp_path, Journal) as journal:
        yield journal


def emit(count: int, task: str = "t") -> object:
    def work(change: Change) -> None:
        for number in range(count):
            change.emit("task", task, {"n": number})

    return work


async def take(stream: EventStream, count: int) -> list[EventRow]:
    found: list[EventRow] = []
    with anyio.fail_after(40):
        async for event in stream:
            found.append(event)
            if len(found) == count:
                return found
    return found


@pytest.mark.anyio
async def test_old_ones_from_the_table_then_live_ones_without_gap(journal: Journal) -> None:
    await journal.change(emit(3))  # type: ignore[arg-type]
    async with journal.subscribe(after=1) as stream:
        await journal.change(emit(2))  # type: ignore[arg-type]
        found = await take(stream, 2)
        await journal.change(emit(1))  # type: ignore[arg-type]
        found += await take(stream, 3)
    assert [event.id for event in found] == [2, 3, 4, 5, 6]


@pytest.mark.anyio
async def test_a_change_that_fails_leaves_no_event(journal: Journal) -> None:
    def work(change: Change) -> None:
        change.emit("task", "t", {})
        raise ValueError("no")

    async with journal.subscribe(after=None) as stream:
        with pytest.raises(ValueError, match="no"):
            await journal.change(work)
        await journal.change(emit(1, "other"))  # type: ignore[arg-type]
        assert [event.task_id for event in await take(stream, 1)] == ["other"]
    assert len(await journal.read(lambda connection: events_after(connection, 0, task_id=None, limit=10))) == 1


@pytest.mark.anyio
async def test_one_task_only(journal: Journal) -> None:
    async with journal.subscribe(after=0, task_id="a") as stream:
        await journal.change(emit(1, "b"))  # type: ignore[arg-type]
        await journal.change(emit(1, "a"))  # type: ignore[arg-type]
        assert [event.id for event in await take(stream, 1)] == [2]


@pytest.mark.anyio
async def test_who_is_too_slow_is_ended_and_comes_back_without_loss(journal: Journal) -> None:
    async with journal.subscribe(after=None) as stream:
        await journal.change(emit(QUEUE + 50))  # type: ignore[arg-type]
        first = await take(stream, QUEUE * 2)
    async with journal.subscribe(after=first[-1].id if first else 0) as again:
        await journal.change(emit(1))  # type: ignore[arg-type]
        rest = await take(again, QUEUE + 51 - len(first))
    ids = [event.id for event in (*first, *rest)]
    assert ids == list(range(1, QUEUE + 52))


@pytest.mark.anyio
async def test_many_writers_at_once_are_heard_in_order(journal: Journal) -> None:
    heard: list[int] = []

    async with journal.subscribe(after=None) as stream, anyio.create_task_group() as group:

        async def write() -> None:
            for _ in range(5):
                await journal.change(emit(1))  # type: ignore[arg-type]

        for _ in range(10):
            group.start_soon(write)
        heard = [event.id for event in await take(stream, 50)]
    assert heard == list(range(1, 51))


@pytest.mark.anyio
async def test_a_cancelled_writer_has_written_and_published(journal: Journal) -> None:
    async with journal.subscribe(after=None) as stream:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await journal.change(emit(1))  # type: ignore[arg-type]
        assert [event.id for event in await take(stream, 1)] == [1]
