"""Revision 2: the project of a task, calls through the gateway, what was applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, String, Text

if TYPE_CHECKING:
    from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    """From revision 1."""
    op.add_column("tasks", Column("project", Text))
    op.create_table(
        "llm_calls",
        Column("id", String(36), primary_key=True),
        Column("task_id", String(36), ForeignKey("tasks.id"), nullable=False),
        Column("build_id", String(36), nullable=False),
        Column("time", String(32), nullable=False),
        Column("provider", String(32), nullable=False),
        Column("model", Text, nullable=False),
        Column("status", Integer, nullable=False),
        Column("input", Integer, nullable=False),
        Column("output", Integer, nullable=False),
        Column("cache_read", Integer, nullable=False),
        Column("cache_write", Integer, nullable=False),
        Column("cost", BigInteger),
        Column("milliseconds", Integer, nullable=False),
        Column("problem", Text),
    )
    op.create_index("llm_calls_task", "llm_calls", ["task_id"])
    op.create_index("llm_calls_time", "llm_calls", ["time"])
    op.create_table(
        "applies",
        Column("id", String(36), primary_key=True),
        Column("task_id", String(36), ForeignKey("tasks.id"), nullable=False),
        Column("kind", String(8), nullable=False),
        Column("state", String(12), nullable=False),
        Column("target", Text, nullable=False),
        Column("data", Text, nullable=False),
        Column("created_at", String(32), nullable=False),
        Column("updated_at", String(32), nullable=False),
    )
    op.create_index("applies_task", "applies", ["task_id", "created_at"])
