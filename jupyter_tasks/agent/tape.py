"""What a program wrote, by byte offset: the newest part in memory, the rest on disk.

Owns the ring (1 MiB), the recording (segments on disk, 64 MiB) and where each begins. When the recording is full its
oldest quarter goes, and a reader that asks for it is told the later offset where the bytes really begin. When the
disk fails, the ring still serves. ``send`` feeds a reader at the reader's own speed.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .streams import Stream

RING = 1 << 20
RECORDING = 64 << 20
_SLACK = 128 * 1024  # the ring is trimmed in steps, not at every byte
_READ = 64 * 1024


class _Segment:
    __slots__ = ("length", "path", "start")

    def __init__(self, start: int, path: str) -> None:
        self.start = start
        self.length = 0
        self.path = path


class Tape:
    """Append-only bytes with offsets. ``path`` is the recording's name without suffix."""

    def __init__(self, path: str, *, ring: int = RING, limit: int = RECORDING) -> None:
        self._path = path
        self._ring_size = ring
        self._limit = limit
        self._ring = bytearray()
        self._segments: list[_Segment] = []
        self._fd = -1
        self._retry_at = 0
        self.head = 0
        self.closed = False
        self.problem = ""  # why the recording has a hole, if it has
        self.listeners: set[Callable[[], object]] = set()

    @property
    def start(self) -> int:
        """The oldest offset that can be read."""
        oldest = self.head - len(self._ring)
        return min(oldest, self._segments[0].start) if self._segments else oldest

    def append(self, data: bytes) -> None:
        """Add bytes and wake the readers."""
        if self.closed or not data:
            return
        self._record(data)
        self._ring += data
        self.head += len(data)
        if len(self._ring) > self._ring_size + _SLACK:
            del self._ring[: len(self._ring) - self._ring_size]
        self._wake()

    def close(self) -> None:
        """No more will come. The ring is given back where the recording has everything that it had."""
        if self.closed:
            return
        self.closed = True
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            last = self._segments[-1]
            if not self.problem and last.start + last.length == self.head:
                self._ring = bytearray()
        self._wake()

    def discard(self) -> None:
        """Close, and remove the recording from the disk."""
        self.close()
        for segment in self._segments:
            _unlink(segment.path)
        self._segments.clear()

    def read(self, offset: int, size: int = _READ) -> tuple[int, bytes]:
        """Up to ``size`` bytes at ``offset``, or at the next later offset that is still there; nothing at the head."""
        ring_start = self.head - len(self._ring)
        if offset >= ring_start:
            begin = offset - ring_start
            return offset, bytes(self._ring[begin : begin + size])
        for segment in self._segments:
            if segment.start + segment.length <= offset:
                continue
            offset = max(offset, segment.start)
            data = self._from_disk(segment, offset, size)
            if data:
                return offset, data
        offset = max(offset, ring_start)
        begin = offset - ring_start
        return offset, bytes(self._ring[begin : begin + size])

    def _from_disk(self, segment: _Segment, offset: int, size: int) -> bytes:
        try:
            fd = os.open(segment.path, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return b""
        try:
            begin = offset - segment.start
            return os.pread(fd, min(size, segment.length - begin), begin)
        except OSError:
            return b""
        finally:
            os.close(fd)

    def _record(self, data: bytes) -> None:
        if self.head < self._retry_at:
            return
        try:
            if self._fd < 0 or self._segments[-1].length >= self._limit // 4:
                self._next_segment()
            written = 0
            while written < len(data):
                count = os.write(self._fd, memoryview(data)[written:])
                written += count
                self._segments[-1].length += count
        except OSError as problem:
            # a full disk may have room again: try with a new segment a little later
            self.problem = problem.strerror or str(problem)
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
            self._retry_at = self.head + self._ring_size // 4

    def _next_segment(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        path = f"{self._path}.{self.head}"
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self._segments.append(_Segment(self.head, path))
        while len(self._segments) > 4:
            _unlink(self._segments.pop(0).path)

    def _wake(self) -> None:
        for listener in list(self.listeners):
            listener()


def send(tape: Tape, stream: Stream, offset: int, *, follow: bool) -> None:
    """Send a tape from ``offset`` to ``stream`` and close it at the end (or at today's head if not ``follow``).

    A reader so slow that its place was cut meanwhile is closed: it asks again and learns the new offset.
    """
    place = offset
    last = None if follow else tape.head

    def pump() -> None:
        nonlocal place
        while not (stream.full or stream.closed):
            at, data = tape.read(place)
            if last is not None:
                data = data[: max(0, last - at)]
            if at != place or not data:
                if at != place or last is not None or tape.closed:
                    stream.finish()
                return
            place += len(data)
            stream.write(data)

    def gone() -> None:
        tape.listeners.discard(pump)

    tape.listeners.add(pump)
    stream.on_drain = pump
    stream.on_eof = stream.close
    stream.on_close = gone
    stream.resume()
    pump()


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
