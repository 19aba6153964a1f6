"""Logs that are asked for in the moments of a start."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest
from journals import journal_in
from stored_tasks import stored_task
from traitlets.config import Config

from jupyter_tasks.clock import SystemClock
from jupyter_tasks.config import TasksEngine
from jupyter_tasks.models import LogKind
from jupyter_tasks.server.engine_parts import make_house
from jupyter_tasks.store.journal import Journal
from jupyter_tasks.store.log_rows import set_snapshot
from jupyter_tasks.tasks import logs
from jupyter_tasks.tasks.bundle import bundle_of
from jupyter_tasks.tasks.live import LiveWorkspace
from jupyter_tasks.templates.plan import Agent, WorkspacePlan
from jupyter_tasks.templates.plan_json import plan_to_json

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)


async def test_a_workspace_that_is_not_attached_yet_shows_what_was_kept(places: Path) -> None:
    clock = SystemClock()
    async with journal_in(places, Journal, clock) as journal:
        house = make_house(journal, TasksEngine(provisioners={}), Config(), clock)
        planned = WorkspacePlan(
            kind="local", transition="start", agents=[Agent(id="a", name="main", os="linux", arch="amd64")]
        )
        await journal.change(stored_task(1, NOW, transition="start", status="running", plan=plan_to_json(planned)))
        await journal.change(lambda change: set_snapshot(change.connection, "t1", "agent", "as it was before", NOW))
        bundle = await journal.read(lambda connection: bundle_of(connection, "t1"))
        assert bundle is not None
        starting = LiveWorkspace(bundle, house)
        found = await logs.read(house, bundle, starting, LogKind.agent)
        assert [(entry.content, found.snapshot) for entry in found.logs] == [("as it was before", True)]
