"""Bringing a database to the schema of this version.

Owns the revision: a fresh database is made from ``store.tables`` and stamped, an older one is copied first and then
migrated in one transaction, a newer one is refused. Alembic is imported only where there is something to migrate.
"""

from __future__ import annotations

import logging
import os
import pkgutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from sqlalchemy import Connection, MetaData, delete, insert, inspect, select

from jupyter_tasks._version import __version__
from jupyter_tasks.errors import StoreError, StoreTooNew
from jupyter_tasks.store.engines import Place, connect
from jupyter_tasks.store.tables import metadata, schema_version

__all__ = ["REVISION", "SCHEMA", "Schema", "backup_path", "prepare"]

_log = logging.getLogger(__name__)

REVISION = 2


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database should look like, and the package whose modules lead there from older ones."""

    revision: int
    metadata: MetaData
    migrations: str


SCHEMA = Schema(REVISION, metadata, "jupyter_tasks.store.migrations")


def prepare(place: Place, connection: Connection, schema: Schema) -> bool:
    """Within a writing transaction: make a fresh database, or look at the one that is there.

    Returns whether it has to be migrated (after this transaction). Raises: StoreTooNew, StoreError.
    """
    found = _stamped(connection, place)
    if found is None:
        schema.metadata.create_all(connection, checkfirst=False)
        _stamp(connection, schema.revision)
        return False
    revision, app_version = found
    if revision > schema.revision:
        raise StoreTooNew(
            f"The store {place.shown} was written by Jupyter Tasks {app_version}, which is newer than this one"
            f" ({__version__}).",
            hint="Upgrade: pip install --upgrade jupyter-tasks. Or start with a store of its own: set"
            " JUPYTER_TASKS_STATE_DIR.",
            detail=f"(Its schema has revision {revision}, this version knows {schema.revision}.)",
        )
    return revision < schema.revision


def migrate(place: Place, schema: Schema) -> None:
    """Lead an older database to this schema: a copy first (SQLite), then every step in one transaction.

    Raises: StoreError, and what the database raises; the database is then as it was.
    """
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    # Tables are rebuilt under other names on the way, which foreign keys must not notice; they are checked at the end.
    engine = connect(place, writes=True, foreign_keys=False)
    try:
        with engine.begin() as connection:
            found = _stamped(connection, place)
            revision = schema.revision if found is None else found[0]
            if revision >= schema.revision:
                return  # another process was faster
            steps = _steps(schema, revision)
            if place.file is not None:
                _back_up(place.file, backup_path(place.file, revision))
            operations = Operations(MigrationContext.configure(connection))
            for number, name in steps:
                _log.info("store %s: %s", place.shown, name.rpartition(".")[2])
                import_module(name).upgrade(operations)
                _stamp(connection, number)
            if place.file is not None and connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                raise StoreError(
                    f"The store {place.shown} could not be migrated: rows point at rows that are not there.",
                    hint="It is unchanged. Please report this, and go on with the version that wrote it.",
                )
    finally:
        engine.dispose()


def backup_path(file: Path, revision: int) -> Path:
    """Where the copy of a database of that revision goes."""
    return file.with_name(f"{file.name}.backup-{revision}")


def _stamped(connection: Connection, place: Place) -> tuple[int, str] | None:
    tables = inspect(connection)
    if not tables.has_table(schema_version.name):
        if tables.get_table_names():
            raise StoreError(
                f"{place.shown} is a database of something else.",
                hint="Name another one in c.TasksEngine.store_url.",
            )
        return None
    row = connection.execute(select(schema_version).order_by(schema_version.c.revision.desc())).first()
    if row is None:
        raise StoreError(f"The store {place.shown} is damaged: it does not say of which revision it is.")
    return int(row.revision), str(row.app_version)


def _stamp(connection: Connection, revision: int) -> None:
    connection.execute(delete(schema_version))
    connection.execute(insert(schema_version).values(revision=revision, app_version=__version__))


def _steps(schema: Schema, after: int) -> list[tuple[int, str]]:
    package = import_module(schema.migrations)
    known = {int(module.name[1:5]): module.name for module in pkgutil.iter_modules(package.__path__)}
    wanted = range(after + 1, schema.revision + 1)
    for number in wanted:
        if number not in known:
            raise StoreError(
                f"No way is known from revision {number - 1} of the store to {number}.",
                hint="Upgrade step by step: install the version in between first.",
            )
    return [(number, f"{schema.migrations}.{known[number]}") for number in wanted]


def _back_up(file: Path, copy: Path) -> None:
    """Copy a database that may be in use, wholly or not at all."""
    part = copy.with_name(f"{copy.name}.part")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(part)) as target:
        source.backup(target)
    with part.open("rb+") as written:
        os.fsync(written.fileno())
    part.replace(copy)
