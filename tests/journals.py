"""A journal of a test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from jupyter_tasks.clock import Clock, SystemClock
from jupyter_tasks.store.database import Database
from jupyter_tasks.store.journal import Journal

J = TypeVar("J", bound=Journal)


@asynccontextmanager
async def journal_in(directory: Path, kind: type[J], clock: Clock | None = None) -> AsyncIterator[J]:
    """A fresh store there, opened, and closed at the end."""
    clock = clock or SystemClock()
    database = await Database.open(directory / "tasks.db", clock=clock)
    journal = kind(database, clock)
    await journal.open()
    yield journal
    await database.close()
