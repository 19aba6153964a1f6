"""Templates that tasks can be made from."""

from __future__ import annotations

from jupyter_tasks.server.handlers.base import ApiHandler

__all__ = ["TemplateHandler", "TemplatesHandler"]


class TemplatesHandler(ApiHandler):
    """All templates."""

    path = "/api/v2/templates"

    async def get(self) -> None:
        await self.answer(await self.tasks.templates())


class TemplateHandler(ApiHandler):
    """One template, with its parameters and presets."""

    path = "/api/v2/templates/{template}"

    async def get(self, template: str) -> None:
        await self.answer(await self.tasks.template(template))
