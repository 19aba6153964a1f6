"""A small HTTP/1.1 server over any anyio byte stream.

Owns the protocol (by ``h11``), its bounds and its timeouts; not what is served: an app is a function from ``Request``
to ``Response``. It serves reverse connections out of workspaces, so whoever is on the other end is hostile: heads,
bodies and waits are bounded, and nothing it sends raises out of ``serve_connection``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import Union
from urllib.parse import parse_qsl, unquote

import anyio
import h11
from anyio.abc import ByteStream

__all__ = ["App", "Limits", "Request", "Response", "problem", "serve_connection"]

_log = logging.getLogger(__name__)
_READ = 64 * 1024
_LINGER = 64 * 1024
_GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError, TimeoutError)


@dataclass(frozen=True)
class Limits:
    """Bytes and seconds."""

    body: int = 1 << 20
    bodies: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({"/upload": (10 << 20) + (64 << 10)}))
    """Other limits for single paths."""
    head: int = 64 << 10
    head_timeout: float = 10.0
    """From a head's first byte to its last."""
    body_timeout: float = 5.0
    """Between two pieces of a body."""
    idle_timeout: float = 60.0
    """Between two requests of one connection."""
    write_timeout: float = 30.0
    app_timeout: float = 120.0
    """For the app to answer; a streamed body may take for ever."""
    requests: int = 10_000
    """On one connection."""

    def body_of(self, path: str) -> int:
        """The limit for a request to this path."""
        return self.bodies.get(path, self.body)


@dataclass(frozen=True)
class Request:
    """One request. ``path`` is decoded and has no query; of a repeated query name or header the last counts."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = b""


Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Response:
    """One answer. ``body`` is sent as it comes when it is an iterator, and closed when the client goes away."""

    status: int = 200
    headers: Headers = ()
    body: Union[bytes, AsyncIterator[bytes]] = b""  # noqa: UP007 -- evaluated on 3.10 by users of get_type_hints


App = Callable[[Request], Awaitable[Response]]


def problem(status: int, detail: str) -> Response:
    """An error as ``application/problem+json``."""
    title = HTTPStatus(status).phrase
    body = json.dumps({"title": title, "status": status, "detail": detail}).encode()
    return Response(status, [("content-type", "application/problem+json")], body)


class _Refused(Exception):
    """The request is answered without the app, and the connection closed."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.response = problem(status, detail)


async def serve_connection(
    stream: ByteStream, app: App, *, limits: Limits | None = None, refuse: Callable[[int, str], Response] | None = None
) -> None:
    """Serve one connection until its client has enough, breaks a rule or is too slow; then close it.

    Args:
        stream: the connection; it is closed in the end.
        app: what answers. What it raises becomes a 500 whose text says nothing of the cause.
        limits: bytes and seconds.
        refuse: makes the body of errors of the protocol itself (status, detail); ``problem`` by default.
    """
    connection = _Connection(stream, limits or Limits(), refuse or problem)
    async with stream:
        try:
            await connection.serve(app)
        except _GONE:
            _log.debug("a client went away in the middle")
        except h11.ProtocolError as error:
            _log.debug("a client broke the protocol: %s", error)


class _Connection:
    def __init__(self, stream: ByteStream, limits: Limits, refuse: Callable[[int, str], Response]) -> None:
        self._stream, self._limits, self._refuse = stream, limits, refuse
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head)

    async def serve(self, app: App) -> None:
        for _count in range(self._limits.requests):
            try:
                head = await self._head()
                if head is None:
                    return
                request = await self._request(head)
            except _Refused as refused:
                await self._refuse_with(refused)
                return
            except h11.RemoteProtocolError as error:
                status = error.error_status_hint or 400
                await self._refuse_with(_Refused(status if 400 <= status < 600 else 400, str(error)))
                return
            await self._send(await self._answer(app, request), head_only=request.method == "HEAD")
            if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                return
            self._http.start_next_cycle()

    async def _head(self) -> h11.Request | None:
        """The next request's head; None when the client has closed, or says nothing for long."""
        timeout = self._limits.idle_timeout
        end = None
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                try:
                    with anyio.fail_after(timeout if end is None else max(0.0, end - anyio.current_time())):
                        data = await self._receive()
                except TimeoutError:
                    if end is None:
                        return None
                    raise _Refused(408, "request header timeout") from None
                end = anyio.current_time() + self._limits.head_timeout if end is None else end
                self._http.receive_data(data)
            elif isinstance(event, h11.Request):
                if sum(len(name) + len(value) for name, value in event.headers) + len(event.target) > self._limits.head:
                    raise _Refused(431, "request header fields are too large")
                return event
            else:
                return None

    async def _request(self, head: h11.Request) -> Request:
        target, _, query = head.target.decode("latin-1").partition("?")
        path = unquote(target if target.startswith("/") else "/" + target.partition("://")[2].partition("/")[2])
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in head.headers}
        pairs = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=100) if query.count("&") < 100 else [])
        body = await self._body(self._limits.body_of(path), headers)
        return Request(head.method.decode("latin-1"), path, pairs, headers, body)

    async def _body(self, limit: int, headers: Mapping[str, str]) -> bytes:
        too_large = f"request body is too large limit={limit} bytes"
        if int(headers.get("content-length", "0") or 0) > limit:
            raise _Refused(413, too_large)
        if self._http.they_are_waiting_for_100_continue:
            await self._write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])))
        body = bytearray()
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                try:
                    with anyio.fail_after(self._limits.body_timeout):
                        data = await self._receive()
                except TimeoutError:
                    raise _Refused(408, "request body timeout") from None
                self._http.receive_data(data)
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > limit:
                    raise _Refused(413, too_large)
            elif isinstance(event, h11.EndOfMessage):
                return bytes(body)
            else:
                raise _Refused(400, "the request ended in the middle")

    async def _answer(self, app: App, request: Request) -> Response:
        try:
            with anyio.fail_after(self._limits.app_timeout):
                return await app(request)
        except TimeoutError:
            return self._refuse(504, "the request took too long")
        except Exception:  # noqa: BLE001 -- the boundary: an app's bug is its own, and not the client's to read
            _log.exception("%s %s failed", request.method, request.path)
            return self._refuse(500, "unexpected error occurred")

    async def _send(self, response: Response, *, head_only: bool = False) -> None:
        headers = [(name, value) for name, value in response.headers if name.lower() != "content-length"]
        body = response.body
        if isinstance(body, bytes):
            headers.append(("content-length", str(len(body))))
        await self._write(self._http.send(h11.Response(status_code=response.status, headers=headers)))
        if isinstance(body, bytes):
            if body and not head_only:
                await self._write(self._http.send(h11.Data(data=body)))
        else:
            await self._send_stream(body, head_only)
        await self._write(self._http.send(h11.EndOfMessage()))

    async def _send_stream(self, body: AsyncIterator[bytes], head_only: bool) -> None:
        """Send pieces as they come; stop at once when the client closes, which only reading can tell."""
        whole = False
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._until_gone, group.cancel_scope)
                whole = head_only or await self._send_pieces(body)
                group.cancel_scope.cancel()
        finally:
            close = getattr(body, "aclose", None)
            if close is not None:
                with anyio.CancelScope(shield=True):
                    await close()
        if not whole:
            raise anyio.BrokenResourceError

    async def _send_pieces(self, body: AsyncIterator[bytes]) -> bool:
        """Whether all of it was sent."""
        try:
            async for piece in body:
                if piece:
                    await self._write(self._http.send(h11.Data(data=piece)))
        except _GONE:
            return False
        except Exception:  # noqa: BLE001 -- the boundary: the head is sent, so all that is left is to break off
            _log.exception("a streamed answer broke off")
            return False
        return True

    async def _until_gone(self, scope: anyio.CancelScope) -> None:
        surplus = 0  # a pipelined request: kept for after
        while surplus < _LINGER:
            try:
                data = await self._receive()
            except _GONE:
                data = b""
            if not data:
                break
            surplus += len(data)
            self._http.receive_data(data)
        scope.cancel()

    async def _refuse_with(self, refused: _Refused) -> None:
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        detail = str(refused)
        response = self._refuse(refused.response.status, detail)
        headers = [*response.headers, ("connection", "close")]
        await self._send(Response(response.status, headers, response.body))

    async def _receive(self) -> bytes:
        try:
            return await self._stream.receive(_READ)
        except anyio.EndOfStream:
            return b""

    async def _write(self, data: bytes | None) -> None:
        if data:
            with anyio.fail_after(self._limits.write_timeout):
                await self._stream.send(data)
