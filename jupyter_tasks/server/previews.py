"""Previews: below ``/preview/<capability>/`` an app of a workspace is shown, without ever acting as the user.

Owns the engine's side: capability -> connection to the app. The relaying is ``preview_relay``, the header rules are
``preview_rules``; the capability itself is minted and revoked by the tasks service.
"""

from __future__ import annotations

from collections.abc import Sequence

from anyio.abc import ByteStream

from jupyter_tasks.errors import NotFound
from jupyter_tasks.server import preview_rules
from jupyter_tasks.server.exchange import Head
from jupyter_tasks.server.preview_relay import PreviewRelay
from jupyter_tasks.tasks.api import TasksApi

__all__ = ["PREVIEW_ROUTE", "PreviewHandler"]

PREVIEW_ROUTE = r"/preview/([^/]+)(/.*)?"


class PreviewHandler(PreviewRelay):
    """The engine's side: the far end is the app."""

    def initialize(self, tasks: TasksApi) -> None:
        self.tasks = tasks
        self.hide()

    async def prepare(self) -> None:
        self.locate()
        self.leads_to = self.tasks.preview(self.capability)
        if self.leads_to is None:
            raise NotFound("There is no such preview.", hint="It may have ended: open it again from the task.")
        agreed = preview_rules.preflight(self.arrived) if self.request.method == "OPTIONS" else None
        if agreed is not None:
            for name, value in agreed:
                self.set_header(name, value)
            self.set_status(204)
            await self.finish()
        elif self.address.partition("?")[0] == self.prefix_here:
            self.redirect(f"{self.prefix}/", status=307)  # without the slash relative links miss
        else:
            await self.begin()

    def locate(self) -> None:
        """Read capability, prefix and the app's own address from the request."""
        self.capability = str(self.path_args[0])
        before = next((value for name, value in self.arrived if name.lower() == "x-forwarded-prefix"), "")
        self.prefix = f"{before.rstrip('/')}/preview/{self.capability}"
        self.prefix_here = f"/preview/{self.capability}"
        rest = self.address[len(self.prefix_here) :]
        self.inner = rest if rest.startswith("/") else f"/{rest}"

    async def dial(self) -> ByteStream:
        if self.leads_to is None:
            raise NotFound("There is no such preview.")
        return await self.leads_to.dial()

    def target(self) -> str:
        return self.inner

    def outgoing(self) -> list[tuple[str, str]]:
        return preview_rules.request_headers(self.arrived, self.prefix or None)

    def incoming(self, head: Head) -> Sequence[tuple[str, str]] | None:
        return preview_rules.response_headers(head.headers, self.inner.partition("?")[0], self.prefix)

    async def _serve(self, *_: str) -> None:
        await self.serve()

    get = head = post = put = delete = patch = options = _serve
