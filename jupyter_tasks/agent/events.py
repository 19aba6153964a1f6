"""The event log that ``watch`` reads.

Owns sequence numbers and the last events (4,096 of them, 4 MiB), already encoded. It does not know what an event means.
"""

from __future__ import annotations

import time
from collections import deque

from .wire import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .loop import Loop
    from .streams import Stream

KEEP = 4096
KEEP_BYTES = 4 << 20
PING = 15.0


class EventLog:
    """Events in order, each with the next number; ``snapshot`` makes the ``state`` event of a newcomer."""

    def __init__(self, loop: Loop, snapshot: Callable[[], dict[str, Any]]) -> None:
        self._loop = loop
        self._snapshot = snapshot
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._watchers: set[Callable[[], object]] = set()
        self.head = 0

    def add(self, event: str, **fields: Any) -> None:
        """Append one event and wake the watchers."""
        self.head += 1
        line = encode({"seq": self.head, "type": event, "time": now(), **fields})
        self._lines.append(line)
        self._bytes += len(line)
        while len(self._lines) > KEEP or (self._bytes > KEEP_BYTES and len(self._lines) > 1):
            self._bytes -= len(self._lines.popleft())
        for wake in list(self._watchers):
            wake()

    def watch(self, stream: Stream, since: int) -> None:
        """Send every event after ``since``, then live ones, until the stream closes.

        ``since`` -1, or one that is not in this log (too old, or of another agent), begins with ``state``.
        """
        place = since

        def pump() -> None:
            nonlocal place
            while not (stream.full or stream.closed):
                oldest = self.head - len(self._lines) + 1
                if not oldest - 1 <= place <= self.head:
                    if place != -1:
                        stream.write(encode({"type": "gap", "seq": oldest - 1}))
                    stream.write(encode({"seq": self.head, "type": "state", "time": now(), **self._snapshot()}))
                    place = self.head
                if place == self.head:
                    return
                place += 1
                stream.write(self._lines[place - oldest])

        def ping() -> None:
            if not stream.closed:
                if not stream.pending:
                    stream.write(encode({"type": "ping"}))
                self._loop.later(PING, ping)

        def gone() -> None:
            self._watchers.discard(pump)

        self._loop.later(PING, ping)
        self._watchers.add(pump)
        stream.on_drain = pump
        stream.on_eof = stream.close
        stream.on_close = gone
        stream.resume()
        pump()


def now() -> str:
    """The time as events carry it: UTC, ISO 8601 with milliseconds."""
    moment = time.time()
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(moment))}.{int(moment % 1 * 1000):03d}Z"
