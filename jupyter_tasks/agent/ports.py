"""What listens on loopback inside, best effort, from ``/proc/net``.

Owns the looking. Only asked for where the network is the workspace's own: elsewhere it would show the machine's ports.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .events import EventLog
    from .loop import Loop

_LISTEN = "0A"
MOST = 256
FAST, SLOW = 1.0, 5.0
FAST_LOOKS = 60


class Ports:
    """Publishes ``listening`` when the set of ports changes."""

    def __init__(self, loop: Loop, events: EventLog, own: Callable[[], set[int]]) -> None:
        """Args: own: the ports that the agent itself holds, which nobody wants to see."""
        self._loop = loop
        self._own = own
        self._events = events
        self._known: list[int] = []
        self._looks = 0
        self._stopped = False

    def start(self) -> None:
        """Look now and then again, more often in the first minute."""
        if self._stopped:
            return
        own = self._own()
        found = [port for port in listening() if port not in own]
        if found != self._known:
            self._known = found
            self._events.add("listening", ports=found)
        self._looks += 1
        self._loop.later(FAST if self._looks < FAST_LOOKS else SLOW, self.start)

    def stop(self) -> None:
        """Look no more."""
        self._stopped = True


def listening() -> list[int]:
    """TCP ports that something listens on, sorted."""
    ports: set[int] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii", errors="replace") as file:
                lines = file.readlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if len(fields) > 3 and fields[3] == _LISTEN:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return sorted(ports)[:MOST]
