"""Time as a dependency, so that tests never sleep.

Owns the ``Clock`` protocol and the real one; ``testing.clock`` has the one that tests turn by hand.
"""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import anyio

__all__ = ["Clock", "SystemClock", "wait_for"]


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


async def wait_for(event: anyio.Event, seconds: float, clock: Clock) -> None:
    """Wait until ``event`` is set, at most so many ``seconds`` of ``clock``."""
    import anyio

    async with anyio.create_task_group() as group:

        async def alarm() -> None:
            await clock.sleep(seconds)
            group.cancel_scope.cancel()

        group.start_soon(alarm, name="alarm")
        await event.wait()
        group.cancel_scope.cancel()
