"""Connections of the engine's to a loopback port inside."""

from __future__ import annotations

from .sockets import LoopbackDial
from .streams import Stream, relay

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from .server import Connection


def tunnel(connection: Connection, port: int) -> None:
    """Join a link connection to 127.0.0.1:``port`` (or ::1), or refuse it with the reason."""

    def connected(sock: socket.socket | None, why: str) -> None:
        if sock is None:
            connection.refuse("failed", f"port {port} does not answer: {why}")
            return
        app = Stream.of(connection.loop, sock)
        if connection.stream.closed:
            app.close()
            return
        connection.answer({})
        rest = connection.take_rest()
        relay(connection.stream, app)
        if rest:
            app.write(rest)

    dial = LoopbackDial(connection.loop, port, connected)
    connection.stream.on_close = dial.cancel
