"""Writes a database of the present revision as SQL text, to be migrated by the tests of every later revision.

Run it once, with the last commit before ``store.schema.REVISION`` is raised (or while it is not released yet, whenever
``store.tables`` has changed):  python tests/store/make_stored.py
"""

from __future__ import annotations

import sqlite3
import sys
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
from sqlalchemy import Connection

from jupyter_tasks.clock import SystemClock
from jupyter_tasks.metering.ledger import record_build
from jupyter_tasks.store.build_rows import BuildRow, insert_build
from jupyter_tasks.store.database import Database
from jupyter_tasks.store.event_rows import append_event
from jupyter_tasks.store.schema import REVISION
from jupyter_tasks.store.talk_rows import MessageRow, upsert_message
from jupyter_tasks.store.task_rows import Asker, TaskRow, insert_task

STORED = Path(__file__).parent / "stored"
NOW = datetime(2025, 7, 1, 12, tzinfo=timezone.utc)


def _fill(connection: Connection) -> None:
    words = {"template_name": "quickstart", "template_display_name": "Quickstart", "template_icon": "", "prompt": "do"}
    ids = {"id": "task", "owner_id": "ann-id", "template_id": "t", "template_version_id": "v", "workspace_id": "w"}
    rest = {"parameters": {"a": "b"}, "preset": None, "asker": Asker(path="/bin"), "idempotency_key": "k"}
    times = {"created_at": NOW, "updated_at": NOW}
    names = {"owner_name": "ann", "name": "Task-1", "display_name": "Task 1"}
    insert_task(connection, TaskRow(**ids, **names, **words, **rest, **times))  # type: ignore[arg-type]
    build = BuildRow(
        id="b", task_id="task", number=1, transition="start", reason="initiator", status="succeeded", created_at=NOW
    )
    insert_build(connection, build)
    record_build(connection, build_id="b", task_id="task", created_at=NOW)
    upsert_message(connection, "task", MessageRow(id=0, role="user", time=NOW, parts=[{"type": "text", "text": "do"}]))
    append_event(connection, "task", "task", {"id": "task"}, NOW)


async def main() -> None:
    """Make the database, then write it down."""
    with TemporaryDirectory() as directory:
        file = Path(directory) / "tasks.db"
        database = await Database.open(file, clock=SystemClock())
        await database.write(_fill)
        await database.close()
        stored = sqlite3.connect(file)
        text = "\n".join(stored.iterdump()) + "\n"
        stored.close()
    STORED.mkdir(exist_ok=True)
    target = STORED / f"revision-{REVISION}.sql"
    target.write_text(text)
    sys.stdout.write(f"{target}\n")


if __name__ == "__main__":
    anyio.run(main)
