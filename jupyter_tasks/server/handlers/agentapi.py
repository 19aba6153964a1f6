"""A task's own AgentAPI, as AgentAPI serves it: every request below ``…/agentapi/`` is passed on as it is."""

from __future__ import annotations

import anyio

from jupyter_tasks.errors import AppUnreachable
from jupyter_tasks.server import preview_rules
from jupyter_tasks.server.context import Context
from jupyter_tasks.server.exchange import BrokenAnswer, Exchange, without_hop_by_hop
from jupyter_tasks.server.handlers.base import ApiHandler
from jupyter_tasks.server.relay import answer

__all__ = ["AgentApiHandler"]

_ANSWER = 120.0  # seconds
_PASSED = frozenset({"accept", "accept-encoding", "accept-language", "content-type", "last-event-id", "user-agent"})


class AgentApiHandler(ApiHandler):
    """Only a few headers go in. The answer is as untrusted as a preview's, so it is sandboxed in the same way."""

    path = "/api/v2/tasks/{user}/{task}/agentapi/{path*}"

    def initialize(self, context: Context) -> None:
        super().initialize(context)
        self._scope = anyio.CancelScope()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._scope.cancel()

    async def _pass(self, user: str, task: str, _path: str) -> None:
        body = self.raw_body()
        headers = [pair for pair in self.request.headers.get_all() if pair[0].lower() in _PASSED]
        headers = [*without_hop_by_hop(headers), ("Host", "localhost"), ("Connection", "close")]
        if body or self.request.method in {"POST", "PUT", "PATCH"}:
            headers.append(("Content-Length", str(len(body))))
        # the address as it came, undecoded, from the fifth segment on
        target = "/" + (self.request.uri or "").split("/agentapi/", 1)[1]
        with self._scope:
            async with self.tasks.agentapi(self.owner(user), task) as stream:
                exchange = Exchange(stream)
                try:
                    await exchange.send_head(self.request.method or "GET", target, headers)
                    await exchange.send_body(body)
                    await exchange.end_body()
                    head = await exchange.head(_ANSWER)
                except BrokenAnswer as error:
                    raise AppUnreachable("The task's AgentAPI does not answer.", detail=f"{error}.") from None
                self.set_header("Content-Security-Policy", preview_rules.SANDBOX.partition(" ")[0])
                passed = preview_rules.response_headers(head.headers, target.partition("?")[0], "") or []
                await answer(self, exchange, head, [pair for pair in passed if pair[0].lower() != "location"])

    get = post = put = delete = patch = _pass
