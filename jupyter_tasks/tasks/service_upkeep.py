"""Clean-up, as the HTTP API has it and as it runs by itself once a day.

Owns what the rules of ``retention`` are given: where a workspace's files lie, how many of its changes were applied, and
how a task is deleted.
"""

from __future__ import annotations

from jupyter_tasks import models, places
from jupyter_tasks.tasks.applying import apply_of
from jupyter_tasks.tasks.bundle import bundle_of
from jupyter_tasks.tasks.desk import Desk
from jupyter_tasks.tasks.house import House
from jupyter_tasks.tasks.owner import Owner
from jupyter_tasks.tasks.requests import request_delete
from jupyter_tasks.tasks.retention import Retention
from jupyter_tasks.tasks.retention_facts import StoredFacts, size_below
from jupyter_tasks.tasks.session import Sessions
from jupyter_tasks.workspaces.builds import project_dir

__all__ = ["UpkeepService"]


class UpkeepService(Desk):
    """The part of the service that is about what is no longer needed."""

    def __init__(self, house: House, owner: Owner, sessions: Sessions, retention: Retention) -> None:
        super().__init__(house, owner, sessions)
        state = places.state_dir()
        self._retention = retention
        self._stamp = state / "pruned-at"
        # what a provisioner keeps elsewhere (volumes) it will have to tell itself
        size = size_below(lambda id_: state / "workspaces" / id_, lambda id_: house.review_of(id_).git_dir)
        self._facts = StoredFacts(house.journal, size, self._unapplied)

    async def prune(self, request: models.PruneRequest) -> models.PruneResponse:
        """POST /prune."""
        return await self._retention.prune(request, self._facts, self._drop, self._house.clock.now())

    async def keep_pruning(self) -> None:
        """Once a day, until cancelled."""
        await self._retention.run(self._facts, self._drop, self._house.clock, self._stamp)

    async def _unapplied(self, task_id: str) -> int | None:
        bundle = await self._house.journal.read(lambda connection: bundle_of(connection, task_id))
        if bundle is None or bundle.plan.kind not in self._house.provisioners:
            return None
        tree = project_dir(self._house.provisioners[bundle.plan.kind], bundle.task.workspace_id, bundle.plan)
        return None if tree is None else await apply_of(self._house, bundle, tree).unapplied()

    async def _drop(self, task_id: str) -> None:
        """Delete a task. The session removes its workspace."""
        bundle = await self._house.journal.read(lambda connection: bundle_of(connection, task_id))
        if bundle is None:
            return
        await self._house.change(task_id, lambda change: request_delete(change, bundle))
        self._sessions.wake(task_id)
