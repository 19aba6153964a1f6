"""File trees as tar streams.

Owns ``archive.read`` and ``archive.write``. Each runs in a forked child on the connection's own socket, so that a big
tree neither blocks the loop nor leaves ``tarfile`` in the agent's memory.
"""

from __future__ import annotations

import os
import socket

from .wire import Refused, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import tarfile
    from collections.abc import Callable
    from typing import Any

    from .server import Connection

MOST = 8
IDLE_LIMIT = 60.0  # a far end that does nothing for so long ends the transfer


class Archives:
    """Transfers that run now."""

    def __init__(self) -> None:
        self._running = 0

    def read(self, connection: Connection, path: str) -> None:
        """Send the directory ``path`` as a tar stream. Raises: Refused."""
        if not os.path.isdir(path):
            raise Refused("not_found", f"{path} is not a directory")
        self._fork(connection, lambda sock, _rest: _pack(sock, path))

    def write(self, connection: Connection, path: str) -> None:
        """Unpack a tar stream below the directory ``path``, made if need be. Raises: Refused."""
        try:
            os.makedirs(path, exist_ok=True)
        except OSError as problem:
            raise Refused("failed", f"{path} cannot be made: {problem.strerror}") from None
        self._fork(connection, lambda sock, rest: _unpack(sock, rest, path))

    def _fork(self, connection: Connection, work: Callable[[socket.socket, bytes], None]) -> None:
        if self._running >= MOST:
            raise Refused("conflict", f"{MOST} transfers are running")
        connection.answer({})
        if connection.stream.closed:
            return
        sock, rest = connection.stream.release(), connection.take_rest()
        connection.stream.on_gone()
        pid = os.fork()
        if pid == 0:
            _be_child(sock, rest, work)
        sock.close()
        self._running += 1
        connection.loop.child(pid, self._ended)

    def _ended(self, _code: int) -> None:
        self._running -= 1


def _be_child(sock: socket.socket, rest: bytes, work: Callable[[socket.socket, bytes], None]) -> None:
    """In the child: never returns."""
    status = 1
    try:
        import signal

        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        # the agent's other connections must not be held open here
        own = sock.fileno()
        os.closerange(3, own)
        os.closerange(own + 1, 65536)
        sock.settimeout(IDLE_LIMIT)
        work(sock, rest)
        status = 0
    finally:
        os._exit(status)


class _Bounded:
    """A file object over the socket; ``first`` is what arrived already."""

    def __init__(self, sock: socket.socket, first: bytes = b"") -> None:
        self._sock = sock
        self._first = first

    def read(self, size: int) -> bytes:
        if self._first:
            data, self._first = self._first[:size], self._first[size:]
            return data
        return self._sock.recv(min(size, 1 << 20))

    def write(self, data: bytes) -> int:
        self._sock.sendall(data)
        return len(data)


def _pack(sock: socket.socket, path: str) -> None:
    import tarfile

    def wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return member if member.isfile() or member.isdir() or member.issym() or member.islnk() else None

    with tarfile.open(fileobj=_Bounded(sock), mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
        for name in sorted(os.listdir(path)):
            tar.add(os.path.join(path, name), arcname=name, filter=wanted)


def _unpack(sock: socket.socket, rest: bytes, path: str) -> None:
    import tarfile

    files = 0
    try:
        with tarfile.open(fileobj=_Bounded(sock, rest), mode="r|") as tar:  # type: ignore[call-overload]
            for member in tar:
                _check(member.name)
                if hasattr(tarfile, "data_filter"):
                    tar.extract(member, path, filter="data")
                else:
                    tar.extract(member, path)
                files += 1
        answer: dict[str, Any] = {"ok": True, "files": files}
    except (OSError, tarfile.TarError, ValueError) as problem:
        error = {"code": "failed", "message": f"after {files} files: {str(problem)[:300]}"}
        answer = {"ok": False, "error": error}
    sock.sendall(encode(answer))


def _check(name: str) -> None:
    if name.startswith("/") or ".." in name.split("/"):
        raise ValueError(f"{name!r} leaves the directory")
