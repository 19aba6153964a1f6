"""The Jupyter server's handlers: authenticate and authorize the Jupyter way, then pass on to the engine.

Owns what crosses: no credential of Jupyter goes to the engine (an allow-list of headers), and previews, which are
unauthenticated by design, are relayed to it under their capability alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import unquote_plus

import anyio
from anyio.abc import ByteStream
from jupyter_server.auth.decorator import allow_unauthenticated, authorized
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from jupyter_server.utils import url_path_join
from tornado.web import HTTPError, authenticated

from jupyter_tasks.errors import EngineUnavailable, Forbidden, TasksError
from jupyter_tasks.server import preview_rules
from jupyter_tasks.server.errors import error_body, status_of
from jupyter_tasks.server.exchange import BrokenAnswer, Exchange, Head, without_hop_by_hop
from jupyter_tasks.server.preview_relay import PreviewRelay
from jupyter_tasks.server.relay import answer

if TYPE_CHECKING:
    from jupyter_tasks.server.extension import TasksExtension

__all__ = ["ROUTES", "ExecuteForward", "Forward", "PreviewForward"]

F = TypeVar("F", bound=Callable[..., Any])

RESOURCE = "tasks"
_ROOT = "jupyter-tasks"
_ANSWER = 300.0  # seconds until the head of an answer: the engine has its own, shorter ones for all it does
_REQUEST_PASSES = frozenset(
    {"accept", "accept-language", "content-type", "jupyter-tasks-wire", "last-event-id", "range", "user-agent"}
)
_RESPONSE_DROPS = frozenset({"server", "date", "set-cookie", "x-content-type-options"})
_ALWAYS = frozenset((name.lower(), value) for name, value in preview_rules.ALWAYS)


def _may(action: str) -> Callable[[F], F]:
    """The verb is for who is logged in and may do ``action``."""

    def decorate(method: F) -> F:
        return cast("F", authenticated(authorized(action, RESOURCE)(method)))

    return decorate


class _Forwarding(ExtensionHandlerMixin, APIHandler):
    """What both kinds of API handlers share. Verbs are decorated in the classes below: the decorator remembers the
    action of whoever calls it first."""

    auth_resource = RESOURCE

    def initialize(self, name: str) -> None:
        super().initialize(name)
        self._scope = anyio.CancelScope()
        # Coder's clients send their token under another name; a page of another site cannot set either header
        coder = self.request.headers.get("Coder-Session-Token")
        if coder and "Authorization" not in self.request.headers:
            self.request.headers["Authorization"] = f"token {coder}"
        # an open tab that reads must not keep a server from being culled; what keeps it is work (``keep_alive``)
        self._track_activity = self.request.method not in {"GET", "HEAD", "OPTIONS"}

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._scope.cancel()

    async def forward(self) -> None:
        """Pass the request on, and the answer back as it comes."""
        link = cast("TasksExtension", self.extensionapp).link
        with self._scope:
            # if the engine dies between our connecting and its answering: what only reads is asked once more
            for last in (self.request.method != "GET", True):
                exchange = Exchange(await link.connect())
                try:
                    head = await self._ask(exchange)
                    kept = [pair for pair in without_hop_by_hop(head.headers) if pair[0].lower() not in _RESPONSE_DROPS]
                    await answer(self, exchange, head, kept)
                    return
                except BrokenAnswer as error:
                    if last:
                        raise EngineUnavailable(
                            "The engine of Jupyter Tasks went away during the request.",
                            detail=f"{error}.",
                            hint="Try again: it is started anew.",
                        ) from None
                finally:
                    await exchange.aclose()

    async def _ask(self, exchange: Exchange) -> Head:
        body = self.request.body
        headers = [pair for pair in self.request.headers.get_all() if pair[0].lower() in _REQUEST_PASSES]
        headers += [("Host", "engine"), ("Connection", "close")]
        if body or self.request.method in {"POST", "PUT", "PATCH"}:
            headers.append(("Content-Length", str(len(body))))
        await exchange.send_head(self.request.method or "GET", self._target(), headers)
        await exchange.send_body(body)
        await exchange.end_body()
        return await exchange.head(_ANSWER)

    def _target(self) -> str:
        """Path and query as the engine has them, undecoded; without Jupyter's token."""
        path = self.request.path[len(url_path_join(self.base_url, _ROOT)) :]
        query = "&".join(
            part for part in self.request.query.split("&") if unquote_plus(part.partition("=")[0]) != "token"
        )
        return f"{path}?{query}" if query else path

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        if isinstance(value, TasksError):
            self.log.info("%s %s: %s", self.request.method, self.request.path, value.message)
        else:
            super().log_exception(typ, value, tb)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None, None))[1]
        if status_code == 403 and isinstance(error, HTTPError) and getattr(self, "_jupyter_current_user", None):
            # who is logged in must not be told to log in
            error = Forbidden(error.log_message or "This is not allowed.", hint="The Jupyter server decides on it.")
        if isinstance(error, TasksError):
            self.set_status(status_of(error))
            self.finish(error_body(error).model_dump_json(exclude_none=True))
        else:
            super().write_error(status_code, **kwargs)


class Forward(_Forwarding):
    """Everything but typing: GET reads, all else writes."""

    @_may("read")
    async def get(self, *_: str) -> None:
        await self.forward()

    @_may("write")
    async def post(self, *_: str) -> None:
        await self.forward()

    @_may("write")
    async def put(self, *_: str) -> None:
        await self.forward()

    @_may("write")
    async def patch(self, *_: str) -> None:
        await self.forward()

    @_may("write")
    async def delete(self, *_: str) -> None:
        await self.forward()


class ExecuteForward(_Forwarding):
    """The terminal and AgentAPI (which can type into it): whoever changes anything there must be allowed to execute."""

    @_may("read")
    async def get(self, *_: str) -> None:
        await self.forward()

    @_may("execute")
    async def post(self, *_: str) -> None:
        await self.forward()

    @_may("execute")
    async def put(self, *_: str) -> None:
        await self.forward()

    @_may("execute")
    async def patch(self, *_: str) -> None:
        await self.forward()

    @_may("execute")
    async def delete(self, *_: str) -> None:
        await self.forward()


class PreviewForward(ExtensionHandlerMixin, PreviewRelay, JupyterHandler):
    """A preview: no login, no cookie, no token: the capability is all there is. The host is checked nevertheless."""

    auth_resource = RESOURCE

    def initialize(self, name: str) -> None:
        super().initialize(name)
        self.hide()

    async def prepare(self) -> None:  # type: ignore[override]
        # not JupyterHandler's: it would read (and renew) the login cookie of whoever looks
        self.current_user = self._jupyter_current_user = None
        if not self.check_host():
            raise HTTPError(403)
        await self.begin()

    def check_xsrf_cookie(self) -> None:
        """Nothing to protect: no request here carries the user's authority."""

    async def dial(self) -> ByteStream:
        return await cast("TasksExtension", self.extensionapp).link.connect()

    def _root(self) -> str:
        return url_path_join(self.base_url, _ROOT)

    def target(self) -> str:
        return self.address[len(self._root()) :]

    def outgoing(self) -> list[tuple[str, str]]:
        return preview_rules.request_headers(self.arrived, self._root())

    def incoming(self, head: Head) -> Sequence[tuple[str, str]] | None:
        return [pair for pair in without_hop_by_hop(head.headers) if (pair[0].lower(), pair[1]) not in _ALWAYS]

    @allow_unauthenticated
    def get(self, *_: str) -> Awaitable[None]:
        return self.serve()

    @allow_unauthenticated
    def head(self, *_: str) -> Awaitable[None]:
        return self.serve()

    @allow_unauthenticated
    def post(self, *_: str) -> Awaitable[None]:
        return self.serve()

    @allow_unauthenticated
    def put(self, *_: str) -> Awaitable[None]:
        return self.serve()

    @allow_unauthenticated
    def patch(self, *_: str) -> Awaitable[None]:
        return self.serve()

    @allow_unauthenticated
    def delete(self, *_: str) -> Awaitable[None]:
        return self.serve()

    @allow_unauthenticated
    def options(self, *_: str) -> Awaitable[None]:
        return self.serve()


ROUTES: tuple[tuple[str, type[JupyterHandler]], ...] = (
    (rf"/{_ROOT}/api/v2/tasks/[^/]+/[^/]+/(?:terminal|agentapi/.*)", ExecuteForward),
    (rf"/{_ROOT}/api/v2/.*", Forward),
    (rf"/{_ROOT}/preview/[^/]+(?:/.*)?", PreviewForward),
)
"""Below the server's base URL. The first is the engine's own pattern, undecoded: what matches there matches here."""
