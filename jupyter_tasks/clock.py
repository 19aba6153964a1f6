"""Time as a dependency, so that tests never sleep.

Owns the ``Clock`` protocol and the real one; ``testing.clock`` has the one that tests turn by hand.
"""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """What code that cares about time is given."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC. It may jump: never subtract two of them to wait."""

    def monotonic(self) -> float:
        """Seconds since some moment; never jumps."""

    async def sleep(self, seconds: float) -> None:
        """Wait so long by the monotonic clock."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(timezone.utc)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        import anyio

        await anyio.sleep(seconds)
