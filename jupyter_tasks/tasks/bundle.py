"""Everything the store knows of a task, read in one go.

Owns the value and its query; what it means is said by ``status`` and ``views``.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from jupyter_tasks.errors import NotFound
from jupyter_tasks.store.build_rows import BuildRow, latest_build, latest_builds
from jupyter_tasks.store.llm_rows import LlmTotals, totals_of, totals_of_all
from jupyter_tasks.store.talk_rows import (
    AppStatusRow,
    ConversationRow,
    conversation_of,
    conversations_of,
    latest_app_status,
    latest_app_statuses,
)
from jupyter_tasks.store.task_rows import TaskRow, find_task, task_by_id
from jupyter_tasks.templates.plan import WorkspacePlan
from jupyter_tasks.templates.plan_json import plan_from_json

__all__ = ["TaskBundle", "bundle_of", "bundles", "found_bundle"]


KEPT_PLANS = 256


class _Plans:
    """The plans of the builds that were read last: every change of a task asks, and to compare is quicker than to
    read one anew."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[Any, WorkspacePlan]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, build: BuildRow) -> WorkspacePlan:
        with self._lock:
            kept = self._kept.get(build.id)
        if kept is not None and kept[0] == build.plan:
            return kept[1]
        found = plan_from_json(build.plan)
        with self._lock:
            self._kept[build.id] = (build.plan, found)
            if len(self._kept) > KEPT_PLANS:
                self._kept.popitem(last=False)
        return found


_plans = _Plans()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskBundle:
    """One task with its newest build (stop and delete builds carry the plan of the start before them), what its
    agent said last, where the talk stands, and what it used of the LLM gateway (None: it made no call)."""

    task: TaskRow
    build: BuildRow
    plan: WorkspacePlan
    said: AppStatusRow | None
    talk: ConversationRow | None
    llm: LlmTotals | None = None


def bundles(connection: Connection, rows: Sequence[TaskRow]) -> Sequence[TaskBundle]:
    """The bundles of these tasks, in their order, in a fixed number of queries."""
    ids = [row.id for row in rows]
    builds = latest_builds(connection, ids)
    said = latest_app_statuses(connection, ids)
    talks = conversations_of(connection, ids)
    used = totals_of_all(connection, ids)
    return [
        TaskBundle(
            task=row,
            build=builds[row.id],
            plan=_plans.of(builds[row.id]),
            said=said.get(row.id),
            talk=talks.get(row.id),
            llm=used.get(row.id),
        )
        for row in rows
        if row.id in builds
    ]


def bundle_of(connection: Connection, task_id: str) -> TaskBundle | None:
    """The bundle of one task, deleted or not."""
    row = task_by_id(connection, task_id)
    return None if row is None else _bundle(connection, row)


def _bundle(connection: Connection, row: TaskRow) -> TaskBundle | None:
    build = latest_build(connection, row.id)
    if build is None:
        return None
    return TaskBundle(
        task=row,
        build=build,
        plan=_plans.of(build),
        said=latest_app_status(connection, row.id),
        talk=conversation_of(connection, row.id),
        llm=totals_of(connection, row.id),
    )


def found_bundle(connection: Connection, owner_id: str, identifier: str) -> TaskBundle:
    """The bundle of a live task by UUID or name. Raises: NotFound."""
    row = find_task(connection, owner_id, identifier)
    found = None if row is None else _bundle(connection, row)
    if found is None:
        raise NotFound(
            "Resource not found or you do not have access to this resource",
            detail=f'No task "{identifier}".',
            hint="`jupyter tasks list` shows your tasks.",
        )
    return found
