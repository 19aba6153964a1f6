"""The tables, and nothing else.

Owns names, columns, keys. Types are portable (SQLite and PostgreSQL): times are text in ISO 8601 UTC with microseconds
(they sort), JSON is text written by ``store.codec``. Rows of hot tables are never rewritten wholesale.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    func,
    text,
)

__all__ = [
    "app_statuses",
    "applies",
    "build_logs",
    "builds",
    "conversations",
    "events",
    "inputs",
    "llm_calls",
    "log_snapshots",
    "messages",
    "metadata",
    "schema_version",
    "tasks",
    "usage_daily",
    "usage_events",
]

metadata = MetaData()

schema_version = Table(
    "schema_version",
    metadata,
    Column("revision", Integer, primary_key=True),
    Column("app_version", String(32), nullable=False),
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("owner_id", String(36), nullable=False),
    Column("owner_name", Text, nullable=False),
    Column("name", String(32), nullable=False),
    Column("display_name", Text, nullable=False),
    Column("template_id", String(36), nullable=False),
    Column("template_version_id", String(36), nullable=False),
    Column("template_name", Text, nullable=False),
    Column("template_display_name", Text, nullable=False),
    Column("template_icon", Text, nullable=False, server_default=""),
    Column("workspace_id", String(36), nullable=False, unique=True),
    Column("prompt", Text, nullable=False),
    Column("parameters", Text, nullable=False),  # JSON {name: value}
    Column("preset", Text),
    Column("asker", Text, nullable=False),  # JSON {python_env, path, directory}
    Column("idempotency_key", Text),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    Column("deleted_at", String(32)),
    Column("project", Text),  # JSON of what was asked and what went in (tasks.project)
    UniqueConstraint("owner_id", "idempotency_key", name="tasks_idempotency"),
)
_NOT_DELETED = text("deleted_at IS NULL")
_tasks_name = Index(
    "tasks_name",
    tasks.c.owner_id,
    func.lower(tasks.c.name),
    unique=True,
    sqlite_where=_NOT_DELETED,
)
"""``deleted_at`` says that the user no longer has the task; its delete build may still run."""

builds = Table(
    "builds",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("task_id", String(36), ForeignKey("tasks.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("transition", String(8), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("status", String(12), nullable=False),
    Column("stage", String(12), nullable=False, server_default=""),
    Column("error", Text),
    Column("plan", Text),  # JSON of templates.plan.WorkspacePlan
    Column("runtime", Text),  # JSON: what is known of the workspace while and after this build ran
    Column("lock_token", String(36)),
    Column("created_at", String(32), nullable=False),
    Column("started_at", String(32)),
    Column("finished_at", String(32)),
    UniqueConstraint("task_id", "number", name="builds_number"),
)
Index("builds_status", builds.c.status)

app_statuses = Table(
    "app_statuses",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("task_id", String(36), ForeignKey("tasks.id"), nullable=False),
    Column("build_id", String(36), nullable=False),
    Column("state", String(12), nullable=False),
    Column("message", Text, nullable=False),
    Column("uri", Text, nullable=False, server_default=""),
    Column("source", String(12), nullable=False),
    Column("since", String(32), nullable=False),
    Column("created_at", String(32), nullable=False),
)
Index("app_statuses_task", app_statuses.c.task_id, app_statuses.c.id)

messages = Table(
    "messages",
    metadata,
    Column("task_id", String(36), ForeignKey("tasks.id"), primary_key=True),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("role", String(8), nullable=False),
    Column("time", String(32), nullable=False),
    Column("parts", Text, nullable=False),  # JSON of models.Part
)

conversations = Table(
    "conversations",
    metadata,
    Column("task_id", String(36), ForeignKey("tasks.id"), primary_key=True),
    Column("build_id", String(36), nullable=False),
    Column("prompt_sent", Boolean, nullable=False),
    Column("attention", Text),  # JSON of models.Attention
    Column("checkpoint", Text),  # JSON of agentapi's own
)

inputs = Table(
    "inputs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("task_id", String(36), ForeignKey("tasks.id"), nullable=False),
    Column("key", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("delivered_at", String(32)),
    Column("error", Text),
    UniqueConstraint("task_id", "key", name="inputs_key"),
)
"""What the user has sent: acknowledged once it stands here, delivered in order."""

build_logs = Table(
    "build_logs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("task_id", String(36), ForeignKey("tasks.id"), nullable=False),
    Column("build_id", String(36), nullable=False),
    Column("stage", String(12), nullable=False),
    Column("level", String(8), nullable=False),
    Column("text", Text, nullable=False),
    Column("time", String(32), nullable=False),
)
Index("build_logs_task", build_logs.c.task_id, build_logs.c.id)

log_snapshots = Table(
    "log_snapshots",
    metadata,
    Column("task_id", String(36), ForeignKey("tasks.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("text", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("type", String(16), nullable=False),
    Column("task_id", String(36)),
    Column("time", String(32), nullable=False),
    Column("data", Text, nullable=False),
    sqlite_autoincrement=True,  # an id is never given twice, also after old events were pruned
)
Index("events_task", events.c.task_id, events.c.id)

usage_events = Table(
    "usage_events",
    metadata,
    Column("id", Text, primary_key=True),
    Column("event_type", String(32), nullable=False),
    Column("event_data", Text, nullable=False),
    Column("task_id", String(36)),
    Column("created_at", String(32), nullable=False),
)

usage_daily = Table(
    "usage_daily",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("event_type", String(32), primary_key=True),
    Column("amount", Integer, nullable=False),
)

llm_calls = Table(
    "llm_calls",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("task_id", String(36), ForeignKey("tasks.id"), nullable=False),
    Column("build_id", String(36), nullable=False),
    Column("time", String(32), nullable=False),
    Column("provider", String(32), nullable=False),
    Column("model", Text, nullable=False),
    Column("status", Integer, nullable=False),  # of HTTP; 0: no answer came
    Column("input", Integer, nullable=False),
    Column("output", Integer, nullable=False),
    Column("cache_read", Integer, nullable=False),
    Column("cache_write", Integer, nullable=False),
    Column("cost", BigInteger),  # millionths of a US dollar; NULL: the model's price is not known
    Column("milliseconds", Integer, nullable=False),
    Column("problem", Text),  # one sentence, where the call did not end well
)
Index("llm_calls_task", llm_calls.c.task_id)
Index("llm_calls_time", llm_calls.c.time)
"""One row for each call that went through the gateway: no text of it, only what it used."""

applies = Table(
    "applies",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("task_id", String(36), ForeignKey("tasks.id"), nullable=False),
    Column("kind", String(8), nullable=False),  # files branch
    Column("state", String(12), nullable=False),  # begun done undone
    Column("target", Text, nullable=False),
    Column("data", Text, nullable=False),  # JSON of tasks.apply's own
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
)
Index("applies_task", applies.c.task_id, applies.c.created_at)


@event.listens_for(metadata, "before_create")
def _for_postgresql(target: MetaData, connection: Any, **_: Any) -> None:
    """The same condition for PostgreSQL. Not said above: that imports all of its dialect, in every engine."""
    if connection.dialect.name == "postgresql":
        _tasks_name.dialect_options["postgresql"]["where"] = _NOT_DELETED
