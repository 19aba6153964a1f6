"""Taking an agent's changes over into the user's own files, and back again."""

from __future__ import annotations

from jupyter_tasks.models import ApplyRequest
from jupyter_tasks.server.handlers.base import ApiHandler

__all__ = ["ApplyHandler", "UndoHandler"]


class ApplyHandler(ApiHandler):
    """Apply changes. A conflict or a refusal is an answer (``applied`` false) with a sentence a file, no error."""

    path = "/api/v2/tasks/{user}/{task}/apply"

    async def post(self, user: str, task: str) -> None:
        request = self.parse(ApplyRequest, optional=True)
        await self.answer(await self.tasks.apply(self.owner(user), task, request))


class UndoHandler(ApiHandler):
    """Take the newest apply back."""

    path = "/api/v2/tasks/{user}/{task}/undo"

    async def post(self, user: str, task: str) -> None:
        await self.answer(await self.tasks.undo(self.owner(user), task))
