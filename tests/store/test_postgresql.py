"""The same store on PostgreSQL: a server of the test's own, where its programs (or a URL) are there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from uuid import uuid4

import anyio
import pytest
from sqlalchemy import Connection, create_engine, func, insert, select, text

from jupyter_tasks.clock import SystemClock
from jupyter_tasks.errors import Conflict, LimitReached, StoreError, StoreReadOnly, StoreTooNew
from jupyter_tasks.metering.entitlements import Entitlements
from jupyter_tasks.metering.ledger import record_build
from jupyter_tasks.store.apply_rows import (
    ApplyRow,
    applies_of,
    apply_state,
    begun_applies,
    drop_apply,
    insert_apply,
    set_apply_state,
)
from jupyter_tasks.store.database import Database
from jupyter_tasks.store.event_rows import append_event, newest_event_id
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
from jupyter_tasks.store.tables import events, usage_events
from jupyter_tasks.store.task_rows import TaskRow, find_task, insert_task
from jupyter_tasks.testing.home import free_port

pytestmark = [
    pytest.mark.usefixtures("anyio_backend"),
    pytest.mark.anyio,
    pytest.mark.postgres,
    pytest.mark.slow,
]
CLOCK = SystemClock()
NOON = datetime(2025, 7, 1, 12, tzinfo=timezone.utc)


def _program(name: str) -> str | None:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(found[-1]) if found else None)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """URL of a server: JUPYTER_TASKS_TEST_POSTGRES, or one that is started here."""
    pytest.importorskip("psycopg", reason="needs the driver: pip install 'psycopg[binary]'")
    given = os.environ.get("JUPYTER_TASKS_TEST_POSTGRES")
    if given:
        yield given
        return
    initdb, postgres = _program("initdb"), _program("postgres")
    if initdb is None or postgres is None:
        pytest.skip("needs PostgreSQL's initdb and postgres, or JUPYTER_TASKS_TEST_POSTGRES")
    top = Path(tempfile.mkdtemp(prefix="jt-pg-"))
    user = 65534 if os.geteuid() == 0 else None  # a server refuses to run as root
    if user is not None:
        os.chown(top, user, user)
    data = top / "data"
    initialize = [initdb, "-D", str(data), "-U", "ann", "-A", "trust", "--no-sync", "-E", "UTF8"]
    subprocess.run(initialize, check=True, capture_output=True, timeout=60, user=user, group=user, cwd=top)
    port = free_port()
    options = [
        postgres,
        "-D",
        str(data),
        "-p",
        str(port),
        "-k",
        "",
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "fsync=off",
    ]
    with (top / "log").open("wb") as log:
        process = subprocess.Popen(options, stdout=log, stderr=log, user=user, group=user, cwd=top)
        try:
            deadline = time.monotonic() + 60
            while b"ready to accept" not in (top / "log").read_bytes():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield f"postgresql://ann@127.0.0.1:{port}/postgres"
        finally:
            process.send_signal(signal.SIGINT)  # it does not wait for its clients
            process.wait(40)
            shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def url(server: str) -> str:
    """A database of the test's own."""
    name = f"t{uuid4().hex}"
    engine = create_engine(server.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return f"{server.rpartition('/')[0]}/{name}"


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    opened = await Database.open(url, clock=CLOCK)
    yield opened
    await opened.close()


def count(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(events)).scalar_one())


async def test_rows_and_rules(database: Database, make_task: Callable[..., TaskRow]) -> None:
    row = make_task()
    await database.write(insert_task, row)
    assert await database.read(find_task, row.owner_id, "TASK-1") == row
    with pytest.raises(Conflict, match="already exists"):
        await database.write(insert_task, make_task(2).__class__(**{**_values(make_task(2)), "name": "Task-1"}))
    first = await database.write(append_event, "task", None, {"a": 1}, NOON)
    second = await database.write(append_event, "task", None, {"a": 2}, NOON)
    assert second.id > first.id
    assert await database.read(newest_event_id) == second.id


def _values(row: TaskRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in TaskRow.__slots__}


async def test_a_store_is_there_again(url: str, make_task: Callable[..., TaskRow]) -> None:
    first = await Database.open(url, clock=CLOCK)
    await first.write(insert_task, make_task())
    await first.close()
    second = await Database.open(url, clock=CLOCK)
    assert await second.read(find_task, "id-of-ann", "task-1") is not None
    await second.write(lambda connection: connection.execute(text("UPDATE schema_version SET revision = 99")))
    await second.close()
    with pytest.raises(StoreTooNew):
        await Database.open(url, clock=CLOCK)


async def test_what_raises_changes_nothing_and_readers_change_nothing(database: Database) -> None:
    def work(connection: Connection) -> None:
        append_event(connection, "task", None, {}, NOON)
        raise LimitReached("no more")

    with pytest.raises(LimitReached):
        await database.write(work)
    assert await database.read(count) == 0
    with pytest.raises(StoreReadOnly):
        await database.read(lambda connection: append_event(connection, "task", None, {}, NOON))


async def test_two_engines_on_one_database_never_pass_a_limit(url: str) -> None:
    one, other = [await Database.open(url, clock=CLOCK) for _ in range(2)]
    limit = Entitlements(limit=5, enforcement="block")
    refused = []

    def create(connection: Connection, number: int) -> None:
        limit.check(connection, NOON)
        record_build(connection, build_id=f"b{number}", task_id="t", created_at=NOON)
        record_build(connection, build_id=f"b{number}", task_id="t", created_at=NOON)

    async def attempt(database: Database, number: int) -> None:
        try:
            await database.write(create, number)
        except LimitReached:
            refused.append(number)

    async with anyio.create_task_group() as group:
        for number in range(12):
            group.start_soon(attempt, one if number % 2 else other, number)
    assert len(refused) == 7
    assert (await one.read(limit.usage, NOON)).actual == 5
    assert await one.read(lambda c: c.execute(select(func.count()).select_from(usage_events)).scalar_one()) == 5
    await one.close()
    await other.close()


async def test_calls_of_llms_and_their_sums(database: Database, make_task: Callable[..., TaskRow]) -> None:
    one, two, three = (make_task(number) for number in (1, 2, 3))
    cost = 3_000_000_000  # beyond 32 bits

    def call(number: int, task: TaskRow, *, cost: int | None, model: str = "m", problem: str | None = None) -> LlmCall:
        figures = {"input": 2_000_000_000, "output": 20, "cache_read": 1, "cache_write": 2, "milliseconds": 5}
        return LlmCall(
            id=f"c{number}",
            task_id=task.id,
            build_id="b",
            time=NOON + timedelta(hours=number),
            provider="anthropic",
            model=model,
            status=200,
            cost=cost,
            problem=problem,
            **figures,
        )

    calls = [call(1, one, cost=cost), call(2, one, cost=cost)]
    hostile = call(3, two, cost=None, model="x\0" + "y" * 500, problem="p\0q")

    def work(connection: Connection) -> None:
        for task in (one, two, three):
            insert_task(connection, task)
        for each in (*calls, hostile):
            add_llm_call(connection, each)

    await database.write(work)
    expected = LlmTotals(calls=2, input=4_000_000_000, output=40, cache_read=2, cache_write=4, cost=2 * cost)
    assert await database.read(totals_of, one.id) == expected
    assert await database.read(totals_of, three.id) is None
    unknown = await database.read(totals_of, two.id)
    assert unknown is not None
    assert (unknown.calls, unknown.cost) == (1, None)
    assert await database.read(totals_of_all, [one.id, two.id, three.id]) == {one.id: expected, two.id: unknown}
    assert await database.read(totals_of_all, []) == {}
    between = await database.read(totals_between, NOON + timedelta(hours=2), NOON + timedelta(hours=3))
    assert (between.calls, between.cost) == (1, cost)
    assert await database.read(totals_between, NOON, NOON) == LlmTotals()
    assert list(await database.read(llm_calls_of, one.id)) == calls[::-1]
    [kept] = await database.read(llm_calls_of, two.id)
    assert (kept.model, kept.problem) == ("x" + "y" * 199, "pq")


async def test_a_refused_key_is_told_until_a_call_goes_well(
    database: Database, make_task: Callable[..., TaskRow]
) -> None:
    task = make_task(1)

    def work(connection: Connection) -> list[str | None]:
        insert_task(connection, task)
        told = [refusal_of(connection, "b")]
        for number, (status, problem) in enumerate([(401, "invalid x-api-key"), (200, None), (403, "no credit\0")]):
            call = LlmCall(
                id=f"c{number}",
                task_id=task.id,
                build_id="b",
                time=NOON + timedelta(seconds=number),
                provider="anthropic",
                model="m",
                status=status,
                input=1,
                output=1,
                cache_read=0,
                cache_write=0,
                cost=None,
                milliseconds=5,
                problem=problem,
            )
            add_llm_call(connection, call)
            told.append(refusal_of(connection, "b"))
        return [*told, refusal_of(connection, "another")]

    assert await database.write(work) == [None, "invalid x-api-key", None, "no credit", None]


async def test_applies(database: Database, make_task: Callable[..., TaskRow]) -> None:
    task = make_task()
    files = ApplyRow(
        id="a1",
        task_id=task.id,
        kind="files",
        state="begun",
        target="/home/ann/project",
        listing={"a.py": ("100644", "f" * 40), "half \udcff": None, "nul \0": None},
        files=2,
        created_at=NOON,
        updated_at=NOON,
    )
    branch = ApplyRow(
        id="a2",
        task_id=task.id,
        kind="branch",
        state="done",
        target="/home/ann/project",
        listing={},
        files=1,
        branch="mine",
        commit="c" * 40,
        created_at=NOON + timedelta(hours=1),
        updated_at=NOON + timedelta(hours=1),
    )

    def work(connection: Connection) -> None:
        insert_task(connection, task)
        insert_apply(connection, branch)
        insert_apply(connection, files)

    await database.write(work)
    assert list(await database.read(applies_of, task.id)) == [files, branch]
    assert list(await database.read(begun_applies)) == ["a1"]
    await database.write(set_apply_state, "a1", "undone", NOON + timedelta(hours=2))
    assert await database.read(apply_state, "a1") == "undone"
    assert await database.read(begun_applies) == []
    assert (await database.read(applies_of, task.id))[0].updated_at == NOON + timedelta(hours=2)
    await database.write(drop_apply, "a1")
    assert await database.read(apply_state, "a1") is None
    assert list(await database.read(applies_of, task.id)) == [branch]


async def test_an_error_of_the_server_is_ours(database: Database) -> None:
    with pytest.raises(StoreError, match="failed") as caught:
        await database.write(
            lambda connection: connection.execute(insert(events).values(type="x" * 99, time="t", data="d"))
        )
    assert "xxx" not in str(caught.value)


async def test_a_server_that_is_not_there() -> None:
    pytest.importorskip("psycopg")
    port = free_port()
    with pytest.raises(StoreError, match="cannot be reached") as caught:
        await Database.open(f"postgresql://ann:secret-word@127.0.0.1:{port}/x", clock=CLOCK)
    assert "secret-word" not in f"{caught.value} {caught.value!r}"
    assert caught.value.retryable
