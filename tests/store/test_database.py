"""The database: transactions, permissions, journals, and every failure in a sentence."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest
from sqlalchemy import Connection, func, insert, select, text

from jupyter_tasks.clock import SystemClock
from jupyter_tasks.errors import InvalidInput, LimitReached, StoreError, StoreReadOnly
from jupyter_tasks.store import engines, filesystems
from jupyter_tasks.store.database import Database
from jupyter_tasks.store.tables import events, tasks
from jupyter_tasks.store.task_rows import TaskRow, insert_task, task_by_id, tasks_by_id

pytestmark = [pytest.mark.usefixtures("anyio_backend"), pytest.mark.anyio]
CLOCK = SystemClock()


def count(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(events)).scalar_one())


def add(connection: Connection, number: int = 1, text: str = "x") -> None:
    for _ in range(number):
        connection.execute(insert(events).values(type="task", time="now", data=text))


async def test_what_is_written_is_read(database: Database, make_task: Callable[..., TaskRow]) -> None:
    row = make_task()
    await database.write(insert_task, row)
    assert await database.read(task_by_id, row.id) == row


async def test_tasks_are_read_in_the_order_in_which_they_are_named(
    database: Database, make_task: Callable[..., TaskRow]
) -> None:
    first, second, third = (make_task(number) for number in (1, 2, 3))
    for row in (first, second, third):
        await database.write(insert_task, row)
    assert await database.read(tasks_by_id, [third.id, "nobody's", first.id]) == [third, first]
    assert await database.read(tasks_by_id, []) == []


async def test_a_store_is_there_again_after_it_was_closed(file: Path) -> None:
    first = await Database.open(file, clock=CLOCK)
    await first.write(add, 3)
    await first.close()
    assert not file.with_name("tasks.db-wal").exists()
    second = await Database.open(f"sqlite:///{file}", clock=CLOCK)
    assert await second.read(count) == 3
    await second.close()


async def test_work_that_raises_changes_nothing(database: Database) -> None:
    def work(connection: Connection) -> None:
        add(connection)
        raise LimitReached("no more")

    with pytest.raises(LimitReached, match="no more"):
        await database.write(work)
    assert await database.read(count) == 0


@pytest.mark.parametrize("error", [PermissionError("not yours"), ValueError("odd")])
async def test_what_the_work_raises_is_passed_on_as_it_is(database: Database, error: Exception) -> None:
    def work(connection: Connection) -> None:
        add(connection)
        raise error

    with pytest.raises(type(error)) as caught:
        await database.write(work)
    assert caught.value is error
    assert await database.read(count) == 0


async def test_only_we_may_read_it(database: Database, file: Path) -> None:
    await database.write(add)
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    for each in file.parent.iterdir():
        assert stat.S_IMODE(each.stat().st_mode) == 0o600, each


async def test_a_file_that_others_could_read_is_closed_to_them(file: Path) -> None:
    file.parent.mkdir()
    file.touch(0o644)
    database = await Database.open(file, clock=CLOCK)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    await database.close()


async def test_settings_of_a_local_disk(database: Database) -> None:
    def settings(connection: Connection) -> tuple[object, ...]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return tuple(connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names)

    assert await database.write(settings) == ("wal", 2, 1, 5000)


async def test_a_network_file_system_has_a_rollback_journal(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = file.parent.parent / "mountinfo"
    mounts.write_text(f"36 35 98:0 / {file.parent.parent} rw,noatime - nfs4 server:/home rw\n")
    monkeypatch.setattr(filesystems, "MOUNTS", mounts)
    monkeypatch.setattr(engines, "file_system_of", lambda path: filesystems.file_system_of(path, mounts))
    database = await Database.open(file, clock=CLOCK)
    mode = await database.write(lambda connection: connection.exec_driver_sql("PRAGMA journal_mode").scalar())
    assert mode == "delete"
    await database.write(add)
    assert await database.read(count) == 1
    await database.close()


async def test_a_reader_sees_one_moment_and_changes_nothing(database: Database) -> None:
    await database.write(add)
    seen, written = threading.Event(), threading.Event()

    def look_twice(connection: Connection) -> tuple[int, int]:
        first = count(connection)
        seen.set()
        assert written.wait(40)
        return first, count(connection)

    async def write() -> None:
        await anyio.to_thread.run_sync(seen.wait, 40)
        await database.write(add)
        written.set()

    async with anyio.create_task_group() as group:
        group.start_soon(write)
        assert await database.read(look_twice) == (1, 1)
    assert await database.read(count) == 2
    with pytest.raises(StoreError):
        await database.read(add)


async def test_transactions_come_one_after_another(database: Database) -> None:
    def read_then_add(connection: Connection) -> None:
        before = count(connection)
        time.sleep(0.005)
        connection.execute(insert(events).values(type="task", time="now", data=str(before)))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(database.write, read_then_add)
    rows = await database.read(lambda connection: list(connection.execute(select(events.c.data)).scalars()))
    assert rows == [str(number) for number in range(20)]


async def test_a_cancelled_writer_waits_for_the_end(database: Database) -> None:
    begun = threading.Event()

    def slowly(connection: Connection) -> None:
        begun.set()
        add(connection)
        time.sleep(0.05)

    async with anyio.create_task_group() as group:
        group.start_soon(database.write, slowly)
        await anyio.to_thread.run_sync(begun.wait, 40)
        group.cancel_scope.cancel()
    assert await database.read(count) == 1


def _write_for_ever(file: str, told: object) -> None:
    async def main() -> None:
        database = await Database.open(file, clock=SystemClock())
        number = 0
        while True:
            await database.write(add, 1, str(number))
            os.write(told.fileno(), b".")  # type: ignore[attr-defined]
            number += 1

    anyio.run(main)


async def test_what_was_acknowledged_survives_kill_9(file: Path) -> None:
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_write_for_ever, args=(str(file), writer))
    process.start()
    try:
        writer.close()
        told = 0
        while told < 20:
            told += len(await anyio.to_thread.run_sync(os.read, reader.fileno(), 20))
    finally:
        process.kill()
        process.join()
    while left := os.read(reader.fileno(), 65536):
        told += len(left)
    reader.close()
    database = await Database.open(file, clock=CLOCK)
    rows = await database.read(lambda connection: list(connection.execute(select(events.c.data)).scalars()))
    assert rows == [str(number) for number in range(len(rows))]
    assert told <= len(rows) <= told + 1
    await database.close()


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's right to write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


async def test_a_full_disk_is_one_sentence_and_heals(database: Database, file: Path) -> None:
    await database.write(add)
    await database.write(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 60").scalar())
    with pytest.raises(StoreReadOnly) as caught:
        await database.write(add, 50, "x" * 100_000)
    assert caught.value.message == f"The store {file} could not be written: the disk is full."
    assert "nothing that was acknowledged is lost" in caught.value.hint
    assert "xxx" not in str(caught.value)
    assert await database.read(count) == 1
    await database.write(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 100000").scalar())
    await database.write(add)
    assert await database.read(count) == 2


async def test_another_program_holds_the_lock(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0)
    database = await Database.open(file, clock=CLOCK)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreReadOnly, match="another program holds its lock") as caught:
        await database.write(add)
    assert caught.value.retryable
    other.execute("ROLLBACK")
    other.close()
    await database.write(add)
    assert await database.read(count) == 1
    await database.close()


async def test_a_read_only_store(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o755)
    for parent in tmp_path.parents[:2]:
        os.chmod(parent, parent.stat().st_mode | 0o055)
    file = tmp_path / "tasks.db"
    await (await Database.open(file, clock=CLOCK)).close()
    os.chmod(file, 0o444)
    os.chmod(tmp_path, 0o555)
    try:
        with as_nobody(), pytest.raises(StoreReadOnly) as caught:
            await Database.open(file, clock=CLOCK)
    finally:
        os.chmod(tmp_path, 0o755)
    assert str(file) in caught.value.message
    assert "writable" in caught.value.hint


async def test_a_disk_that_became_read_only(database: Database) -> None:
    await database.write(add)
    await database.write(lambda connection: connection.exec_driver_sql("PRAGMA query_only = ON"))
    with pytest.raises(StoreReadOnly, match="read-only"):
        await database.write(add)


@pytest.mark.parametrize("content", [b"this is no database, it is a text " * 100, b"\0" * 4096])
async def test_a_file_of_something_else(file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(StoreError, match="is not a database"):
        await Database.open(file, clock=CLOCK)
    assert file.read_bytes() == content


async def test_a_database_of_something_else(file: Path) -> None:
    file.parent.mkdir()
    other = sqlite3.connect(file)
    other.execute("CREATE TABLE notes (x)")
    other.close()
    with pytest.raises(StoreError, match="is a database of something else"):
        await Database.open(file, clock=CLOCK)


async def test_a_damaged_store(file: Path) -> None:
    database = await Database.open(file, clock=CLOCK)
    await database.write(add, 200, "y" * 500)
    await database.close()
    whole = bytearray(file.read_bytes())
    for start in range(8192, len(whole), 4096):
        whole[start : start + 512] = b"\xff" * 512
    file.write_bytes(bytes(whole))

    async def read_all() -> None:
        opened = await Database.open(file, clock=CLOCK)
        try:
            await opened.read(lambda connection: connection.execute(select(events)).all())
        finally:
            await opened.close()

    with pytest.raises(StoreError, match="is damaged"):
        await read_all()


@pytest.mark.parametrize("kind", ["link", "directory", "pipe"])
async def test_something_else_stands_in_its_place(file: Path, kind: str) -> None:
    file.parent.mkdir()
    if kind == "link":
        file.symlink_to(file.parent / "elsewhere.db")
    elif kind == "directory":
        file.mkdir()
    else:
        os.mkfifo(file)
    with pytest.raises(StoreReadOnly, match=str(file)):
        await Database.open(file, clock=CLOCK)
    assert not (file.parent / "elsewhere.db").exists()


async def test_a_file_where_its_directory_should_be(file: Path) -> None:
    file.parent.write_text("")
    with pytest.raises(StoreReadOnly, match=str(file)):
        await Database.open(file, clock=CLOCK)


@pytest.mark.parametrize(
    "url", ["mysql://me:secret@host/db", "sqlite://", "sqlite:///:memory:", "postgresql:// nonsense:x"]
)
async def test_a_wrong_url(url: str) -> None:
    with pytest.raises(InvalidInput, match="store_url") as caught:
        await Database.open(url, clock=CLOCK)
    assert "secret" not in str(caught.value)


async def test_a_contradiction_is_no_raw_error(database: Database) -> None:
    def contradict(connection: Connection) -> None:
        connection.execute(
            text("INSERT INTO messages (task_id, id, role, time, parts) VALUES ('no', 1, 'a', 'b', 'c')")
        )

    with pytest.raises(StoreError, match="contradicts what it holds") as caught:
        await database.write(contradict)
    assert not isinstance(caught.value, StoreReadOnly)


async def test_a_mistake_of_ours_is_not_blamed_on_the_disk(database: Database) -> None:
    with pytest.raises(StoreError, match="makes no sense") as caught:
        await database.write(lambda connection: connection.execute(insert(events).values(no_such_column=1)))
    assert not caught.value.retryable


async def test_values_are_in_no_error(database: Database) -> None:
    with pytest.raises(StoreError) as caught:
        await database.write(lambda connection: connection.execute(insert(tasks).values(id="canary-value")))
    shown = f"{caught.value!r} {caught.value} {caught.value.__cause__!r} {caught.value.__cause__}"
    assert "canary-value" not in shown
