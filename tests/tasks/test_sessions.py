"""What becomes of a task's session when something goes wrong under it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import anyio
import pytest
from journals import journal_in
from sqlalchemy import Connection
from traitlets.config import Config

from jupyter_tasks.config import TasksEngine
from jupyter_tasks.errors import StoreReadOnly
from jupyter_tasks.server.engine_parts import make_house
from jupyter_tasks.store.journal import Journal
from jupyter_tasks.tasks.session import Sessions
from jupyter_tasks.testing.clock import FakeClock

pytestmark = pytest.mark.anyio
T = TypeVar("T")


class Sick(Journal):
    """A journal that cannot be read for a while."""

    well = False
    asked = 0

    async def read(self, work: Callable[[Connection], T]) -> T:
        self.asked += 1
        if not self.well:
            raise StoreReadOnly("The disk is full.")
        return await super().read(work)


@pytest.fixture
async def journal(places: Path) -> AsyncIterator[Sick]:
    async with journal_in(places, Sick) as journal:
        yield journal


async def test_a_session_that_failed_is_tried_again(journal: Sick) -> None:
    clock = FakeClock()
    house = make_house(journal, TasksEngine(provisioners={}), Config(), clock)
    async with anyio.create_task_group() as group:
        sessions = Sessions(group, house, lambda bundle: False)
        sessions.wake("t1")
        await clock.advance(0.5)
        assert (journal.asked, len(sessions)) == (1, 1)
        await clock.advance(3.0)  # one and two seconds later
        assert journal.asked == 3
        sessions.wake("t1")  # somebody asks for something: at once
        await clock.advance(0.0)
        assert journal.asked == 4
        journal.well = True
        await clock.advance(600)
        with anyio.fail_after(20):
            while len(sessions):  # noqa: ASYNC110 -- the store reads in a thread
                await anyio.sleep(0.01)
    assert journal.asked == 5
