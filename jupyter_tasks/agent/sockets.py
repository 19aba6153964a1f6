"""Sockets of the agent: unix sockets at paths of any length, loopback dials that never block.

Owns the tricks; not what is said on them.
"""

from __future__ import annotations

import errno
import os
import socket

from .loop import WRITE, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_PATH_LIMIT = 100  # sun_path holds 107 bytes
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_REST = 0.1
_LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


def listen_unix(path: str) -> socket.socket:
    """A listening unix socket (0600) at ``path``; a stale one is replaced. Raises: OSError.

    It appears under its name only when it listens, so that whoever sees it can connect.
    """
    unready = path + ".new"
    try:
        os.unlink(unready)
    except FileNotFoundError:
        pass
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        with _ShortPath(unready) as short:
            sock.bind(short)
        sock.listen(128)
        sock.setblocking(False)
        os.rename(unready, path)
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(mask)
    return sock


def accept(listener: socket.socket, loop: Loop, resume: Callable[[], object]) -> socket.socket | None:
    """The next client; None when there is none any more.

    Out of files, the listener rests a moment and ``resume()`` watches it again: it would wake the loop without end.
    """
    try:
        return listener.accept()[0]
    except OSError as problem:
        if problem.errno in _NO_ROOM:
            loop.unwatch(listener.fileno())
            loop.later(_REST, resume)
        return None


def dial_unix(path: str) -> socket.socket:
    """A blocking connection to a unix socket. Raises: OSError."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _ShortPath(path) as short:
            sock.connect(short)
    except OSError:
        sock.close()
        raise
    return sock


class _ShortPath:
    """A name for a long path: its directory is opened and named through /proc."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = -1

    def __enter__(self) -> str:
        if len(os.fsencode(self._path)) < _PATH_LIMIT:
            return self._path
        directory, name = os.path.split(self._path)
        self._fd = os.open(directory, getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._fd}/{name}"

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)


def listen_loopback(port: int) -> list[socket.socket]:
    """Listeners on 127.0.0.1 and, where there is one, ::1, at one port (0: any free one). Raises: OSError."""
    first = _listen(socket.AF_INET, "127.0.0.1", port)
    listeners = [first]
    try:
        # programs that resolve "localhost" to ::1 and try nothing else are common (Node 17 to 19)
        listeners.append(_listen(socket.AF_INET6, "::1", first.getsockname()[1]))
    except OSError:
        pass
    return listeners


def _listen(family: int, host: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _send_at_once(sock)  # accepted sockets inherit it
        sock.bind((host, port))
        sock.listen(128)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _send_at_once(sock: socket.socket) -> None:
    """No waiting for the far end's acknowledgement (40 ms) before the next small piece: events of a stream."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class LoopbackDial:
    """A connection being made to a port of this workspace: 127.0.0.1 first, then ::1, where several development
    servers listen alone. ``done(socket, "")`` or ``done(None, why)`` is called once, never at once."""

    def __init__(
        self,
        loop: Loop,
        port: int,
        done: Callable[[socket.socket | None, str], object],
        *,
        timeout: float = 5.0,
    ) -> None:
        self._loop = loop
        self._port = port
        self._done: Callable[[socket.socket | None, str], object] | None = done
        self._why = ""
        self._remaining = list(_LOOPBACK)
        self._sock: socket.socket | None = None
        self._timer = loop.later(timeout, self._overdue)
        loop.later(0, self._attempt)

    def cancel(self) -> None:
        """Give up; ``done`` is not called any more."""
        self._done = None
        self._settle(None)

    def _attempt(self) -> None:
        if self._done is None:
            return
        if not self._remaining:
            self._settle(None)
            return
        family, host = self._remaining.pop(0)
        try:
            self._sock = socket.socket(family, socket.SOCK_STREAM)
            self._sock.setblocking(False)
            _send_at_once(self._sock)
            number = self._sock.connect_ex((host, self._port))
        except OSError as problem:
            number = problem.errno or errno.EIO
        if self._sock is not None and number in (0, errno.EINPROGRESS):
            self._loop.watch(self._sock.fileno(), WRITE, self._answered)
        else:
            self._failed(number)

    def _answered(self, _mask: int) -> None:
        sock = self._sock
        if sock is None:
            return
        self._loop.unwatch(sock.fileno())
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._failed(number)
        else:
            self._sock = None
            self._settle(sock)

    def _failed(self, number: int) -> None:
        self._why = self._why or os.strerror(number)  # what 127.0.0.1 said is the better reason
        self._drop()
        self._attempt()

    def _overdue(self) -> None:
        self._why = "timed out"
        self._settle(None)

    def _drop(self) -> None:
        if self._sock is not None:
            self._loop.unwatch(self._sock.fileno())
            self._sock.close()
            self._sock = None

    def _settle(self, sock: socket.socket | None) -> None:
        self._timer.cancel()
        self._drop()
        done, self._done = self._done, None
        if done is not None:
            done(sock, "" if sock is not None else self._why or "refused")
