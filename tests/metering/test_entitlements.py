"""Pools: periods, limits, warnings, Coder's shape."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, insert
from traitlets import TraitError
from traitlets.config import Config

from jupyter_tasks.clock import SystemClock
from jupyter_tasks.errors import LimitReached
from jupyter_tasks.metering.entitlements import Entitlements
from jupyter_tasks.metering.ledger import record_build
from jupyter_tasks.metering.periods import period_of
from jupyter_tasks.store.database import Database
from jupyter_tasks.store.tables import tasks

pytestmark = [pytest.mark.usefixtures("anyio_backend")]

NOON = datetime(2025, 7, 1, 12, tzinfo=timezone.utc)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "tasks.db", clock=SystemClock())
    yield opened
    await opened.close()


def entitlements(**settings: Any) -> Entitlements:
    return Entitlements(config=Config({"Entitlements": settings}))


def record(connection: Connection, number: int) -> None:
    for build in range(number):
        record_build(connection, build_id=f"b{build}", task_id="t", created_at=NOON)


@pytest.mark.anyio
async def test_nobody_set_anything(database: Database) -> None:
    await database.write(record, 12)
    figures = await database.read(Entitlements().usage, NOON)
    assert (figures.actual, figures.included, figures.limit, figures.enforcement) == (12, 1000, None, "advisory")
    assert (await database.read(entitlements(included=10).usage, NOON)).warnings == ()
    assert figures.period.start == datetime(2025, 1, 1, tzinfo=timezone.utc)
    assert figures.period.end == datetime(2026, 1, 1, tzinfo=timezone.utc)
    await database.read(Entitlements().check, NOON)


@pytest.mark.parametrize(
    ("used", "says"),
    [
        (79, None),
        (80, "80 of 100 Agent Workspace Builds of this period are used (80 %); a new period begins on 2026-01-01."),
        (99, "99 of 100 Agent Workspace Builds of this period are used (99 %); a new period begins on 2026-01-01."),
        (100, "All 100 Agent Workspace Builds of this period are used (100). Nothing is refused;"),
        (130, "All 100 Agent Workspace Builds of this period are used (130). Nothing is refused;"),
    ],
)
@pytest.mark.anyio
async def test_warnings_where_a_limit_is_set(database: Database, used: int, says: str | None) -> None:
    await database.write(record, used)
    figures = await database.read(entitlements(limit=100).usage, NOON)
    if says is None:
        assert figures.warnings == ()
    else:
        assert len(figures.warnings) == 1
        assert figures.warnings[0].startswith(says)
    await database.read(entitlements(limit=100).check, NOON)


@pytest.mark.anyio
async def test_a_limit_that_blocks(database: Database) -> None:
    blocking = entitlements(limit=3, enforcement="block")
    await database.write(record, 2)
    await database.read(blocking.check, NOON)
    await database.write(record, 3)
    with pytest.raises(LimitReached, match="limit of 3 Agent Workspace Builds is used up until 2026-01-01") as caught:
        await database.read(blocking.check, NOON)
    assert "c.Entitlements.limit" in caught.value.hint
    await database.read(blocking.check, NOON + timedelta(days=365))
    figures = await database.read(blocking.usage, NOON)
    assert "Further starts are refused" in figures.warnings[0]


@pytest.mark.anyio
async def test_a_limit_of_nothing(database: Database) -> None:
    with pytest.raises(LimitReached):
        await database.read(entitlements(limit=0, enforcement="block").check, NOON)


@pytest.mark.anyio
async def test_the_last_build_is_given_once(database: Database) -> None:
    blocking = entitlements(limit=5, enforcement="block")
    refused = []

    def create(connection: Connection, number: int) -> None:
        blocking.check(connection, NOON)
        record_build(connection, build_id=str(number), task_id="t", created_at=NOON)

    async def one(number: int) -> None:
        try:
            await database.write(create, number)
        except LimitReached:
            refused.append(number)

    async with anyio.create_task_group() as group:
        for number in range(12):
            group.start_soon(one, number)
    assert len(refused) == 7
    assert (await database.read(blocking.usage, NOON)).actual == 5


@pytest.mark.anyio
async def test_the_pool_grows_with_the_users(database: Database) -> None:
    def add(connection: Connection, owner: str, number: int) -> None:
        required = [c.name for c in tasks.columns if not c.nullable]
        row = dict.fromkeys(required, "x") | {"id": f"{owner}{number}", "workspace_id": f"{owner}{number}"}
        connection.execute(insert(tasks).values(**row | {"owner_id": owner, "name": str(number)}))

    growing = entitlements(included=100, included_per_user=50)
    assert (await database.read(growing.usage, NOON)).included == 150
    for owner, number in (("ann", 1), ("ann", 2), ("bob", 1), ("eve", 1)):
        await database.write(add, owner, number)
    assert (await database.read(growing.usage, NOON)).included == 250
    fixed = entitlements(included=0, included_per_user=800, users=40)
    assert (await database.read(fixed.usage, NOON)).included == 32_000


@pytest.mark.anyio
async def test_coders_feature(database: Database) -> None:
    await database.write(record, 7)
    feature = (await database.read(Entitlements().usage, NOON)).feature()
    assert feature.model_dump(mode="json") == {
        "entitlement": "entitled",
        "enabled": True,
        "limit": 1000,
        "actual": 7,
        "usage_period": {
            "issued_at": "2025-01-01T00:00:00Z",
            "start": "2025-01-01T00:00:00Z",
            "end": "2026-01-01T00:00:00Z",
        },
    }
    assert (await database.read(entitlements(limit=50).usage, NOON)).feature().limit == 50


@pytest.mark.parametrize(
    ("moment", "anchor", "months", "start", "end"),
    [
        ("2025-07-01T00:00:00Z", "2025-07-01", 12, "2025-07-01", "2026-07-01"),
        ("2025-06-30T23:59:59Z", "2025-07-01", 12, "2024-07-01", "2025-07-01"),
        ("2024-02-29T12:00:00Z", "2025-07-01", 1, "2024-02-01", "2024-03-01"),
        ("2025-02-28T12:00:00Z", "2025-01-31", 1, "2025-02-28", "2025-03-31"),
        ("2025-02-27T12:00:00Z", "2025-01-31", 1, "2025-01-31", "2025-02-28"),
        ("2025-12-31T23:30:00-01:00", "2025-01-01", 12, "2026-01-01", "2027-01-01"),
        ("2077-01-01T00:00:00Z", "2025-07-01", 1200, "2025-07-01", "2125-07-01"),
    ],
)
def test_periods(moment: str, anchor: str, months: int, start: str, end: str) -> None:
    found = period_of(datetime.fromisoformat(moment.replace("Z", "+00:00")), date.fromisoformat(anchor), months)
    assert (found.start.date().isoformat(), found.end.date().isoformat()) == (start, end)


@given(
    st.integers(-40_000 * 1440, 40_000 * 1440).map(lambda minutes: NOON + timedelta(minutes=minutes)),
    st.dates(date(1990, 1, 1), date(2060, 12, 31)),
    st.integers(1, 1200),
)
def test_periods_follow_each_other_without_a_gap(moment: datetime, anchor: date, months: int) -> None:
    found = period_of(moment, anchor, months)
    assert found.start <= moment < found.end
    following = period_of(found.end, anchor, months)
    assert following.start == found.end
    assert period_of(found.end - timedelta(microseconds=1), anchor, months) == found


@pytest.mark.parametrize("settings", [{"period_start": "yesterday"}, {"limit": -1}, {"enforcement": "shout"}])
def test_wrong_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(TraitError):
        entitlements(**settings)
