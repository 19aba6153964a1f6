"""A shim's end of the local control socket: one line out, lines back."""

from __future__ import annotations

import os
import socket

from .. import PROTOCOL
from ..sockets import dial_unix
from ..wire import LINE_LIMIT, Refused, decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Control:
    """A connection to the agent's control socket. Raises: OSError where there is none."""

    def __init__(self) -> None:
        path = os.environ.get("JUPYTER_TASKS_CONTROL", "")
        if not path:
            raise OSError("JUPYTER_TASKS_CONTROL is not set: this runs only inside a workspace")
        self.sock: socket.socket = dial_unix(path)
        self._buffer = b""

    def request(self, op: str, **arguments: Any) -> dict[str, Any]:
        """Ask and return the answer's fields. Raises: Refused, OSError."""
        line = encode({"v": PROTOCOL, "op": op, **arguments})
        if len(line) > LINE_LIMIT:
            raise Refused("bad_request", "arguments and environment are longer than 1 MiB")
        self.sock.sendall(line)
        answer = self.line()
        if answer is None:
            raise OSError("the workspace agent has gone")
        if not answer.get("ok"):
            error = answer.get("error") or {}
            raise Refused(str(error.get("code", "failed")), str(error.get("message", "refused")))
        return answer

    def line(self) -> dict[str, Any] | None:
        """The next JSON line; None at the end."""
        while b"\n" not in self._buffer:
            data = self.sock.recv(65536)
            if not data:
                return None
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return decode(line)

    def send(self, **fields: Any) -> None:
        """Send one line."""
        self.sock.sendall(encode(fields))
