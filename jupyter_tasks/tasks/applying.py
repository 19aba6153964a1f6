"""Applies of a task, put together from its rows; and how many of its changes are still to be applied.

Owns what ``apply.Apply`` is given. The count is kept with the build, so that a list, a notification and the question
before a delete need not read a workspace.
"""

from __future__ import annotations

from pathlib import Path

from jupyter_tasks.store.build_rows import latest_build, set_runtime
from jupyter_tasks.store.journal import Change
from jupyter_tasks.tasks.apply import Apply
from jupyter_tasks.tasks.belongings import project_root
from jupyter_tasks.tasks.bundle import TaskBundle
from jupyter_tasks.tasks.house import House

__all__ = ["apply_of", "know_unapplied"]


def apply_of(house: House, bundle: TaskBundle, tree: Path) -> Apply:
    """Applies of this task. ``tree``: the workspace's project directory on this machine."""
    return Apply(
        task_id=bundle.task.id,
        review=house.review_of(bundle.task.workspace_id),
        tree=tree,
        target=project_root(bundle.task.project),
        journal_dir=house.applies,
        clock=house.clock,
        journal=house.journal,
        title=f"{bundle.task.display_name}\n\n{bundle.task.prompt}",
    )


async def know_unapplied(house: House, bundle: TaskBundle, tree: Path) -> None:
    """Count, and keep the figures where they are new. Raises: Conflict where there is no base, LimitReached,
    WorkspaceFailed."""
    count = await apply_of(house, bundle, tree).count()
    changed, unapplied = count.changed, count.unapplied if count.changed else 0

    def work(change: Change) -> None:
        newest = latest_build(change.connection, bundle.task.id)
        if newest is None or (newest.runtime.changed_files, newest.runtime.unapplied) == (changed, unapplied):
            return
        set_runtime(change.connection, newest.id, changed_files=changed, unapplied=unapplied)

    await house.change(bundle.task.id, work)
