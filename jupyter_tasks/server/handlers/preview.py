"""Minting the capability of a preview, and ending those of a task. What a capability serves is ``server.previews``."""

from __future__ import annotations

from jupyter_tasks.models import PreviewRequest
from jupyter_tasks.server.handlers.base import ApiHandler

__all__ = ["MintPreviewHandler"]


class MintPreviewHandler(ApiHandler):
    """Capabilities for apps of the task."""

    path = "/api/v2/tasks/{user}/{task}/preview"

    async def post(self, user: str, task: str) -> None:
        request = self.parse(PreviewRequest, optional=True)
        capability, response = await self.tasks.mint_preview(self.owner(user), task, request)
        if request.origin and self.context.origin is not None:
            url = await self.context.origin.url(capability)
            response = response.model_copy(update={"url": url})
        await self.answer(response, 201)

    async def delete(self, user: str, task: str) -> None:
        """End every capability of the task: an address that got about leads nowhere any more."""
        await self.tasks.revoke_previews(self.owner(user), task)
        await self.empty()
