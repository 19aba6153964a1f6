"""Connections to the database: how they are opened, and what a transaction is.

Owns everything that differs between SQLite and PostgreSQL. A *writing* transaction excludes every other one from its
first statement on, so that what it has read stays true until it ends; a *reading* one sees one moment and can change
nothing.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from jupyter_tasks.errors import InvalidInput, StoreReadOnly
from jupyter_tasks.store.filesystems import file_system_of, is_network

__all__ = ["READERS", "Place", "connect", "make_file", "place_of"]

READERS = 4
BUSY_SECONDS = 5
STATEMENT_SECONDS = 30
KEPT_WAL = 16 << 20
_LOCK = 0x6A75_7074_6173_6B73  # any number of our own: the one writer of a PostgreSQL store holds it


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store is. ``file`` is None for a server; ``shown`` is safe to print."""

    url: URL
    file: Path | None
    shown: str


def place_of(where: str | Path) -> Place:
    """A path, or a database URL (sqlite:///…, postgresql://…). Raises: InvalidInput."""
    if isinstance(where, str) and "://" in where:
        try:
            url = make_url(where)
        except (ArgumentError, ValueError):
            raise _bad_url() from None  # its text may hold a password
        backend = url.get_backend_name()
        if backend == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
            return Place(url, None, url.render_as_string(hide_password=True))
        if backend != "sqlite" or url.database in (None, "", ":memory:"):
            raise _bad_url()
        where = str(url.database)
    file = Path(where).absolute()
    return Place(URL.create("sqlite", database=str(file)), file, str(file))


def _bad_url() -> InvalidInput:
    return InvalidInput(
        "c.TasksEngine.store_url is not the URL of a database that Jupyter Tasks can use.",
        hint="Use sqlite:////absolute/path.db or postgresql://user@host/name, or leave it empty.",
    )


def make_file(file: Path) -> None:
    """Make the database's file, ours alone (0600), in a directory that is ours alone (0700) if it has to be made.

    Raises: StoreReadOnly when something else stands in its place; OSError.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        if not file.is_symlink():
            raise
        raise _not_a_file(file) from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise _not_a_file(file)
        if stat.S_IMODE(found.st_mode) & 0o077 and found.st_uid == os.geteuid():
            os.fchmod(descriptor, 0o600)  # it holds prompts and conversations
    finally:
        os.close(descriptor)


def _not_a_file(file: Path) -> StoreReadOnly:
    return StoreReadOnly(
        f"The store {file} is not an ordinary file.",
        hint="Move it away, or name another place in JUPYTER_TASKS_STATE_DIR.",
    )


def connect(place: Place, *, writes: bool, foreign_keys: bool = True) -> Engine:
    """A pool of connections: one for writing, or at most ``READERS`` for reading. Raises: InvalidInput."""
    size = 1 if writes else READERS
    pool: dict[str, Any] = {"pool_size": size, "max_overflow": 0, "pool_timeout": STATEMENT_SECONDS}
    if place.file is not None:
        return _sqlite(place, place.file, writes, foreign_keys, pool)
    try:
        return _postgresql(place, writes, pool)
    except (ImportError, NoSuchModuleError) as error:
        raise InvalidInput(
            "c.TasksEngine.store_url names a PostgreSQL server, and its driver is not installed.",
            hint="Install it: pip install 'psycopg[binary]'.",
        ) from error


def _sqlite(place: Place, file: Path, writes: bool, foreign_keys: bool, pool: dict[str, Any]) -> Engine:
    # The driver's own idea of when a transaction begins is switched off: ours begin with the statement below.
    arguments = {"isolation_level": None, "check_same_thread": False, "timeout": BUSY_SECONDS}
    engine = create_engine(place.url, hide_parameters=True, connect_args=arguments, **pool)
    journal = "DELETE" if is_network(file_system_of(file)) else "WAL"
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"

    def prepare(raw: Any, _record: object) -> None:
        cursor = raw.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        if writes:
            _set_journal(cursor, journal)
            cursor.execute("PRAGMA synchronous = FULL")  # what was acknowledged survives a power cut
            cursor.execute(f"PRAGMA journal_size_limit = {KEPT_WAL}")
        else:
            cursor.execute("PRAGMA query_only = ON")
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        cursor.close()

    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", start)
    return engine


def _set_journal(cursor: Any, journal: str) -> None:
    """Choose the kind of journal, which needs the file for a moment alone. SQLite does not wait for that by itself:
    the busy timeout is not heeded where two connections to a fresh file ask at once."""
    left = BUSY_SECONDS * 100  # tries, not seconds: while a machine stands still, so does who has the file
    while True:
        try:
            cursor.execute(f"PRAGMA journal_mode = {journal}")
            return
        except sqlite3.OperationalError as problem:
            if "is locked" not in str(problem) or left <= 0:
                raise
            left -= 1
            time.sleep(0.01)


def _postgresql(place: Place, writes: bool, pool: dict[str, Any]) -> Engine:
    options = f"-c statement_timeout={STATEMENT_SECONDS}s -c lock_timeout={STATEMENT_SECONDS}s"
    if not writes:
        options += " -c default_transaction_read_only=on"
    engine = create_engine(
        place.url,
        hide_parameters=True,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED" if writes else "REPEATABLE READ",
        connect_args={"connect_timeout": 10, "options": options},
        **pool,
    )

    def start(connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")

    if writes:
        event.listen(engine, "begin", start)
    return engine
