"""Rows of ``builds``: every start, stop and delete of a workspace, and what is known of it while it runs.

Owns their dataclass, the ``Runtime`` kept beside them, and every query. A build is *unfinished* while pending or
running; a task's newest build decides what its workspace should be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, func, insert, select, update

from jupyter_tasks.store.codec import from_json, from_time, to_json, to_time
from jupyter_tasks.store.tables import builds

__all__ = [
    "UNFINISHED",
    "BuildRow",
    "Runtime",
    "build_by_id",
    "builds_of",
    "cancel_unfinished",
    "fail_started",
    "finish_build",
    "insert_build",
    "latest_build",
    "latest_builds",
    "next_number",
    "set_runtime",
    "set_stage",
    "start_build",
    "tasks_with_work",
]

UNFINISHED = ("pending", "running")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What is known of a workspace. ``apps`` maps app id to health; ``reason`` says why it ended, in a sentence."""

    lifecycle: str | None = None
    connected: bool = False
    apps: Mapping[str, str] = field(default_factory=dict)
    isolation: str | None = None
    isolation_reason: str = ""
    reason: str | None = None
    agent_exited: bool = False
    changed_files: int | None = None
    unapplied: int | None = None
    """How many of them were not applied as they are now."""
    watched: int = 0
    """Last event of the workspace agent that has been taken in (of this agent's own run, ``boot_id``)."""
    boot_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRow:
    """One build. ``plan`` is the JSON value of a WorkspacePlan, None for one that needs none."""

    id: str
    task_id: str
    number: int
    transition: str
    reason: str
    status: str
    created_at: datetime
    stage: str = ""
    error: str | None = None
    plan: Any = None
    runtime: Runtime = field(default_factory=Runtime)
    lock_token: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def unfinished(self) -> bool:
        return self.status in UNFINISHED


_TIMES = ("created_at", "started_at", "finished_at")

# Made once: to put a statement together costs more than SQLite's answer, and these are asked many times a second.
_BY_ID = select(builds).where(builds.c.id == bindparam("wanted"))
_LATEST = select(builds).where(builds.c.task_id == bindparam("wanted")).order_by(builds.c.number.desc()).limit(1)
_SET_STAGE = update(builds).where(builds.c.id == bindparam("wanted")).values(stage=bindparam("now"))
_SET_RUNTIME = update(builds).where(builds.c.id == bindparam("wanted")).values(runtime=bindparam("now"))


def insert_build(connection: Connection, row: BuildRow) -> None:
    """Add a build."""
    values: dict[str, Any] = {name: getattr(row, name) for name in BuildRow.__slots__}
    values["plan"] = None if row.plan is None else to_json(row.plan)
    values["runtime"] = to_json(asdict(row.runtime))
    for name in _TIMES:
        values[name] = None if values[name] is None else to_time(values[name])
    connection.execute(insert(builds).values(**values))


def next_number(connection: Connection, task_id: str) -> int:
    """The number of the next build of this task (from 1)."""
    newest = connection.execute(select(func.max(builds.c.number)).where(builds.c.task_id == task_id)).scalar()
    return int(newest or 0) + 1


def build_by_id(connection: Connection, build_id: str) -> BuildRow | None:
    """The build of that id."""
    found = connection.execute(_BY_ID, {"wanted": build_id}).mappings().first()
    return None if found is None else _row(found)


def latest_build(connection: Connection, task_id: str) -> BuildRow | None:
    """The newest build of a task."""
    found = connection.execute(_LATEST, {"wanted": task_id}).mappings().first()
    return None if found is None else _row(found)


def latest_builds(connection: Connection, task_ids: Sequence[str]) -> Mapping[str, BuildRow]:
    """The newest build of each of these tasks, in one query."""
    newest = (
        select(builds.c.task_id, func.max(builds.c.number).label("number"))
        .where(builds.c.task_id.in_(task_ids))
        .group_by(builds.c.task_id)
        .subquery()
    )
    query = select(builds).join(newest, (builds.c.task_id == newest.c.task_id) & (builds.c.number == newest.c.number))
    return {found["task_id"]: _row(found) for found in connection.execute(query).mappings()}


def builds_of(connection: Connection, task_id: str) -> Sequence[BuildRow]:
    """Every build of a task, oldest first."""
    query = select(builds).where(builds.c.task_id == task_id).order_by(builds.c.number)
    return [_row(found) for found in connection.execute(query).mappings()]


def tasks_with_work(connection: Connection) -> Sequence[str]:
    """Ids of tasks whose newest build is unfinished, or started a workspace: what a new engine takes up."""
    newest = select(builds.c.task_id, func.max(builds.c.number).label("number")).group_by(builds.c.task_id).subquery()
    query = (
        select(builds.c.task_id)
        .join(newest, (builds.c.task_id == newest.c.task_id) & (builds.c.number == newest.c.number))
        .where(builds.c.status.in_(UNFINISHED) | ((builds.c.transition == "start") & (builds.c.status == "succeeded")))
        .order_by(builds.c.created_at)
    )
    return list(connection.execute(query).scalars())


def start_build(connection: Connection, build_id: str, lock_token: str, now: datetime) -> bool:
    """Take an unfinished build; from now on only the holder of ``lock_token`` may change it. False: it has ended."""
    done = connection.execute(
        update(builds)
        .where(builds.c.id == build_id, builds.c.status.in_(UNFINISHED))
        .values(status="running", lock_token=lock_token, started_at=func.coalesce(builds.c.started_at, to_time(now)))
    )
    return done.rowcount == 1


def set_stage(connection: Connection, build_id: str, stage: str) -> None:
    """Say where a build is."""
    connection.execute(_SET_STAGE, {"wanted": build_id, "now": stage})


def finish_build(
    connection: Connection, build_id: str, lock_token: str, status: str, now: datetime, error: str | None = None
) -> bool:
    """End a build that this lock token holds. False: somebody else has it, or it was canceled meanwhile."""
    done = connection.execute(
        update(builds)
        .where(builds.c.id == build_id, builds.c.lock_token == lock_token, builds.c.status == "running")
        .values(status=status, error=error, finished_at=to_time(now))
    )
    return done.rowcount == 1


def cancel_unfinished(connection: Connection, task_id: str, now: datetime) -> Sequence[str]:
    """End the unfinished builds of a task as canceled, because a newer one is wanted. Returns their ids."""
    wanted = (builds.c.task_id == task_id) & builds.c.status.in_(UNFINISHED)
    ids = list(connection.execute(select(builds.c.id).where(wanted)).scalars())
    connection.execute(update(builds).where(wanted).values(status="canceled", finished_at=to_time(now)))
    return ids


def set_runtime(connection: Connection, build_id: str, **changes: Any) -> Runtime:
    """Change some fields of what is known of the workspace; returns the whole."""
    found = build_by_id(connection, build_id)
    runtime = replace(found.runtime if found else Runtime(), **changes)
    connection.execute(_SET_RUNTIME, {"wanted": build_id, "now": to_json(asdict(runtime))})
    return runtime


def _row(found: RowMapping) -> BuildRow:
    values = dict(found)
    values["plan"] = from_json(values["plan"])
    known = from_json(values["runtime"]) or {}
    values["runtime"] = Runtime(**{name: known[name] for name in Runtime.__slots__ if name in known})
    for name in _TIMES:
        if values[name] is not None:
            values[name] = from_time(values[name])
    return BuildRow(**values)


def fail_started(connection: Connection, build_id: str, error: str) -> bool:
    """A workspace that had been started well has ended by itself: its build is failed after all, and says why."""
    done = connection.execute(
        update(builds)
        .where(builds.c.id == build_id, builds.c.status == "succeeded", builds.c.transition == "start")
        .values(status="failed", error=error)
    )
    return done.rowcount == 1
