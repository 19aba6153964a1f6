"""A request below a preview's capability, relayed to whoever answers it: streamed both ways, sandboxed in any case.

Owns what the engine's side (``previews``: to the app) and the Jupyter server's (``forwarding``: to the engine) share.
Nothing heavy is imported: a Jupyter server loads this as it starts.
"""

from __future__ import annotations

import asyncio
import html
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import ByteStream
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler, stream_request_body

from jupyter_tasks.errors import AppUnreachable, NotFound, TasksError
from jupyter_tasks.server import preview_rules
from jupyter_tasks.server.errors import error_body, internal_body, sole, status_of
from jupyter_tasks.server.exchange import BrokenAnswer, Exchange, Head
from jupyter_tasks.server.relay import answer, answer_upgrade

if TYPE_CHECKING:
    from jupyter_tasks.models import ErrorBody

__all__ = ["PreviewRelay"]

_DIAL = 30.0  # seconds
_ANSWER = 120.0  # seconds until the head of an answer
_LARGEST_UPLOAD = 1024 * 1024 * 1024  # bytes; streamed, so this only ends what would never end

_closing: set[asyncio.Future[None]] = set()

log = logging.getLogger(__name__)


@stream_request_body
class PreviewRelay(RequestHandler):
    """A request below a capability, relayed. Subclasses say whereto (``dial``) and what passes.

    The capability is taken out of the request as soon as it is known, so that no log line can hold it.
    """

    SUPPORTED_METHODS = ("GET", "HEAD", "POST", "DELETE", "PATCH", "PUT", "OPTIONS")

    def hide(self) -> None:
        """Keep the address for ourselves and leave a masked one for every log."""
        request = self.request
        self.address = request.uri or "/"
        request.uri = preview_rules.masked(self.address)
        request.path = preview_rules.masked(request.path)
        self.arrived = [pair for pair in request.headers.get_all() if pair[0].lower() != "referer"]
        request.headers.pop("Referer", None)
        self.exchange: Exchange | None = None
        self._refused = False
        self._serving = False
        self._scope = anyio.CancelScope()

    def set_default_headers(self) -> None:
        for name in ("Server", "Content-Type"):
            self.clear_header(name)
        for name, value in preview_rules.ALWAYS:
            self.set_header(name, value)

    def compute_etag(self) -> None:
        """The app's business."""

    # ------------------------------------------------------------ what subclasses say

    async def dial(self) -> ByteStream:
        """A connection to whoever answers. Raises: any TasksError."""
        raise NotFound("There is no such preview.")

    def target(self) -> str:
        """Path and query as the far end sees them."""
        return self.address

    def outgoing(self) -> list[tuple[str, str]]:
        """The request's headers for the far end."""
        return list(self.arrived)

    def incoming(self, head: Head) -> Sequence[tuple[str, str]] | None:
        """The answer's headers beside ``ALWAYS``; None: this answer is not passed on."""
        return head.headers

    # ------------------------------------------------------------ the relay

    async def begin(self) -> None:
        """Connect and send the request's head: to be awaited in ``prepare``, before the body arrives."""
        self.request.connection.set_max_body_size(_LARGEST_UPLOAD)  # type: ignore[union-attr]
        with anyio.move_on_after(_DIAL) as limit:
            stream = await self.dial()
        if limit.cancelled_caught:
            raise AppUnreachable("The app does not answer.", hint="It may still be starting: try again.")
        self.exchange = Exchange(stream)
        try:
            await self.exchange.send_head(self.request.method or "GET", self.target(), self.outgoing())
        except BrokenAnswer as error:
            raise _unreachable(error) from None

    async def data_received(self, chunk: bytes) -> None:
        if self.exchange is None or self._refused:
            return
        try:
            await self.exchange.send_body(chunk)
        except (BrokenAnswer, TimeoutError):
            self._refused = True  # it may have answered without reading all: see what it says

    async def serve(self) -> None:
        """Relay the answer."""
        exchange = self.exchange
        if exchange is None:
            raise AppUnreachable("The app does not answer.")
        self._serving = True
        try:
            with self._scope:
                try:
                    if not self._refused:
                        await exchange.end_body()
                    head = await exchange.head(_ANSWER)
                except BrokenAnswer as error:
                    raise _unreachable(error) from None
                await self._pass_on(exchange, head)
        finally:
            self.exchange = None
            await exchange.aclose()

    async def _pass_on(self, exchange: Exchange, head: Head) -> None:
        headers = self.incoming(head)
        if headers is None:
            raise AppUnreachable(
                "The app sends the browser to another site, which a preview does not do.",
                hint="Follow the link from outside of the preview.",
                retryable=False,
            )
        if head.upgraded:
            await answer_upgrade(self, exchange, [*headers, *preview_rules.ALWAYS])
        else:
            await answer(self, exchange, head, headers)

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._scope.cancel()
        self.on_finish()

    def on_finish(self) -> None:
        # the browser went while it was still sending, or there was no method to serve it: nobody else will close this
        exchange, self.exchange = self.exchange, None
        if exchange is not None and not self._serving:
            closing = asyncio.ensure_future(exchange.aclose())  # bounded by itself
            _closing.add(closing)
            closing.add_done_callback(_closing.discard)

    # ------------------------------------------------------------ errors

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        value = sole(value)
        if not isinstance(value, TasksError | HTTPError | StreamClosedError):
            log.error("a preview request failed: %s %s", self.request.method, self.request.path, exc_info=value)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = sole(kwargs.get("exc_info", (None, None, None))[1])
        if isinstance(error, TasksError):
            status_code, body = status_of(error), error_body(error)
        elif isinstance(error, HTTPError):
            body = error_body(TasksError(f"{self._reason}.", code="http"))
        else:
            body = internal_body("a preview request")
        self.set_status(status_code)
        if "text/html" in self.request.headers.get("Accept", ""):
            self.set_header("Content-Type", "text/html; charset=utf-8")
            self.finish(_page(body))
        else:
            self.set_header("Content-Type", "application/json")
            self.finish(body.model_dump_json(exclude_none=True))


def _unreachable(error: BrokenAnswer) -> AppUnreachable:
    return AppUnreachable(
        "The app does not answer.", detail=f"{error}.", hint="It may still be starting, or have ended: try again."
    )


def _page(body: ErrorBody) -> str:
    lines = [text for text in (body.message, body.detail, body.hint) if text]
    return (
        '<!doctype html><meta charset="utf-8"><title>Preview</title>'
        '<body style="font: 14px system-ui, sans-serif; margin: 2em">'
        + "".join(f"<p>{html.escape(line)}</p>" for line in lines)
    )
