"""Whether anybody uses the engine: open connections, and when one was last used.

Owns the counting; what follows from it (ending an idle engine) is the engine's business.
"""

from __future__ import annotations

from jupyter_tasks.clock import Clock

__all__ = ["Activity"]


class Activity:
    """Who is connected, and since when nobody is."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = clock.monotonic()
        self.connections = 0

    def opened(self) -> None:
        """Somebody connected."""
        self.connections += 1
        self.touch()

    def closed(self) -> None:
        """Somebody left."""
        self.connections -= 1
        self.touch()

    def touch(self) -> None:
        """Something was used just now (a preview, say)."""
        self._last = self._clock.monotonic()

    def quiet_for(self) -> float:
        """Seconds since the last use; 0 while somebody is connected."""
        return 0.0 if self.connections else self._clock.monotonic() - self._last
