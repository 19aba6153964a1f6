"""Waiting for "something happened" or for a moment, without waking up otherwise.

Owns ``Pulse``; not what happened.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
import anyio.lowlevel

from jupyter_tasks.clock import Clock, wait_for

__all__ = ["Pulse"]

_PIECE = 0.5
"""Seconds of a wait that a machine can lose by standing still."""
_HARDLY = 1e-6


class Pulse:
    """Everybody who waits is woken by the next ``beat``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._event = anyio.Event()

    def beat(self) -> None:
        """Something happened."""
        event, self._event = self._event, anyio.Event()
        event.set()

    async def wait(self, until: float | None) -> None:
        """Wait for the next beat or for the monotonic moment ``until`` (None: only for the beat)."""
        event = self._event
        if until is None:
            await event.wait()
            return
        left = until - self._clock.monotonic()
        if left <= 0:
            await anyio.lowlevel.checkpoint()
            return
        await wait_for(event, left, self._clock)

    async def until(self, holds: Callable[[], bool], timeout: float | None) -> bool:
        """Wait until ``holds()``, looked at on every beat; False when it does not within ``timeout`` seconds.

        Seconds of a machine that runs: while it stands still, so does whoever is to make it hold.
        """
        left = timeout
        while not holds():
            if left is None:
                await self.wait(None)
                continue
            if left <= 0:
                return False
            piece, began = min(left, _PIECE), self._clock.monotonic()
            await self.wait(began + piece)
            spent = self._clock.monotonic() - began
            left -= piece if spent > piece - _HARDLY else spent
        return True
