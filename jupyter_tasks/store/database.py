"""The database: open it, read it, change it.

Owns transactions, the threads they run in, and that every failure comes out as a ``StoreError``. What is read and
written is said by functions of a connection (``task_rows``, ``build_rows`` …); none of them commits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import anyio
import anyio.to_thread
from sqlalchemy import Connection, Engine

from jupyter_tasks.clock import Clock
from jupyter_tasks.store.engines import READERS, Place, connect, make_file, place_of
from jupyter_tasks.store.failures import as_store_errors, disk_as_store_errors
from jupyter_tasks.store.schema import SCHEMA, Schema, migrate, prepare

__all__ = ["Database"]

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger(__name__)

SLOW_SECONDS = 2.0


class Database:
    """An open store. Make one with ``await Database.open(...)``; one thread writes at a time, a few read."""

    def __init__(self, place: Place, writer: Engine, readers: Engine, clock: Clock) -> None:
        self.shown = place.shown
        """Where it is, without secrets."""
        self.file = place.file
        self._writer = writer
        self._readers = readers
        self._clock = clock
        self._write_limiter = anyio.CapacityLimiter(1)
        self._read_limiter = anyio.CapacityLimiter(READERS)

    @classmethod
    async def open(cls, where: str | Path, *, clock: Clock, schema: Schema = SCHEMA) -> Database:
        """Open a store, making it or migrating it where that is needed.

        Args:
            where: a path (SQLite) or a database URL.
            clock: tells how long transactions take.
            schema: what it should look like.

        Raises: InvalidInput for a wrong URL, StoreReadOnly, StoreTooNew, StoreError.
        """
        place = place_of(where)
        limiter = anyio.CapacityLimiter(1)
        writer, readers = await anyio.to_thread.run_sync(partial(_open, place, schema), limiter=limiter)
        return cls(place, writer, readers, clock)

    async def read(self, question: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Ask ``question(connection, …)`` in a worker thread; it sees one moment and can change nothing.

        Raises: StoreError, and what ``question`` raises.
        """
        return await self._run(self._readers, self._read_limiter, partial(_call, question, args, kwargs))

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``work(connection, …)`` in a worker thread as one transaction, which no other one can come between.

        When this returns, the change is on the disk. When ``work`` raises, nothing was changed. A caller that is
        cancelled waits for the end, so that it never has to guess.

        Raises: StoreReadOnly, StoreError, and what ``work`` raises.
        """
        return await self._run(self._writer, self._write_limiter, partial(_call, work, args, kwargs))

    async def close(self) -> None:
        """Let go of every connection; the last one folds the write-ahead log into the file."""
        with anyio.CancelScope(shield=True):
            async with self._write_limiter:
                await anyio.to_thread.run_sync(self._dispose)

    def _dispose(self) -> None:
        with as_store_errors(self.shown):
            self._readers.dispose()
            self._writer.dispose()

    async def _run(self, engine: Engine, limiter: anyio.CapacityLimiter, call: Callable[[Connection], T]) -> T:
        def transaction() -> T:
            started = self._clock.monotonic()
            with as_store_errors(self.shown), engine.begin() as connection:
                result = call(connection)
            spent = self._clock.monotonic() - started
            if spent >= SLOW_SECONDS:
                _log.warning("the store %s took %.1f s for one transaction", self.shown, spent)
            return result

        return await anyio.to_thread.run_sync(transaction, limiter=limiter)


def _call(work: Callable[..., T], args: tuple[object, ...], kwargs: dict[str, object], connection: Connection) -> T:
    return work(connection, *args, **kwargs)


def _open(place: Place, schema: Schema) -> tuple[Engine, Engine]:
    with as_store_errors(place.shown), disk_as_store_errors(place.shown):
        if place.file is not None:
            make_file(place.file)
        writer = connect(place, writes=True)
        try:
            with writer.begin() as connection:
                old = prepare(place, connection, schema)
            if old:
                writer.dispose()
                migrate(place, schema)
            return writer, connect(place, writes=False)
        except BaseException:
            writer.dispose()
            raise
