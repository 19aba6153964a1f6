"""Bytes in and out of one file without ever blocking.

Owns the bounded write buffer and its back-pressure: a writer looks at ``full`` and waits for ``on_drain``; ``relay``
joins two streams so that the slower one slows the faster. It does not know what the bytes mean.
"""

from __future__ import annotations

import os
import select
import socket

from .loop import READ, WRITE, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 256 * 1024
HIGH = 256 * 1024  # a stream with so much unsent is full; one more chunk may still be added
_ARRIVED = 1 << 20  # no pipe or terminal holds more; a program may write for ever


def ignore(*_: object) -> None:
    """The callback that does nothing."""


class Stream:
    """A non-blocking socket, pipe or terminal.

    Callbacks: ``on_data(bytes)``, ``on_eof()`` (the far side sends no more), ``on_drain()`` (room again after
    ``full``), ``on_close()`` (once, whatever closed it, also when that was before it was set). ``on_gone()`` follows
    ``on_close``: it belongs to whoever accepted the stream, the others to whoever uses it now.
    """

    def __init__(self, loop: Loop, fd: int, sock: socket.socket | None = None) -> None:
        self._loop = loop
        self._fd = fd
        self._sock = sock
        self._out = bytearray()
        self._wants_read = False
        self._watched = 0
        self._ending = False
        self._finishing = False
        self.eof = False
        self.ended = False
        self.closed = False
        self.on_data: Callable[[bytes], object] = ignore
        self.on_eof: Callable[[], object] = ignore
        self.on_drain: Callable[[], object] = ignore
        self._on_close: Callable[[], object] = ignore
        self.on_gone: Callable[[], object] = ignore
        os.set_blocking(fd, False)

    @classmethod
    def of(cls, loop: Loop, sock: socket.socket) -> Stream:
        """The stream of a connected socket, which it owns from now on."""
        return cls(loop, sock.fileno(), sock)

    @property
    def full(self) -> bool:
        """Whether a polite writer waits."""
        return len(self._out) >= HIGH

    @property
    def pending(self) -> int:
        """Bytes that have not been taken by the kernel."""
        return len(self._out)

    def fileno(self) -> int:
        return self._fd

    @property
    def on_close(self) -> Callable[[], object]:
        return self._on_close

    @on_close.setter
    def on_close(self, call: Callable[[], object]) -> None:
        if self.closed:  # the far side was gone before it was answered, and nobody would be told
            self._loop.later(0, call)
        else:
            self._on_close = call

    # reading

    def resume(self) -> None:
        """Deliver what arrives to ``on_data``."""
        self._wants_read = True
        self._update()

    def pause(self) -> None:
        """Deliver nothing for now: the kernel's buffer fills, then the far side waits."""
        self._wants_read = False
        self._update()

    def drain(self) -> None:
        """Deliver what has arrived so far at once, unless it is paused."""
        taken, left = 1, _ARRIVED
        while taken and left > 0 and self._wants_read and not (self.eof or self.closed):
            taken = self._receive()
            left -= taken

    def hung_up(self) -> bool:
        """After ``on_eof``: whether the far side has closed altogether (only a unix socket can tell)."""
        poll = select.poll()
        poll.register(self._fd, 0)
        return not self.closed and bool(poll.poll(0))

    # writing

    def write(self, data: bytes) -> None:
        """Send, at once if the kernel takes it. Bytes for a closed stream are dropped."""
        if self.closed or self._ending:
            return
        if self._out:
            self._out += data
            return
        sent = self._send(data)
        if sent < len(data) and not self.closed:
            self._out += memoryview(data)[sent:]
            self._update()

    def end(self) -> None:
        """Send what is left, then tell the far side that no more comes; reading goes on."""
        self._ending = True
        if not self._out:
            self._shut()

    def finish(self) -> None:
        """Send what is left, then close."""
        self._ending = self._finishing = True
        if not self._out:
            self.close()

    def close(self) -> None:
        """Close now; unsent bytes are lost."""
        if self.closed:
            return
        self.closed = True
        self._loop.unwatch(self._fd)
        self._out.clear()
        if self._sock is not None:
            self._sock.close()
        else:
            os.close(self._fd)
        on_close, self._on_close = self._on_close, ignore
        self.on_data = self.on_eof = self.on_drain = ignore
        on_close()
        self.on_gone()

    def release(self) -> socket.socket:
        """Give the socket away, out of the loop; only where nothing is left to send."""
        if self._sock is None or self._out:
            raise ValueError("only an idle socket can be given away")
        self.closed = True
        self._loop.unwatch(self._fd)
        return self._sock

    # inner life

    def _update(self) -> None:
        if self.closed:
            return
        events = (READ if self._wants_read and not self.eof else 0) | (WRITE if self._out else 0)
        if events == self._watched:
            return
        self._watched = events
        if events:
            self._loop.watch(self._fd, events, self._ready)
        else:
            self._loop.unwatch(self._fd)

    def _ready(self, mask: int) -> None:
        if mask & WRITE and self._out:
            self._flush()
        if mask & READ and self._wants_read and not self.closed:
            self._receive()

    def _receive(self) -> int:
        """Returns: how many bytes were delivered."""
        try:
            data = os.read(self._fd, CHUNK)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:  # reset, or EIO: a terminal whose last program has gone
            data = b""
        if data:
            self.on_data(data)
            return len(data)
        self.eof = True
        self._update()
        self.on_eof()
        if self.ended:
            self.close()
        return 0

    def _send(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self._fd, data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self.close()
            return 0

    def _flush(self) -> None:
        was_full = self.full
        sent = self._send(self._out)
        if self.closed:
            return
        del self._out[:sent]
        if not self._out:
            self._update()
            if self._finishing:
                self.close()
                return
            if self._ending:
                self._shut()
                return
        if was_full and not self.full:
            self.on_drain()

    def _shut(self) -> None:
        if self.closed or self.ended:
            return
        self.ended = True
        if self._sock is None:
            self.close()
            return
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()
            return
        if self.eof:
            self.close()


def relay(one: Stream, two: Stream) -> None:
    """Carry bytes both ways until both sides have ended; the end of one direction is passed on as such."""
    for source, target in ((one, two), (two, one)):
        _carry(source, target)
    one.resume()
    two.resume()


def _carry(source: Stream, target: Stream) -> None:
    def forward(data: bytes) -> None:
        target.write(data)
        if target.full:
            source.pause()

    def ended() -> None:
        if source.hung_up():
            source.close()  # not only silent but gone: an answer would reach nobody
        else:
            target.end()

    source.on_data = forward
    source.on_eof = ended
    source.on_close = target.finish
    target.on_drain = source.resume
