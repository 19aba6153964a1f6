"""Rows of ``tasks``: what a task is, as long as it lives.

Owns their dataclass and every query on them. Functions take a connection inside a transaction of ``Database``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from jupyter_tasks.errors import Conflict
from jupyter_tasks.store.codec import from_json, from_time, to_json, to_time
from jupyter_tasks.store.tables import tasks

__all__ = [
    "Asker",
    "TaskRow",
    "by_idempotency_key",
    "find_task",
    "insert_task",
    "live_tasks",
    "mark_deleted",
    "task_by_id",
    "tasks_by_id",
    "touch_task",
    "update_prompt",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Where the request came from: interpreter prefix, PATH and directory of the kernel or shell."""

    python_env: str | None = None
    path: str | None = None
    directory: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """One task."""

    id: str
    owner_id: str
    owner_name: str
    name: str
    display_name: str
    template_id: str
    template_version_id: str
    template_name: str
    template_display_name: str
    template_icon: str
    workspace_id: str
    prompt: str
    parameters: Mapping[str, str]
    preset: str | None
    asker: Asker
    project: Mapping[str, Any] | None = None
    """What of the user's files was asked for and went in (``tasks.project``)."""
    idempotency_key: str | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None


_BY_ID = select(tasks).where(tasks.c.id == bindparam("wanted"))  # made once: it is asked with every change


def insert_task(connection: Connection, row: TaskRow) -> None:
    """Make a task. Raises: Conflict when its owner has one of that name (whatever the case)."""
    values: dict[str, Any] = {name: getattr(row, name) for name in TaskRow.__slots__}
    values["parameters"] = to_json(dict(row.parameters))
    values["project"] = None if row.project is None else to_json(dict(row.project))
    values["asker"] = to_json({name: getattr(row.asker, name) for name in Asker.__slots__})
    for name in ("created_at", "updated_at"):
        values[name] = to_time(values[name])
    if _one(connection, _live().where(tasks.c.owner_id == row.owner_id, _named(row.name))) is not None:
        raise _taken(row.name)
    try:
        connection.execute(insert(tasks).values(**values))
    except IntegrityError as error:
        raise _taken(row.name) from error


def _taken(name: str) -> Conflict:
    return Conflict(
        f'A task named "{name}" already exists.',
        hint="Choose another name, or leave it out and one is made.",
        code="name_taken",
        retryable=False,
    )


def task_by_id(connection: Connection, task_id: str) -> TaskRow | None:
    """The task of that id, deleted ones as well."""
    found = connection.execute(_BY_ID, {"wanted": task_id}).mappings().first()
    return None if found is None else _row(found)


def tasks_by_id(connection: Connection, task_ids: Sequence[str]) -> Sequence[TaskRow]:
    """The tasks of these ids in their order, deleted ones as well; one that is not there is left out."""
    found = connection.execute(select(tasks).where(tasks.c.id.in_(task_ids))).mappings()
    rows = {row["id"]: _row(row) for row in found}
    return [rows[task_id] for task_id in task_ids if task_id in rows]


def find_task(connection: Connection, owner_id: str, identifier: str) -> TaskRow | None:
    """A live task by UUID, else by the owner's name for it (whatever the case)."""
    found = _one(connection, _live().where(tasks.c.id == identifier.lower(), tasks.c.owner_id == owner_id))
    return found or _one(connection, _live().where(tasks.c.owner_id == owner_id, _named(identifier)))


def by_idempotency_key(connection: Connection, owner_id: str, key: str) -> TaskRow | None:
    """The task that was made with this key, deleted or not."""
    return _one(connection, select(tasks).where(tasks.c.owner_id == owner_id, tasks.c.idempotency_key == key))


def live_tasks(connection: Connection, *, owner_name: str | None = None) -> Sequence[TaskRow]:
    """Every task that is not deleted, newest first."""
    query = _live().order_by(tasks.c.created_at.desc(), tasks.c.id)
    if owner_name is not None:
        query = query.where(func.lower(tasks.c.owner_name) == owner_name.lower())
    return [_row(found) for found in connection.execute(query).mappings()]


def touch_task(connection: Connection, task_id: str, now: datetime) -> None:
    """Set ``updated_at``."""
    connection.execute(update(tasks).where(tasks.c.id == task_id).values(updated_at=to_time(now)))


def update_prompt(connection: Connection, task_id: str, prompt: str, now: datetime) -> None:
    """Replace the prompt (used at the next start)."""
    connection.execute(update(tasks).where(tasks.c.id == task_id).values(prompt=prompt, updated_at=to_time(now)))


def mark_deleted(connection: Connection, task_id: str, now: datetime) -> None:
    """From now on the user no longer has this task; its name is free."""
    connection.execute(
        update(tasks).where(tasks.c.id == task_id, tasks.c.deleted_at.is_(None)).values(deleted_at=to_time(now))
    )


def _live() -> Select[Any]:
    return select(tasks).where(tasks.c.deleted_at.is_(None))


def _named(name: str) -> Any:
    return func.lower(tasks.c.name) == name.lower()


def _one(connection: Connection, query: Select[Any]) -> TaskRow | None:
    found = connection.execute(query).mappings().first()
    return None if found is None else _row(found)


def _row(found: RowMapping) -> TaskRow:
    values = dict(found)
    values["parameters"] = from_json(values["parameters"])
    values["project"] = None if values["project"] is None else from_json(values["project"])
    values["asker"] = Asker(**from_json(values["asker"]))
    for name in ("created_at", "updated_at", "deleted_at"):
        if values[name] is not None:
            values[name] = from_time(values[name])
    return TaskRow(**values)
