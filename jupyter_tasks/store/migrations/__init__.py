"""Steps from one revision of the schema to the next: modules ``m0002_<what>``, ``m0003_<what>`` …

Each has ``def upgrade(op: alembic.operations.Operations) -> None``, which leads from the revision before to the one
that it is numbered with. Portable types only. What SQLite cannot alter in place is altered by
``op.batch_alter_table(name, reflect_kwargs={"resolve_fks": False})``; it builds the table anew, and an index over an
expression (``tasks_name``) is lost on the way: make it again in the same step.

Revision 1 is the first that was released: it is made from ``store.tables`` and has no step. Whoever adds step N changes
``store.tables``, sets ``store.schema.REVISION = N`` and keeps the stored database of the revision before
(tests/store/stored), which the tests lead to the new one.
"""
