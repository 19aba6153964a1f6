"""What a build says: in order, together, nothing lost, and an error of the store told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from journals import journal_in
from stored_tasks import stored_task

from jupyter_tasks.clock import SystemClock
from jupyter_tasks.errors import StoreReadOnly, WorkspaceFailed
from jupyter_tasks.store.build_rows import latest_build
from jupyter_tasks.store.journal import Change, Journal
from jupyter_tasks.store.log_rows import add_build_log, build_logs_of
from jupyter_tasks.tasks.build_log import BuildLog

pytestmark = pytest.mark.anyio


@dataclass
class Writing:
    """What of a house a build log uses, on a real store; ``full`` stands for a full disk."""

    journal: Journal
    full: bool = False
    changes: list[int] = field(default_factory=list)

    async def change(self, task_id: str, work: Any) -> None:
        if self.full:
            raise StoreReadOnly("The disk is full.")
        self.changes.append(await self.journal.change(lambda change: len([work(change)])))

    def log_in(self, change: Change, task_id: str, build_id: str, stage: str, text: str) -> None:
        add_build_log(change.connection, task_id, build_id, stage, "info", text, change.now)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Writing]:
    async with journal_in(tmp_path, Journal) as journal:
        await journal.change(stored_task(1, SystemClock().now(), transition="start", status="running"))
        yield Writing(journal)


def _log(house: Writing) -> BuildLog:
    return BuildLog("t1", "b1", cast("Any", house))


async def _lines(house: Writing) -> list[str]:
    return [row.text for row in await house.journal.read(lambda connection: build_logs_of(connection, "t1"))]


async def test_lines_are_written_together_in_order(house: Writing) -> None:
    log = _log(house)
    async with log.writing():
        for number in range(50):
            await log("workspace" if number < 49 else "files", str(number))
    assert await _lines(house) == [str(number) for number in range(50)]
    assert len(house.changes) < 10
    build = await house.journal.read(lambda connection: latest_build(connection, "t1"))
    assert build is not None
    assert build.stage == "files"


async def test_they_are_written_while_the_build_works(house: Writing) -> None:
    log = _log(house)
    async with log.writing():
        await log("plan", "first")
        with anyio.fail_after(40):
            while not house.changes:  # noqa: ASYNC110 - the store has no event for it
                await anyio.sleep(0.001)
        assert await _lines(house) == ["first"]


async def test_what_is_raised_comes_out_as_it_is_behind_the_lines(house: Writing) -> None:
    log = _log(house)
    with pytest.raises(WorkspaceFailed, match="no luck"):  # noqa: PT012
        async with log.writing():
            await log("plan", "before")
            raise WorkspaceFailed("no luck")
    assert await _lines(house) == ["before"]


async def test_a_build_that_is_cancelled_keeps_its_lines(house: Writing) -> None:
    log = _log(house)
    with anyio.move_on_after(0.05) as scope:
        async with log.writing():
            await log("plan", "before")
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert await _lines(house) == ["before"]


async def test_a_full_disk_is_told_by_the_next_line(house: Writing) -> None:
    log = _log(house)
    house.full = True
    with pytest.raises(StoreReadOnly):  # noqa: PT012
        async with log.writing():
            await log("plan", "lost")
            with anyio.fail_after(40):
                while True:
                    await log("plan", "and this")
                    await anyio.sleep(0.001)
