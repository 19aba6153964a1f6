"""Connections to the agent: one JSON line, one answer, then whatever the operation is.

Owns accepting, reading the request line (bounded, with a deadline), version and token, and how an operation answers.
The link and the local control socket are two servers with different operations.
"""

from __future__ import annotations

from . import PROTOCOL
from .loop import READ, Loop
from .sockets import accept, listen_unix
from .streams import Stream, ignore
from .wire import LINE_LIMIT, Refused, decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from typing import Any

    Operation = Callable[["Connection", dict[str, Any]], "dict[str, Any] | None"]

REQUEST_LIMIT = 10.0  # seconds for the request line
MOST_CONNECTIONS = 400


class Connection:
    """One connection. An operation returns its answer, or None when it answers itself (now or later)."""

    def __init__(self, loop: Loop, stream: Stream) -> None:
        self.loop = loop
        self.stream = stream
        self._rest = b""
        self._answered = False

    def answer(self, fields: dict[str, Any]) -> None:
        """Send the one answer; what follows is up to the operation."""
        self._answered = True
        self.stream.write(encode({"ok": True, **fields}))

    def refuse(self, code: str, message: str, **more: Any) -> None:
        """Send the one answer, which is no, and close."""
        if not self._answered:
            self._answered = True
            self.stream.on_data = self.stream.on_drain = ignore
            self.stream.write(encode({"ok": False, "error": {"code": code, "message": message[:1000]}, **more}))
            self.stream.finish()

    def take_rest(self) -> bytes:
        """What arrived behind the request line, once."""
        rest, self._rest = self._rest, b""
        return rest

    def hold(self, rest: bytes) -> None:
        """Keep what arrived behind the request line."""
        self._rest += rest


class Server:
    """Accepts connections on a unix socket and runs ``operations``. With ``token`` None, none is asked for."""

    def __init__(self, loop: Loop, path: str, token: str | None, operations: dict[str, Operation]) -> None:
        self.loop = loop
        self._token = token
        self._operations = operations
        self._count = 0
        self._listener: socket.socket | None = listen_unix(path)
        self._watch()

    def close(self) -> None:
        """Accept no more; open connections go on."""
        if self._listener is not None:
            self.loop.unwatch(self._listener.fileno())
            self._listener.close()
            self._listener = None

    def _watch(self) -> None:
        if self._listener is not None and self._count < MOST_CONNECTIONS:
            self.loop.watch(self._listener.fileno(), READ, self._accept)

    def _accept(self, _mask: int) -> None:
        if self._listener is None:
            return
        sock = accept(self._listener, self.loop, self._watch)
        if sock is None:
            return
        self._count += 1
        if self._count >= MOST_CONNECTIONS:
            self.loop.unwatch(self._listener.fileno())  # the others wait in the kernel's queue
        _Request(self, Stream.of(self.loop, sock))

    def closed_one(self) -> None:
        """A connection has closed."""
        self._count -= 1
        if self._count == MOST_CONNECTIONS - 1:
            self._watch()

    def run(self, connection: Connection, line: bytes) -> None:
        """Check a request line and run its operation."""
        try:
            request = decode(line)
            if request.get("v") != PROTOCOL:
                connection.refuse("version", "this version of the link is not spoken here", supported=[PROTOCOL])
                return
            if self._token is not None and not _same(self._token, request.get("token")):
                raise Refused("token", "wrong token")
            name = request.get("op")
            operation = self._operations.get(name) if isinstance(name, str) else None
            if operation is None:
                raise Refused("unsupported", f"no operation {str(name)[:60]!r}")
            answer = operation(connection, request)
        except Refused as no:
            connection.refuse(no.code, no.message)
            return
        except Exception as problem:
            connection.refuse("failed", f"internal error: {problem!r}")
            raise  # to the loop's log
        if answer is not None:
            connection.answer(answer)
            connection.stream.finish()


class _Request:
    """A connection whose request line has not been read."""

    def __init__(self, server: Server, stream: Stream) -> None:
        self._server = server
        self._buffer = bytearray()
        loop = server.loop
        stream.on_gone = server.closed_one
        self._connection = Connection(loop, stream)
        self._timer = loop.later(REQUEST_LIMIT, stream.close)
        stream.on_data = self._received
        stream.on_eof = stream.close
        stream.resume()

    def _received(self, data: bytes) -> None:
        self._buffer += data
        line, found, rest = self._buffer.partition(b"\n")
        if not found:
            if len(self._buffer) > LINE_LIMIT:
                self._timer.cancel()
                self._connection.refuse("bad_request", "the request line is too long")
            return
        self._timer.cancel()
        stream = self._connection.stream
        stream.on_data = self._connection.hold
        stream.pause()
        self._connection.hold(bytes(rest))
        self._buffer = bytearray()
        if len(line) > LINE_LIMIT:
            self._connection.refuse("bad_request", "the request line is too long")
            return
        self._server.run(self._connection, bytes(line))


def _same(one: str, two: object) -> bool:
    """Compare in a time that does not depend on where they differ (``hmac`` would cost 9 ms of imports)."""
    if not isinstance(two, str):
        return False
    a, b = one.encode("utf-8"), two.encode("utf-8", "replace")
    difference = len(a) ^ len(b)
    for x, y in zip(a, b):
        difference |= x ^ y
    return difference == 0
