"""Minting the capability of a preview. What a capability serves is ``server.previews``."""

from __future__ import annotations

from jupyter_tasks.models import PreviewRequest
from jupyter_tasks.server.handlers.base import ApiHandler

__all__ = ["MintPreviewHandler"]


class MintPreviewHandler(ApiHandler):
    """A new capability for an app of the task."""

    path = "/api/v2/tasks/{user}/{task}/preview"

    async def post(self, user: str, task: str) -> None:
        request = self.parse(PreviewRequest, optional=True)
        capability, response = await self.tasks.mint_preview(self.owner(user), task, request)
        if request.origin and self.context.origin is not None:
            url = await self.context.origin.url(capability)
            response = response.model_copy(update={"url": url})
        await self.answer(response, 201)
