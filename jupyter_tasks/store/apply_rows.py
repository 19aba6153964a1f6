"""Rows of ``applies``: what was taken over from a workspace, and taken back.

Owns their dataclass and queries. What was there before lies in the apply's own directory (``tasks.apply_journal``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, delete, insert, select, update

from jupyter_tasks.store.codec import from_json, from_time, to_time
from jupyter_tasks.store.tables import applies

__all__ = [
    "ApplyRow",
    "ApplyState",
    "applies_of",
    "apply_state",
    "begun_applies",
    "drop_apply",
    "insert_apply",
    "set_apply_state",
]

ApplyState = Literal["begun", "done", "undone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyRow:
    """One apply.

    ``listing`` is what the workspace had of every file that was taken: path (surrogates for bytes that are no text) ->
    (mode, id), or None for one that was gone. ``files`` counts those that were written. ``commit`` is a branch's.
    """

    id: str
    task_id: str
    kind: Literal["files", "branch"]
    state: ApplyState
    target: str
    listing: Mapping[str, tuple[str, str] | None]
    files: int
    branch: str | None = None
    commit: str | None = None
    created_at: datetime
    updated_at: datetime


def insert_apply(connection: Connection, row: ApplyRow) -> None:
    """Write down that an apply begins (or, of a branch, that it is done)."""
    data = {"listing": dict(row.listing), "files": row.files, "branch": row.branch, "commit": row.commit}
    connection.execute(
        insert(applies).values(
            id=row.id,
            task_id=row.task_id,
            kind=row.kind,
            state=row.state,
            target=row.target,
            data=json.dumps(data),  # in ASCII: half a character, as a path may have it, is no text for a database
            created_at=to_time(row.created_at),
            updated_at=to_time(row.updated_at),
        )
    )


def set_apply_state(connection: Connection, apply_id: str, state: ApplyState, now: datetime) -> None:
    """Say how it stands now."""
    connection.execute(update(applies).where(applies.c.id == apply_id).values(state=state, updated_at=to_time(now)))


def apply_state(connection: Connection, apply_id: str) -> str | None:
    """How it stands; None where there is none."""
    return connection.scalar(select(applies.c.state).where(applies.c.id == apply_id))


def drop_apply(connection: Connection, apply_id: str) -> None:
    """Forget one that was rolled back."""
    connection.execute(delete(applies).where(applies.c.id == apply_id))


def applies_of(connection: Connection, task_id: str) -> Sequence[ApplyRow]:
    """Every apply of a task, oldest first."""
    query = select(applies).where(applies.c.task_id == task_id).order_by(applies.c.created_at, applies.c.id)
    rows = []
    for found in connection.execute(query):
        data = from_json(found.data)
        listing = {path: None if entry is None else (entry[0], entry[1]) for path, entry in data["listing"].items()}
        rows.append(
            ApplyRow(
                id=found.id,
                task_id=found.task_id,
                kind=found.kind,
                state=found.state,
                target=found.target,
                listing=listing,
                files=data["files"],
                branch=data["branch"],
                commit=data["commit"],
                created_at=from_time(found.created_at),
                updated_at=from_time(found.updated_at),
            )
        )
    return rows


def begun_applies(connection: Connection) -> Sequence[str]:
    """Ids of those that were begun and not said to be done."""
    return list(connection.scalars(select(applies.c.id).where(applies.c.state == "begun")))
