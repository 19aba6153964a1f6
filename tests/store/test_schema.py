"""The schema: fresh, current, older (migrated, after a copy), newer (refused)."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
import sqlalchemy as sa

from jupyter_tasks._version import __version__
from jupyter_tasks.clock import SystemClock
from jupyter_tasks.errors import StoreError, StoreTooNew
from jupyter_tasks.store.database import Database
from jupyter_tasks.store.schema import REVISION, Schema, backup_path
from jupyter_tasks.store.tables import metadata
from jupyter_tasks.store.task_rows import find_task

pytestmark = [pytest.mark.usefixtures("anyio_backend"), pytest.mark.anyio]
CLOCK = SystemClock()
STORED = Path(__file__).parent / "stored"


@pytest.fixture(autouse=True)
def synthetic(monkeypatch: pytest.MonkeyPatch) -> None:
    """The migrations beside this file can be imported."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def later_schema(revision: int) -> Schema:
    """What the tables look like after the synthetic migrations."""
    later = sa.MetaData()
    for table in metadata.sorted_tables:
        table.to_metadata(later)
    messages = later.tables["messages"]
    messages.append_column(sa.Column("color", sa.Text, nullable=False, server_default="purple"))
    messages.c.role.type = sa.String(16)
    return Schema(revision, later, "synthetic_migrations")


def restore(file: Path, revision: int = REVISION, prompt: str | None = None) -> None:
    """A stored database, as the version that wrote it left it."""
    file.parent.mkdir(exist_ok=True)
    database = sqlite3.connect(file)
    database.executescript((STORED / f"revision-{revision}.sql").read_text())
    if prompt is not None:
        database.execute("UPDATE tasks SET prompt = ?", (prompt,))
    database.commit()
    database.close()


def shape(file: Path) -> dict[str, Any]:
    """Everything that SQLite knows of a schema, whatever way it came about."""
    database = sqlite3.connect(file)
    found: dict[str, Any] = {}
    names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    for (table,) in database.execute(names).fetchall():
        indexes = database.execute(f"PRAGMA index_list({table})").fetchall()
        found[table] = {
            "columns": database.execute(f"PRAGMA table_xinfo({table})").fetchall(),
            "keys": sorted(row[2:] for row in database.execute(f"PRAGMA foreign_key_list({table})")),
            "indexes": sorted(
                str((row[2:], [each[2:6] for each in database.execute(f"PRAGMA index_xinfo({row[1]})")]))
                for row in indexes
            ),
        }
    named = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    found["named indexes"] = sorted(database.execute(named).fetchall())
    sequences = "SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'"
    found["sequences"] = sorted(database.execute(sequences).fetchall())
    database.close()
    return found


def stamp(file: Path) -> tuple[int, str]:
    database = sqlite3.connect(file)
    found = database.execute("SELECT revision, app_version FROM schema_version").fetchall()
    database.close()
    assert len(found) == 1
    return found[0][0], found[0][1]


async def test_a_fresh_store_is_stamped(file: Path) -> None:
    await (await Database.open(file, clock=CLOCK)).close()
    assert stamp(file) == (REVISION, __version__)
    assert not backup_path(file, REVISION).exists()


@pytest.mark.parametrize("revision", range(1, REVISION + 1))
async def test_every_stored_revision_becomes_what_a_fresh_store_is(file: Path, tmp_path: Path, revision: int) -> None:
    """If this fails although no revision was released: python tests/store/make_stored.py"""
    restore(file, revision)
    database = await Database.open(file, clock=CLOCK)
    task = await database.read(find_task, "ann-id", "task-1")
    assert task is not None
    assert (task.id, task.prompt, task.parameters) == ("task", "do", {"a": "b"})
    await database.close()
    await (await Database.open(tmp_path / "fresh" / "tasks.db", clock=CLOCK)).close()
    assert shape(file) == shape(tmp_path / "fresh" / "tasks.db")


async def test_an_older_store_is_copied_then_migrated(file: Path, tmp_path: Path) -> None:
    restore(file)
    before = shape(file)
    database = await Database.open(file, clock=CLOCK, schema=later_schema(REVISION + 2))
    rows = await database.read(lambda c: c.execute(sa.text("SELECT task_id, role, color FROM messages")).all())
    assert [tuple(row) for row in rows] == [("task", "user", "green")]
    await database.close()
    assert stamp(file) == (REVISION + 2, __version__)
    copy = backup_path(file, REVISION)
    assert copy.name == f"tasks.db.backup-{REVISION}"
    assert shape(copy) == before
    assert stamp(copy)[0] == REVISION
    assert copy.stat().st_mode & 0o777 == 0o600
    fresh = await Database.open(tmp_path / "fresh" / "tasks.db", clock=CLOCK, schema=later_schema(REVISION + 2))
    await fresh.close()
    assert shape(file) == shape(tmp_path / "fresh" / "tasks.db")
    again = await Database.open(file, clock=CLOCK, schema=later_schema(REVISION + 2))
    await again.close()


@pytest.mark.parametrize(
    ("prompt", "error", "says"), [("fail", RuntimeError, "half-way"), ("orphan", StoreError, "rows that are not there")]
)
async def test_a_migration_that_fails_leaves_everything_as_it_was(
    file: Path, prompt: str, error: type[Exception], says: str
) -> None:
    restore(file, prompt=prompt)
    before = shape(file)
    with pytest.raises(error, match=says):
        await Database.open(file, clock=CLOCK, schema=later_schema(REVISION + 2))
    assert shape(file) == before
    assert stamp(file)[0] == REVISION
    database = await Database.open(file, clock=CLOCK)  # the version that wrote it goes on
    assert await database.read(find_task, "ann-id", "task-1") is not None
    await database.close()


async def test_a_missing_step_is_a_sentence(file: Path) -> None:
    restore(file)
    missing = f"No way is known from revision {REVISION + 2} of the store to {REVISION + 3}"
    with pytest.raises(StoreError, match=missing):
        await Database.open(file, clock=CLOCK, schema=later_schema(REVISION + 3))
    assert stamp(file)[0] == REVISION
    assert not backup_path(file, REVISION).exists()


async def test_a_newer_store_is_refused(file: Path) -> None:
    await (await Database.open(file, clock=CLOCK)).close()
    database = sqlite3.connect(file)
    database.execute("UPDATE schema_version SET revision = 7, app_version = '9.9.9'")
    database.commit()
    database.close()
    content = file.read_bytes()
    with pytest.raises(StoreTooNew, match=r"written by Jupyter Tasks 9\.9\.9, which is newer than this one") as caught:
        await Database.open(file, clock=CLOCK)
    assert "pip install --upgrade" in caught.value.hint
    assert file.read_bytes() == content


async def test_a_store_without_a_stamp_is_refused(file: Path) -> None:
    await (await Database.open(file, clock=CLOCK)).close()
    database = sqlite3.connect(file)
    database.execute("DELETE FROM schema_version")
    database.commit()
    database.close()
    with pytest.raises(StoreError, match="does not say of which revision"):
        await Database.open(file, clock=CLOCK)


async def test_two_that_open_a_fresh_store_at_once(file: Path) -> None:
    async def open_it() -> None:
        await (await Database.open(file, clock=CLOCK)).close()

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(open_it)
    assert stamp(file)[0] == REVISION


def test_alembic_is_imported_only_to_migrate(file: Path) -> None:
    code = (
        "import sys, anyio\n"
        "from jupyter_tasks.clock import SystemClock\n"
        "from jupyter_tasks.store.database import Database\n"
        "async def main():\n"
        "    await (await Database.open(sys.argv[1], clock=SystemClock())).close()\n"
        "    await (await Database.open(sys.argv[1], clock=SystemClock())).close()\n"
        "anyio.run(main)\n"
        "assert not [name for name in sys.modules if name.split('.')[0] == 'alembic']\n"
    )
    subprocess.run([sys.executable, "-c", code, str(file)], check=True, timeout=30)


@pytest.mark.parametrize("url", ["sqlite://", "postgresql+psycopg://"])
def test_a_name_is_free_again_once_its_task_is_deleted(url: str) -> None:
    said: list[str] = []
    engine = sa.create_mock_engine(url, lambda it, *_, **__: said.append(str(it.compile(dialect=engine.dialect))))
    metadata.create_all(engine, checkfirst=False)
    (index,) = [one for one in said if "INDEX tasks_name " in one]
    assert index.endswith("WHERE deleted_at IS NULL")


def test_an_engine_with_a_file_imports_nothing_of_postgresql() -> None:
    code = "import sys, jupyter_tasks.store.database; sys.exit(any('postgresql' in name for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
