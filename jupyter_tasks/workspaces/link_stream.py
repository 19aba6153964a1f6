"""One connection to a workspace agent: dialled safely, read in bounded pieces.

Owns the socket and its rules: no symbolic link is followed, the path may have any length, the peer's user is checked,
a line has a limit. Nothing is read ahead, so a far end that floods waits in its own kernel buffer. It does not know
operations (``connection``).
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import struct
from collections.abc import Collection

import anyio
from anyio.abc import ByteStream

from jupyter_tasks.errors import LinkLost, LinkViolation
from jupyter_tasks.workspaces.provisioner import LinkAddress

__all__ = ["LINE_LIMIT", "LinkStream", "dial"]

LINE_LIMIT = 1 << 20
_CHUNK = 256 * 1024
_BUSY_PAUSE = 0.005


class LinkStream(ByteStream):
    """A connected socket as an anyio byte stream. Closing it while another task waits on it is fine."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._buffer = bytearray()
        self._waiting = 0
        self._closed = False

    async def receive(self, max_bytes: int = _CHUNK) -> bytes:
        """Bytes as they come. Raises: anyio.EndOfStream, ClosedResourceError, BrokenResourceError."""
        await anyio.lowlevel.checkpoint()
        if self._buffer:
            data = bytes(self._buffer[:max_bytes])
            del self._buffer[:max_bytes]
            return data
        while True:
            self._check_open()
            try:
                data = self._sock.recv(max_bytes)
            except (BlockingIOError, InterruptedError):
                await self._wait(anyio.wait_readable)
                continue
            except OSError as problem:
                raise anyio.BrokenResourceError from problem
            if not data:
                raise anyio.EndOfStream
            return data

    async def send(self, item: bytes) -> None:
        """Send all of it. Raises: anyio.ClosedResourceError, BrokenResourceError."""
        await anyio.lowlevel.checkpoint()
        left = memoryview(item)
        while left:
            self._check_open()
            try:
                left = left[self._sock.send(left) :]
            except (BlockingIOError, InterruptedError):
                await self._wait(anyio.wait_writable)
            except OSError as problem:
                raise anyio.BrokenResourceError from problem

    async def send_eof(self) -> None:
        """Tell the far end that no more comes; receiving goes on."""
        self._check_open()
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError as problem:
            raise anyio.BrokenResourceError from problem

    async def aclose(self) -> None:
        self.close()
        await anyio.lowlevel.checkpoint()

    def close(self) -> None:
        """Close now; fine at any time, also from a destructor."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)  # wakes whoever waits, who then closes
        if not self._waiting:
            self._sock.close()

    async def line(self, limit: int = LINE_LIMIT) -> bytes | None:
        """The next line without its end; None where the far end closed between two lines.

        Raises: LinkViolation for a longer or an unfinished one; anyio's errors as ``receive``.
        """
        searched = 0
        while True:
            place = self._buffer.find(b"\n", searched)
            if place > limit or (place < 0 and len(self._buffer) > limit):
                raise LinkViolation(f"The workspace agent sent a line of more than {limit} bytes.")
            if place >= 0:
                line = bytes(self._buffer[:place])
                del self._buffer[: place + 1]
                return line
            searched = len(self._buffer)
            held, self._buffer = self._buffer, bytearray()
            try:
                data = await self.receive(65536)
            except anyio.EndOfStream:
                if held:
                    raise LinkViolation("The workspace agent closed in the middle of a line.") from None
                return None
            finally:
                self._buffer = held
            self._buffer += data

    async def exactly(self, count: int) -> bytes:
        """So many bytes. Raises: anyio.EndOfStream when there are fewer; anyio's errors as ``receive``."""
        data = bytearray()
        while len(data) < count:
            data += await self.receive(count - len(data))
        return bytes(data)

    def _check_open(self) -> None:
        if self._closed:
            raise anyio.ClosedResourceError

    async def _wait(self, ready: object) -> None:
        self._waiting += 1
        try:
            await ready(self._sock)  # type: ignore[operator]
        finally:
            self._waiting -= 1
            if self._closed and not self._waiting:
                self._sock.close()


async def dial(address: LinkAddress, allow_uids: Collection[int], *, timeout: float) -> LinkStream:
    """Connect to a workspace agent.

    Args: allow_uids: users that may hold the other end; timeout: seconds.
    Raises: LinkLost when nobody listens; LinkViolation when it is not a socket, or somebody else's.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        with anyio.fail_after(timeout):
            while not _connect(sock, address):  # noqa: ASYNC110 - there is no event to wait for
                await anyio.sleep(_BUSY_PAUSE)  # its queue of connections is full
        _check_peer(sock, allow_uids)
    except TimeoutError:
        sock.close()
        raise LinkLost(
            f"The workspace agent did not take a connection within {timeout:g} s.", hint="Try again."
        ) from None
    except BaseException:
        sock.close()
        raise
    return LinkStream(sock)


def _connect(sock: socket.socket, address: LinkAddress) -> bool:
    path = address.socket
    try:
        fd = os.open(path, getattr(os, "O_PATH", os.O_RDONLY) | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as problem:
        if problem.errno == errno.ELOOP:
            raise LinkViolation(f"{path} is a symbolic link, not the link's socket.") from None
        if hasattr(os, "O_PATH") or problem.errno not in (errno.ENXIO, errno.EOPNOTSUPP):
            raise LinkLost("The workspace agent has no link socket.", detail=problem.strerror or "") from None
        fd = -1  # a system without O_PATH: sockets cannot be opened, only looked at
    try:
        mode = (os.fstat(fd) if fd >= 0 else os.lstat(path)).st_mode
        if not stat.S_ISSOCK(mode):
            raise LinkViolation(f"{path} is not a socket.")
        name = f"/proc/self/fd/{fd}"
        if fd < 0 or not os.path.exists("/proc/self/fd"):  # noqa: PTH110 - no Path for a constant
            name = os.fspath(path)
        sock.connect(name)
    except BlockingIOError:
        return False
    except OSError as problem:
        if isinstance(problem, LinkViolation):
            raise
        raise LinkLost("The workspace agent does not listen.", detail=problem.strerror or "") from None
    finally:
        if fd >= 0:
            os.close(fd)
    return True


def _check_peer(sock: socket.socket, allow_uids: Collection[int]) -> None:
    if not hasattr(socket, "SO_PEERCRED"):
        return
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _pid, uid, _gid = struct.unpack("3i", raw)
    if uid not in allow_uids:
        raise LinkViolation(f"The link's socket is held by user {uid}, not by the workspace's own.")
