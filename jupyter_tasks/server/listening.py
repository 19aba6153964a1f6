"""The engine's unix socket: 0600, in a directory of the user's own, and the peer's user is checked on every connection.

Owns binding, checking and closing. That there is only one engine is the lock's business (``launch.hold_lock``).
"""

from __future__ import annotations

import logging
import os
import socket
import struct
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerConnectionDelegate
from tornado.iostream import IOStream
from tornado.netutil import bind_unix_socket
from tornado.web import Application

from jupyter_tasks.errors import EngineUnavailable
from jupyter_tasks.server.activity import Activity

__all__ = ["EngineServer", "peer_uid"]

_HEADER_BYTES = 64 * 1024
_UPLOAD_BUFFER = 1024 * 1024  # bytes read ahead of a handler
_LARGEST_DROPPED = 64 * 1024 * 1024  # bytes of a body that is too large and still read to its end

log = logging.getLogger(__name__)


class EngineServer(HTTPServer):
    """An HTTP server for one application on one unix socket, for one user."""

    def initialize(self, app: Application | HTTPServerConnectionDelegate, activity: Activity | None = None) -> None:  # type: ignore[override]
        super().initialize(
            app,
            max_header_size=_HEADER_BYTES,
            max_buffer_size=_LARGEST_DROPPED,
            max_body_size=_LARGEST_DROPPED,
            chunk_size=_UPLOAD_BUFFER,
        )
        self._activity = activity
        self._path: Path | None = None

    def __init__(self, app: Application | HTTPServerConnectionDelegate, activity: Activity | None = None) -> None:
        pass  # tornado makes it in ``initialize``

    def bind_socket(self, path: Path) -> None:
        """Listen at ``path``; a socket that a dead engine left there is replaced: hold the lock.

        Raises: EngineUnavailable when the socket cannot be made.
        """
        try:
            listener = bind_unix_socket(str(path), mode=0o600)
        except (OSError, ValueError) as error:
            raise EngineUnavailable(
                f"The engine cannot listen at {path}.",
                detail=str(error),
                hint="Name another place in JUPYTER_TASKS_RUNTIME_DIR: a short path on a local disk.",
            ) from error
        self._path = path
        self.add_socket(listener)

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        uid = peer_uid(stream.socket)
        if uid is not None and uid != os.getuid():
            log.warning("refused a connection of user %d", uid)
            stream.close()
            return
        if self._activity is not None:
            self._activity.opened()
        super().handle_stream(stream, address)

    def on_close(self, server_conn: Any) -> None:
        super().on_close(server_conn)
        if self._activity is not None:
            self._activity.closed()

    async def close(self) -> None:
        """Listen no more, end every connection, take the socket away."""
        self.stop()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None
        await self.close_all_connections()


def peer_uid(sock: socket.socket) -> int | None:
    """The user at the other end of a unix socket; None where the system does not tell (0600 guards there)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", raw)
    return int(uid)
