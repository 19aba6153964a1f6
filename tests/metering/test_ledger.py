"""The ledger: exactly once, also when a crash, a race or a repetition comes between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, func, select

from jupyter_tasks.clock import SystemClock
from jupyter_tasks.metering.ledger import AGENT_WORKSPACE_BUILD, Period, actual, record_build
from jupyter_tasks.store.database import Database
from jupyter_tasks.store.tables import usage_daily, usage_events

pytestmark = [pytest.mark.usefixtures("anyio_backend")]

NOON = datetime(2025, 7, 1, 12, tzinfo=timezone.utc)
_engine = create_engine("sqlite://")
YEAR = Period(datetime(2025, 1, 1, tzinfo=timezone.utc), datetime(2026, 1, 1, tzinfo=timezone.utc))


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "tasks.db", clock=SystemClock())
    yield opened
    await opened.close()


def record(connection: Connection, build_id: str, at: datetime = NOON) -> bool:
    return record_build(connection, build_id=build_id, task_id="t", created_at=at)


@pytest.mark.anyio
async def test_a_build_counts_once_however_often_it_is_recorded(database: Database) -> None:
    assert await database.write(record, "b1") is True
    assert await database.write(record, "b1") is False
    assert await database.write(record, "b1", NOON + timedelta(days=1)) is False
    assert await database.read(actual, YEAR) == 1


@pytest.mark.anyio
async def test_the_event_is_coders(database: Database) -> None:
    await database.write(record, "b1", NOON.astimezone(timezone(timedelta(hours=9))))
    row = await database.read(lambda connection: connection.execute(select(usage_events)).one())
    assert tuple(row) == ("b1", "dc_managed_agents_v1", '{"count":1}', "t", "2025-07-01T12:00:00.000000Z")
    daily = await database.read(lambda connection: connection.execute(select(usage_daily)).one())
    assert tuple(daily) == ("2025-07-01", AGENT_WORKSPACE_BUILD, 1)


@pytest.mark.anyio
async def test_what_is_rolled_back_was_never_counted(database: Database) -> None:
    def crash(connection: Connection) -> None:
        record(connection, "b1")
        raise RuntimeError("the engine dies here")

    with pytest.raises(RuntimeError, match="dies here"):
        await database.write(crash)
    assert await database.read(actual, YEAR) == 0
    assert await database.write(record, "b1")
    assert await database.read(actual, YEAR) == 1


@pytest.mark.anyio
async def test_many_at_once(database: Database) -> None:
    async with anyio.create_task_group() as group:
        for number in range(30):
            group.start_soon(database.write, record, f"b{number % 10}")
    assert await database.read(actual, YEAR) == 10


@pytest.mark.anyio
async def test_days_are_utc_and_a_period_has_its_first_day_but_not_the_next_ones(database: Database) -> None:
    tokyo = timezone(timedelta(hours=9))
    await database.write(record, "last of 2024", datetime(2025, 1, 1, 8, 59, tzinfo=tokyo))
    await database.write(record, "first of 2025", datetime(2025, 1, 1, 9, 0, tzinfo=tokyo))
    await database.write(record, "last of 2025", datetime(2025, 12, 31, 23, 59, 59, 999999, tzinfo=timezone.utc))
    await database.write(record, "first of 2026", YEAR.end)
    assert await database.read(actual, YEAR) == 2
    assert await database.read(actual, Period(YEAR.end, YEAR.end + timedelta(days=1))) == 1


builds = st.lists(
    st.tuples(st.integers(0, 15), st.integers(-190, 190).map(lambda days: NOON + timedelta(days=days))),
    max_size=40,
)


@pytest.fixture(scope="module", autouse=True)
def _tables() -> Iterator[None]:
    usage_events.metadata.create_all(_engine, tables=[usage_events, usage_daily])
    yield
    _engine.dispose()


@given(builds)
def test_the_daily_sums_are_the_sum_of_the_events(recorded: list[tuple[int, datetime]]) -> None:
    with _engine.connect() as connection:  # rolled back at the end
        kept: dict[int, datetime] = {}
        for number, at in recorded:
            assert record(connection, str(number), at) == (number not in kept)
            kept.setdefault(number, at)
        events = connection.execute(select(func.count()).select_from(usage_events)).scalar_one()
        assert connection.execute(select(func.coalesce(func.sum(usage_daily.c.amount), 0))).scalar_one() == events
        assert actual(connection, YEAR) == sum(YEAR.start <= at < YEAR.end for at in kept.values())
