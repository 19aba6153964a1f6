"""Fixtures of the store: a database in a directory of the test's own, and rows to put into it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

from jupyter_tasks.clock import SystemClock
from jupyter_tasks.store.database import Database
from jupyter_tasks.store.task_rows import Asker, TaskRow

NOW = datetime(2025, 7, 1, 12, tzinfo=timezone.utc)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the store will be; its directory does not exist yet."""
    return tmp_path / "state" / "tasks.db"


@pytest.fixture
async def database(file: Path) -> AsyncIterator[Database]:
    """An open, empty store."""
    opened = await Database.open(file, clock=SystemClock())
    yield opened
    await opened.close()


MakeTask = Callable[..., TaskRow]


@pytest.fixture
def make_task() -> MakeTask:
    """Makes a task: ``make_task(number, prompt=…, owner=…)``."""
    return _task_row


def _task_row(number: int = 1, *, prompt: str = "hello", owner: str = "ann") -> TaskRow:
    """A task."""
    return TaskRow(
        id=f"00000000-0000-0000-0000-{number:012}",
        owner_id=f"id-of-{owner}",
        owner_name=owner,
        name=f"task-{number}",
        display_name=f"Task {number}",
        template_id="t",
        template_version_id="v",
        template_name="quickstart",
        template_display_name="Quickstart",
        template_icon="",
        workspace_id=f"w-{number}",
        prompt=prompt,
        parameters={},
        preset=None,
        asker=Asker(),
        idempotency_key=None,
        created_at=NOW,
        updated_at=NOW,
    )
