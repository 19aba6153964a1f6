"""What an agent changed, and taking it over, as the HTTP API has them.

Owns where a task's files, project and applies lie; the rules are ``review``'s and ``apply``'s. Both work on a task that
runs and on one that is paused.
"""

from __future__ import annotations

from pathlib import Path

from jupyter_tasks import models
from jupyter_tasks.errors import Conflict
from jupyter_tasks.tasks.applying import apply_of, know_unapplied
from jupyter_tasks.tasks.bundle import TaskBundle
from jupyter_tasks.tasks.desk import Desk
from jupyter_tasks.workspaces.builds import project_dir

__all__ = ["ReviewService"]


class ReviewService(Desk):
    """The part of the service that is about changes."""

    async def diff(self, user: str, task: str) -> models.DiffResponse:
        """GET …/diff: what the agent changed since the workspace began. Raises: Conflict where there is none yet."""
        bundle = await self._bundle(user, task)
        return await self._house.review_of(bundle.task.workspace_id).diff(self._tree(bundle))

    async def apply(self, user: str, task: str, request: models.ApplyRequest) -> models.ApplyResponse:
        """POST …/apply."""
        bundle = await self._bundle(user, task)
        answer = await apply_of(self._house, bundle, self._tree(bundle)).apply(request)
        if answer.applied:
            await know_unapplied(self._house, bundle, self._tree(bundle))
        return answer

    async def undo(self, user: str, task: str) -> models.UndoResponse:
        """POST …/undo."""
        bundle = await self._bundle(user, task)
        answer = await apply_of(self._house, bundle, self._tree(bundle)).undo()
        if answer.undone:
            await know_unapplied(self._house, bundle, self._tree(bundle))
        return answer

    def _tree(self, bundle: TaskBundle) -> Path:
        tree = project_dir(self._house.provisioners[bundle.plan.kind], bundle.task.workspace_id, bundle.plan)
        if tree is None or not tree.is_dir():
            raise Conflict(f'The task "{bundle.task.name}" has no files yet.', hint="Try again once it has started.")
        return tree
