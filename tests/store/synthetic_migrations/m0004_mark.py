"""Data, not schema: fails where a prompt asks for it, or leaves a row that points at nothing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    """Revision 3 to 4."""
    prompt = op.get_bind().execute(sa.text("SELECT prompt FROM tasks")).scalar()
    if prompt == "fail":
        raise RuntimeError("this step fails half-way")
    if prompt == "orphan":
        op.execute("DELETE FROM tasks")
    op.execute("UPDATE messages SET color = 'green'")
