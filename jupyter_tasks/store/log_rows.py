"""Rows of ``build_logs`` and ``log_snapshots``: what builds say, and what is left to read of a stopped workspace.

Owns their queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from jupyter_tasks.store.codec import from_time, to_time
from jupyter_tasks.store.tables import build_logs, log_snapshots

__all__ = ["BuildLogRow", "SnapshotRow", "add_build_log", "build_logs_of", "set_snapshot", "snapshots_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildLogRow:
    """One line of a build."""

    id: int
    build_id: str
    stage: str
    level: str
    text: str
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRow:
    """The end of a log as it was when the workspace stopped."""

    name: str
    text: str
    created_at: datetime


_ADD = insert(build_logs)  # made once: to put a statement together costs more than to run it


def add_build_log(
    connection: Connection, task_id: str, build_id: str, stage: str, level: str, text: str, now: datetime
) -> int:
    """Append a line; returns its id."""
    done = connection.execute(
        _ADD,
        {
            "task_id": task_id,
            "build_id": build_id,
            "stage": stage,
            "level": level,
            "text": text,
            "time": to_time(now),
        },
    )
    key = done.inserted_primary_key
    assert key is not None  # noqa: S101 - an autoincrement table always gives one
    return int(key[0])


def build_logs_of(connection: Connection, task_id: str) -> Sequence[BuildLogRow]:
    """Every line of every build of a task, in order."""
    query = select(build_logs).where(build_logs.c.task_id == task_id).order_by(build_logs.c.id)
    return [
        BuildLogRow(
            id=found.id,
            build_id=found.build_id,
            stage=found.stage,
            level=found.level,
            text=found.text,
            time=from_time(found.time),
        )
        for found in connection.execute(query)
    ]


def set_snapshot(connection: Connection, task_id: str, name: str, text: str, now: datetime) -> None:
    """Keep the end of a log, in place of an older one."""
    connection.execute(delete(log_snapshots).where(log_snapshots.c.task_id == task_id, log_snapshots.c.name == name))
    connection.execute(insert(log_snapshots).values(task_id=task_id, name=name, text=text, created_at=to_time(now)))


def snapshots_of(connection: Connection, task_id: str) -> Sequence[SnapshotRow]:
    """What was kept of a task's logs."""
    query = select(log_snapshots).where(log_snapshots.c.task_id == task_id).order_by(log_snapshots.c.name)
    return [
        SnapshotRow(name=found.name, text=found.text, created_at=from_time(found.created_at))
        for found in connection.execute(query)
    ]
