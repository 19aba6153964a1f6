"""Clean-up of old tasks."""

from __future__ import annotations

from jupyter_tasks.models import PruneRequest
from jupyter_tasks.server.handlers.base import ApiHandler

__all__ = ["PruneHandler"]


class PruneHandler(ApiHandler):
    """Delete what retention lets go; without a body only say what that would be."""

    path = "/api/v2/prune"

    async def post(self) -> None:
        await self.answer(await self.tasks.prune(self.parse(PruneRequest, optional=True)))
