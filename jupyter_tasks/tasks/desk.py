"""Finding the task that a request is about.

Owns who may ask for what, and the two things that every request needs: the task's rows, and its running workspace. The
parts of the service (``service``, ``service_review`` …) stand on it.
"""

from __future__ import annotations

from jupyter_tasks.errors import Conflict
from jupyter_tasks.tasks import views
from jupyter_tasks.tasks.bundle import TaskBundle, found_bundle
from jupyter_tasks.tasks.house import House
from jupyter_tasks.tasks.live import LiveWorkspace
from jupyter_tasks.tasks.owner import Owner
from jupyter_tasks.tasks.session import Sessions

__all__ = ["Desk"]


class Desk:
    """Where a part of the service begins."""

    def __init__(self, house: House, owner: Owner, sessions: Sessions) -> None:
        self._house = house
        self._owner = owner
        self._sessions = sessions

    async def _bundle(self, user: str, task: str) -> TaskBundle:
        """The rows of a task. Raises: NotFound, Forbidden."""
        self._owner.require(user)
        return await self._house.journal.read(lambda connection: found_bundle(connection, self._owner.id, task))

    def _require_live(self, bundle: TaskBundle) -> LiveWorkspace:
        """The task's attached workspace. Raises: Conflict where it does not run."""
        live = self._sessions.live(bundle.task.id)
        if live is None:
            status = views.status_of(bundle).value
            raise Conflict(
                f"Task is {status}.",
                detail=f'The workspace of "{bundle.task.name}" does not run.',
                hint="Resume the task first." if status in ("paused", "error") else "Try again once it is active.",
                code="task_not_active",
            )
        return live
