"""One HTTP/1.1 connection of a client in a workspace, its bodies streamed both ways.

Owns the protocol (by ``h11``), its bounds and its waits. The client is hostile: heads, bodies and waits are bounded. An
answer that is not ended by ``end`` is cut: the connection closes, and no client takes it for whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import anyio
import h11
from anyio.abc import ByteStream

from jupyter_tasks.metering.gateway_headers import Headers

__all__ = ["GONE", "ClientConnection", "Head", "Refused", "WireLimits"]

GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream)
_READ = 64 * 1024
_SURPLUS = 64 * 1024  # of a request that came before the answer to the one before it


@dataclass(frozen=True, slots=True)
class WireLimits:
    """Bytes and seconds."""

    head: int = 64 << 10
    body: int = 64 << 20
    head_timeout: float = 10.0
    """From a head's first byte to its last."""
    body_timeout: float = 30.0
    """Between two pieces of a body."""
    upload_timeout: float = 600.0
    """For a whole body."""
    idle_timeout: float = 120.0
    """Between two requests."""
    write_timeout: float = 120.0
    """For the client to take a piece."""
    drain: int = 1 << 20
    """What is read, and thrown away, of a body that nobody wants."""


@dataclass(frozen=True, slots=True)
class Head:
    """A request without its body. Names of headers are in lower case."""

    method: str
    target: bytes
    headers: Headers


class Refused(Exception):
    """The request breaks a rule; it is answered with this and the connection closed."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class ClientConnection:
    """Serves one request after the other: ``head``, ``body``, ``begin``, ``send`` …, ``end``, ``next``.

    All raise anyio's errors (``GONE``) when the client is gone; ``head`` and ``body`` raise Refused.
    """

    def __init__(self, stream: ByteStream, limits: WireLimits) -> None:
        self._stream = stream
        self._limits = limits
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head)
        self._uploaded = anyio.Event()
        self._writing_since: float | None = None
        self.gone = False

    async def head(self) -> Head | None:
        """The next request; None when the client has closed or says nothing for long."""
        self._uploaded = anyio.Event()
        end = None
        while True:
            event = self._next_event()
            if event is h11.NEED_DATA:
                wait = self._limits.idle_timeout if end is None else max(0.0, end - anyio.current_time())
                try:
                    with anyio.fail_after(wait):
                        await self._read()
                except TimeoutError:
                    if end is None:
                        return None
                    raise Refused(408, "The head of the request did not come in time.") from None
                end = anyio.current_time() + self._limits.head_timeout if end is None else end
            elif isinstance(event, h11.Request):
                return self._checked(event)
            else:
                return None

    def _checked(self, event: h11.Request) -> Head:
        if event.http_version != b"1.1":
            raise Refused(505, "HTTP/1.1 is spoken here: an older client cannot tell a whole answer from a part.")
        size = sum(len(name) + len(value) for name, value in event.headers) + len(event.target)
        if size > self._limits.head:
            raise Refused(431, "The head of the request is too large.")
        headers = list(event.headers)
        if {b"content-length", b"transfer-encoding"} <= {name for name, _ in headers}:  # two readers, two requests
            raise Refused(400, "The head of the request names two lengths: Content-Length and Transfer-Encoding.")
        length = next((value for name, value in headers if name == b"content-length"), b"0")
        if int(length) > self._limits.body:
            raise self._too_large()
        return Head(event.method.decode("latin-1"), event.target, headers)

    async def body(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises: Refused when it is too long or too slow."""
        size = 0
        deadline = anyio.current_time() + self._limits.upload_timeout
        if self._http.they_are_waiting_for_100_continue:
            await self._write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])))
        while True:
            event = self._next_event()
            if event is h11.NEED_DATA:
                wait = min(self._limits.body_timeout, deadline - anyio.current_time())
                try:
                    with anyio.fail_after(max(0.0, wait)):
                        await self._read()
                except TimeoutError:
                    raise Refused(408, "The body of the request did not come in time.") from None
            elif isinstance(event, h11.Data):
                size += len(event.data)
                if size > self._limits.body:
                    raise self._too_large()
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self._uploaded.set()
                return
            else:
                raise Refused(400, "The request ended in the middle.")

    async def watch(self, scope: anyio.CancelScope) -> None:
        """Once the request is whole: cancel ``scope`` when the client goes away, which only reading can tell, or takes
        nothing for long."""
        await self._uploaded.wait()
        surplus = 0
        while surplus < _SURPLUS:
            data = None
            try:
                with anyio.move_on_after(self._limits.write_timeout / 4):
                    data = await self._stream.receive(_READ)
            except (*GONE, OSError):
                data = b""
            if data is None:  # one look now and then costs less than a limit on every piece
                since = self._writing_since
                if since is None or anyio.current_time() - since < self._limits.write_timeout:
                    continue
            if not data:
                break
            surplus += len(data)
            self._http.receive_data(data)  # a request that is early: for after
        self.gone = True
        scope.cancel()

    async def begin(self, status: int, headers: Headers, piece: bytes = b"") -> None:
        """Send the head of the answer, and the first piece of its body with it."""
        head = self._http.send(h11.Response(status_code=status, headers=list(headers))) or b""
        if piece:
            head += self._http.send(h11.Data(data=piece)) or b""
        await self._write(head)

    async def send(self, piece: bytes) -> None:
        """Send a piece of the answer's body."""
        data = self._http.send(h11.Data(data=piece))
        if not self._uploaded.is_set():
            await self._write(data)
        elif data:
            self._writing_since = anyio.current_time()
            await self._stream.send(data)  # ``watch`` sees to it that it ends
            self._writing_since = None

    async def end(self, piece: bytes = b"") -> None:
        """The answer is whole."""
        last = (self._http.send(h11.Data(data=piece)) or b"") if piece else b""
        await self._write(last + (self._http.send(h11.EndOfMessage()) or b""))

    async def next(self) -> bool:
        """Whether the connection can take another request; what is left of this one's body is thrown away."""
        if self._http.our_state is not h11.DONE:
            return False
        with anyio.move_on_after(self._limits.body_timeout):
            size = 0
            try:
                while self._http.their_state is h11.SEND_BODY and size <= self._limits.drain:
                    event = self._next_event()
                    if event is h11.NEED_DATA:
                        await self._read()
                    elif isinstance(event, h11.Data):
                        size += len(event.data)
            except Refused:
                return False
        if self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    @property
    def can_answer(self) -> bool:
        """Whether nothing of an answer was sent yet."""
        return self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE)

    def _too_large(self) -> Refused:
        return Refused(413, f"The body of the request is over {self._limits.body >> 20} MiB.")

    def _next_event(self) -> object:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as error:
            hint = error.error_status_hint
            raise Refused(hint if 400 <= hint < 500 else 400, f"That is no HTTP: {error}.") from None

    async def _read(self) -> None:
        try:
            self._http.receive_data(await self._stream.receive(_READ))
        except anyio.EndOfStream:
            self._http.receive_data(b"")

    async def _write(self, data: bytes | None) -> None:
        if data:
            try:
                with anyio.fail_after(self._limits.write_timeout):
                    await self._stream.send(data)
            except TimeoutError:
                raise anyio.BrokenResourceError from None
