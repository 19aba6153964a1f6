"""Tasks put into a store as they would be after a while, for tests of what reads them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from jupyter_tasks.store.build_rows import BuildRow, insert_build
from jupyter_tasks.store.journal import Change
from jupyter_tasks.store.task_rows import Asker, TaskRow, insert_task
from jupyter_tasks.templates.plan import WorkspacePlan
from jupyter_tasks.templates.plan_json import plan_to_json


def stored_task(number: int, when: datetime, **build: Any) -> Callable[[Change], None]:
    """Work for ``Journal.change``: the task ``t<number>`` with one build, of which ``build`` says more."""
    row = TaskRow(
        id=f"t{number}",
        owner_id="o",
        owner_name="ann",
        name=f"n{number}",
        display_name="Title",
        template_id="x",
        template_version_id="v",
        template_name="quickstart",
        preset=None,
        template_display_name="Q",
        template_icon="",
        workspace_id=f"w{number}",
        prompt="a secret",
        parameters={},
        asker=Asker(),
        idempotency_key=None,
        created_at=when,
        updated_at=when,
    )
    plan = plan_to_json(WorkspacePlan(kind="local", transition="start"))

    def work(change: Change) -> None:
        insert_task(change.connection, row)
        values = {"id": f"b{number}", "task_id": row.id, "number": 1, "reason": "r", "created_at": when, "plan": plan}
        insert_build(change.connection, BuildRow(**{**values, **build}))

    return work
