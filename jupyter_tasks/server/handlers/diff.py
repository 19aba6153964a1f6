"""What the agent changed."""

from __future__ import annotations

from jupyter_tasks.server.handlers.base import ApiHandler

__all__ = ["DiffHandler"]


class DiffHandler(ApiHandler):
    """The changes since the workspace began."""

    path = "/api/v2/tasks/{user}/{task}/diff"

    async def get(self, user: str, task: str) -> None:
        await self.answer(await self.tasks.diff(self.owner(user), task))
