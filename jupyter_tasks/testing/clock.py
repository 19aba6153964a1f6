"""A clock that tests turn by hand.

Owns ``FakeClock``. Time stands still until ``advance``; then every sleeper that is due wakes in order, and what it sets
off runs to its next wait before time goes on.
"""

from __future__ import annotations

import heapq
import itertools
from datetime import datetime, timedelta, timezone

import anyio
import anyio.lowlevel

__all__ = ["FakeClock"]

_ROUNDS = 40
"""Turns of the event loop after which what was set off has come to rest: more than any chain of waits is long."""


class FakeClock:
    """A ``jupyter_tasks.clock.Clock``.

    Args:
        start: the wall clock at the beginning (aware).
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=timezone.utc)) -> None:
        self._wall = start
        self._elapsed = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, anyio.Event]] = []

    def now(self) -> datetime:
        return self._wall + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await anyio.lowlevel.checkpoint()
            return
        event = anyio.Event()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), event))
        await event.wait()

    @property
    def sleepers(self) -> int:
        """How many sleeps are pending, abandoned ones included until their moment has come."""
        return len(self._sleepers)

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward (or back) without time passing, as an administrator does."""
        self._wall += timedelta(seconds=seconds)

    async def advance(self, seconds: float) -> None:
        """Let so much time pass, and wait until every task waits again."""
        await _settle()
        end = self._elapsed + seconds
        while self._sleepers and self._sleepers[0][0] <= end + 1e-9:
            self._elapsed = max(self._elapsed, self._sleepers[0][0])
            while self._sleepers and self._sleepers[0][0] <= self._elapsed:
                heapq.heappop(self._sleepers)[2].set()
            await _settle()
        self._elapsed = end
        await _settle()


async def _settle() -> None:
    for _ in range(_ROUNDS):
        await anyio.lowlevel.checkpoint()
