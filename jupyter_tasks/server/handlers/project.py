"""What of the user's files a workspace would get."""

from __future__ import annotations

from jupyter_tasks.models import ProjectRequest
from jupyter_tasks.server.handlers.base import ApiHandler

__all__ = ["ProjectHandler"]


class ProjectHandler(ApiHandler):
    """Look and count; nothing is made."""

    path = "/api/v2/project"

    async def post(self) -> None:
        await self.answer(await self.tasks.survey(self.parse(ProjectRequest)))
