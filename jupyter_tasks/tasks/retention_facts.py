"""What retention goes by, gathered: the store's rows, the size on disk, what was not applied.

Owns where each fact comes from; what follows from them is decided by ``retention``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path

import anyio.to_thread
from sqlalchemy import Connection

from jupyter_tasks.errors import TasksError
from jupyter_tasks.models import Summary, TaskState
from jupyter_tasks.store.journal import Journal
from jupyter_tasks.store.task_rows import live_tasks
from jupyter_tasks.tasks.bundle import TaskBundle, bundle_of, bundles
from jupyter_tasks.tasks.retention import TaskFacts
from jupyter_tasks.tasks.status import current_state, summary
from jupyter_tasks.tasks.views import facts_of
from jupyter_tasks.workspaces.local_tree import tree_size

__all__ = ["StoredFacts", "size_below"]

_threads = anyio.CapacityLimiter(1)

SizeOf = Callable[[str], Awaitable[int]]
UnappliedOf = Callable[[str], Awaitable[int | None]]


class StoredFacts:
    """A ``retention.FactsSource`` over the store.

    Args:
        journal: the store.
        size: bytes on disk of a workspace, by its id.
        unapplied: how many changed files of a task were not applied; by its id. Asked only of tasks that are not in
            use, one at a time. Where it raises a TasksError that is not known.
    """

    def __init__(self, journal: Journal, size: SizeOf, unapplied: UnappliedOf) -> None:
        self._journal = journal
        self._size = size
        self._unapplied = unapplied

    async def all(self) -> Sequence[TaskFacts]:
        """See ``FactsSource``."""
        return [await self._facts(each) for each in await self._journal.read(_live)]

    async def one(self, task_id: str) -> TaskFacts | None:
        """See ``FactsSource``."""
        bundle = await self._journal.read(lambda connection: bundle_of(connection, task_id))
        return None if bundle is None or bundle.task.deleted_at is not None else await self._facts(bundle)

    async def _facts(self, bundle: TaskBundle) -> TaskFacts:
        facts = facts_of(bundle)
        word, state = summary(facts), current_state(facts)
        complete = state is not None and state.state is TaskState.complete
        finished = word in (Summary.paused, Summary.failed) or complete
        busy = bundle.build.unfinished
        unapplied = None
        if finished and not busy:
            try:
                unapplied = await self._unapplied(bundle.task.id)
            except TasksError:
                unapplied = None
        return TaskFacts(
            id=bundle.task.id,
            name=bundle.task.name,
            summary=word,
            finished=finished,
            busy=busy,
            changed_at=_changed_at(bundle),
            bytes=await self._size(bundle.task.workspace_id),
            unapplied=unapplied,
        )


def size_below(*places: Callable[[str], Path]) -> SizeOf:
    """Sizes of what lies in several places.

    Args:
        places: each says where the files of a workspace are, by its id. What is not there counts nothing.
    """

    def measure(workspace_id: str) -> int:
        return sum(tree_size(place(workspace_id)) for place in places)

    async def size(workspace_id: str) -> int:
        return await anyio.to_thread.run_sync(measure, workspace_id, limiter=_threads)

    return size


def _live(connection: Connection) -> Sequence[TaskBundle]:
    return bundles(connection, live_tasks(connection))


def _changed_at(bundle: TaskBundle) -> datetime:
    times = (
        bundle.task.updated_at,
        bundle.build.created_at,
        bundle.build.finished_at,
        None if bundle.said is None else bundle.said.created_at,
    )
    return max(each for each in times if each is not None)
