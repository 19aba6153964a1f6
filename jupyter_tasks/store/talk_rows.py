"""Rows of what is said: messages, the user's inputs, what the agent reports.

Owns queries on ``messages``, ``inputs``, ``conversations`` and ``app_statuses``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from jupyter_tasks.store.codec import from_json, from_time, to_json, to_time
from jupyter_tasks.store.tables import app_statuses, conversations, inputs, messages

__all__ = [
    "AppStatusRow",
    "ConversationRow",
    "InputRow",
    "MessageRow",
    "add_app_status",
    "add_input",
    "conversation_of",
    "conversations_of",
    "latest_app_status",
    "latest_app_statuses",
    "message",
    "messages_of",
    "set_conversation",
    "settle_input",
    "undelivered_inputs",
    "upsert_message",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    """One message; ``parts`` is the JSON value of its typed parts."""

    id: int
    role: str
    time: datetime
    parts: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRow:
    """Something that the user sent and that was acknowledged."""

    id: int
    key: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AppStatusRow:
    """What the agent does, how we know, since when."""

    build_id: str
    state: str
    message: str
    uri: str
    source: str
    since: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationRow:
    """Where the talk stands: for which build, whether the prompt was given, what the agent waits for."""

    task_id: str
    build_id: str
    prompt_sent: bool = False
    attention: Any = None
    checkpoint: Any = None


# Made once: to put a statement together costs more than SQLite's answer, and these are asked many times a second.
_CONVERSATION = select(conversations).where(conversations.c.task_id == bindparam("wanted"))
_LATEST_STATUS = (
    select(app_statuses)
    .where(app_statuses.c.task_id == bindparam("wanted"))
    .order_by(app_statuses.c.id.desc())
    .limit(1)
)


def upsert_message(connection: Connection, task_id: str, row: MessageRow) -> None:
    """Write a message, over an older version of itself."""
    key = (messages.c.task_id == task_id) & (messages.c.id == row.id)
    values = {"role": row.role, "time": to_time(row.time), "parts": to_json(row.parts)}
    if connection.execute(update(messages).where(key).values(**values)).rowcount == 0:
        connection.execute(insert(messages).values(task_id=task_id, id=row.id, **values))


def messages_of(connection: Connection, task_id: str) -> Sequence[MessageRow]:
    """The whole conversation, in order."""
    query = select(messages).where(messages.c.task_id == task_id).order_by(messages.c.id)
    return [_message(found) for found in connection.execute(query)]


def message(connection: Connection, task_id: str, message_id: int) -> MessageRow | None:
    """One message."""
    query = select(messages).where(messages.c.task_id == task_id, messages.c.id == message_id)
    found = connection.execute(query).first()
    return None if found is None else _message(found)


def _message(found: Row[Any]) -> MessageRow:
    return MessageRow(id=found.id, role=found.role, time=from_time(found.time), parts=from_json(found.parts))


def add_input(connection: Connection, task_id: str, key: str, text: str, now: datetime) -> bool:
    """Acknowledge something that the user sent. False: this key has been acknowledged before."""
    known = connection.execute(select(inputs.c.id).where(inputs.c.task_id == task_id, inputs.c.key == key)).first()
    if known is not None:
        return False
    connection.execute(insert(inputs).values(task_id=task_id, key=key, text=text, created_at=to_time(now)))
    return True


def undelivered_inputs(connection: Connection, task_id: str) -> Sequence[InputRow]:
    """What was acknowledged and not yet given to the agent, in order."""
    query = (
        select(inputs)
        .where(inputs.c.task_id == task_id, inputs.c.delivered_at.is_(None), inputs.c.error.is_(None))
        .order_by(inputs.c.id)
    )
    return [InputRow(id=found.id, key=found.key, text=found.text) for found in connection.execute(query)]


def settle_input(connection: Connection, input_id: int, now: datetime, error: str | None = None) -> None:
    """Say that an input was given to the agent, or why it never will be."""
    values = {"delivered_at": to_time(now)} if error is None else {"error": error}
    connection.execute(update(inputs).where(inputs.c.id == input_id).values(**values))


def set_conversation(connection: Connection, row: ConversationRow) -> None:
    """Write where the talk stands."""
    connection.execute(delete(conversations).where(conversations.c.task_id == row.task_id))
    connection.execute(
        insert(conversations).values(
            task_id=row.task_id,
            build_id=row.build_id,
            prompt_sent=row.prompt_sent,
            attention=None if row.attention is None else to_json(row.attention),
            checkpoint=None if row.checkpoint is None else to_json(row.checkpoint),
        )
    )


def conversation_of(connection: Connection, task_id: str) -> ConversationRow | None:
    """Where the talk of a task stands; None before the first."""
    found = connection.execute(_CONVERSATION, {"wanted": task_id}).first()
    return None if found is None else _conversation(found)


def conversations_of(connection: Connection, task_ids: Sequence[str]) -> Mapping[str, ConversationRow]:
    """Where the talk of each of these tasks stands."""
    query = select(conversations).where(conversations.c.task_id.in_(task_ids))
    return {found.task_id: _conversation(found) for found in connection.execute(query)}


def _conversation(found: Row[Any]) -> ConversationRow:
    return ConversationRow(
        task_id=found.task_id,
        build_id=found.build_id,
        prompt_sent=bool(found.prompt_sent),
        attention=from_json(found.attention),
        checkpoint=from_json(found.checkpoint),
    )


def add_app_status(connection: Connection, task_id: str, row: AppStatusRow) -> None:
    """Record what the agent does; the newest row counts."""
    connection.execute(
        insert(app_statuses).values(
            task_id=task_id,
            build_id=row.build_id,
            state=row.state,
            message=row.message,
            uri=row.uri,
            source=row.source,
            since=to_time(row.since),
            created_at=to_time(row.created_at),
        )
    )


def latest_app_status(connection: Connection, task_id: str) -> AppStatusRow | None:
    """What the agent of a task does."""
    found = connection.execute(_LATEST_STATUS, {"wanted": task_id}).first()
    return None if found is None else _app_status(found)


def latest_app_statuses(connection: Connection, task_ids: Sequence[str]) -> Mapping[str, AppStatusRow]:
    """What the agents of these tasks do."""
    newest = (
        select(func.max(app_statuses.c.id).label("id"))
        .where(app_statuses.c.task_id.in_(task_ids))
        .group_by(app_statuses.c.task_id)
        .subquery()
    )
    query = select(app_statuses).join(newest, app_statuses.c.id == newest.c.id)
    return {found.task_id: _app_status(found) for found in connection.execute(query)}


def _app_status(found: Row[Any]) -> AppStatusRow:
    return AppStatusRow(
        build_id=found.build_id,
        state=found.state,
        message=found.message,
        uri=found.uri,
        source=found.source,
        since=from_time(found.since),
        created_at=from_time(found.created_at),
    )
