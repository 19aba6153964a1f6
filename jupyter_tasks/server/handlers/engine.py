"""The engine itself: who answers, whether it is well, and the request that it make room for another version."""

from __future__ import annotations

import json

from jupyter_tasks.errors import NotFound
from jupyter_tasks.server.handlers.base import ApiHandler

__all__ = ["BuildInfoHandler", "DoctorHandler", "HandoverHandler", "RouteNotFound"]


class BuildInfoHandler(ApiHandler):
    """Version and wire. A client of any version may ask: this is how it learns that it is too old or too new."""

    path = "/api/v2/buildinfo"
    checks_wire = False

    async def get(self) -> None:
        await self.answer(self.context.info())


class HandoverHandler(ApiHandler):
    """End, with the workspaces running on, so that the engine of another version can take over."""

    path = "/api/v2/engine/handover"
    checks_wire = False

    async def post(self) -> None:
        await self.empty(202)
        self.context.handover()


class DoctorHandler(ApiHandler):
    """What the engine found out about this machine."""

    path = "/api/v2/engine/doctor"

    async def get(self) -> None:
        if self.context.doctor is None:
            raise NotFound("This engine has no doctor.", hint="Run `jupyter tasks doctor` on its machine.")
        found = await self.context.doctor()
        self.set_header("Content-Type", "application/json")
        await self.finish(json.dumps(found, default=str))


class RouteNotFound(ApiHandler):
    """Every path that nothing else serves."""

    path = ""

    async def prepare(self) -> None:
        raise NotFound("Route not found.")
