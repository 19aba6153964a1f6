"""What a user may ask of a task's workspace, as transactions: start it again, stop it, delete it.

Owns the rules (which request is right when) and the rows they make: the build, and for a start the usage event of the
same id. The newest build says what is wanted; an unfinished one that is no longer wanted is canceled here, and the
session that runs it notices.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from jupyter_tasks.errors import Conflict
from jupyter_tasks.metering.ledger import record_build
from jupyter_tasks.models import TaskStatus
from jupyter_tasks.store.build_rows import BuildRow, Runtime, cancel_unfinished, insert_build, next_number
from jupyter_tasks.store.journal import Change
from jupyter_tasks.store.task_rows import mark_deleted, touch_task
from jupyter_tasks.tasks.bundle import TaskBundle
from jupyter_tasks.templates.plan import WorkspacePlan
from jupyter_tasks.templates.plan_json import plan_to_json

__all__ = ["new_start", "request_delete", "request_start", "request_stop", "workspace_lost"]

Admit = Callable[[Change], None]
"""Raises LimitReached when no further build may be started (``metering.entitlements``)."""

_NOTHING = Runtime()
"""What the files of a workspace are like is known from the build before, until somebody looks again."""


def new_start(
    change: Change,
    task_id: str,
    plan: WorkspacePlan,
    reason: str,
    admit: Admit,
    build_id: str,
    *,
    before: Runtime = _NOTHING,
) -> BuildRow:
    """Accept a start build: from this moment it counts, also if it fails later. ``build_id`` is the one it was planned
    for."""
    admit(change)
    build = _insert(change, task_id, "start", reason, plan_to_json(plan), build_id=build_id, before=before)
    record_build(change.connection, build_id=build.id, task_id=task_id, created_at=change.now)
    return build


def request_start(
    change: Change,
    bundle: TaskBundle,
    status: TaskStatus,
    useless: bool,
    plan: WorkspacePlan,
    admit: Admit,
    build_id: str,
) -> BuildRow:
    """Resume: from paused, from error, and where the start that runs is ``useless`` (it builds again).

    Raises: Conflict.
    """
    if bundle.build.unfinished and bundle.build.transition != "start":
        raise Conflict(
            "A workspace build is already active.",
            detail=f'The task "{bundle.task.name}" is being paused.',
            hint="Resume it once it is paused.",
        )
    if status not in (TaskStatus.paused, TaskStatus.error) and not useless:
        raise Conflict(
            f'task "{bundle.task.name}" cannot be resumed (current status: {status.value})',
            hint="Only a paused task, one in error, or one whose agent does not run can be resumed.",
            retryable=False,
        )
    return new_start(change, bundle.task.id, plan, "task_resume", admit, build_id, before=bundle.build.runtime)


def request_stop(change: Change, bundle: TaskBundle, reason: str = "task_manual_pause") -> BuildRow:
    """Pause. A start that still runs is canceled; a stop that runs or has ended is returned as it is."""
    if bundle.build.transition == "stop" and (bundle.build.unfinished or bundle.build.status == "succeeded"):
        return bundle.build
    cancel_unfinished(change.connection, bundle.task.id, change.now)
    return _insert(change, bundle.task.id, "stop", reason, bundle.build.plan, before=bundle.build.runtime)


def request_delete(change: Change, bundle: TaskBundle) -> BuildRow:
    """Delete: the task is gone for its owner at once, the workspace follows."""
    cancel_unfinished(change.connection, bundle.task.id, change.now)
    mark_deleted(change.connection, bundle.task.id, change.now)
    return _insert(change, bundle.task.id, "delete", "initiator", bundle.build.plan)


def workspace_lost(change: Change, bundle: TaskBundle, reason: str) -> BuildRow:
    """The processes are gone and nobody asked for it (a reboot): the task is paused, and says why."""
    return _insert(
        change, bundle.task.id, "stop", "task_auto_pause", bundle.build.plan, lost=reason, before=bundle.build.runtime
    )


def _insert(
    change: Change,
    task_id: str,
    transition: str,
    reason: str,
    plan: object,
    *,
    lost: str | None = None,
    build_id: str = "",
    before: Runtime = _NOTHING,
) -> BuildRow:
    build = BuildRow(
        id=build_id or str(uuid4()),
        task_id=task_id,
        number=next_number(change.connection, task_id),
        transition=transition,
        reason=reason,
        status="pending" if lost is None else "succeeded",
        created_at=change.now,
        plan=plan,
        runtime=Runtime(reason=lost, changed_files=before.changed_files, unapplied=before.unapplied),
        finished_at=None if lost is None else change.now,
    )
    insert_build(change.connection, build)
    touch_task(change.connection, task_id, change.now)
    return build
