"""A new column, and one that SQLite can change only by building the table anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    """Revision 2 to 3."""
    with op.batch_alter_table("messages", reflect_kwargs={"resolve_fks": False}) as table:
        table.add_column(sa.Column("color", sa.Text, nullable=False, server_default="purple"))
        table.alter_column("role", existing_type=sa.String(8), type_=sa.String(16))
