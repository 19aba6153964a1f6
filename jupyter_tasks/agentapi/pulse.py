"""Waiting for "something happened" or for a moment, without waking up otherwise.

Owns ``Pulse``; not what happened.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
import anyio.lowlevel

from jupyter_tasks.clock import Clock

__all__ = ["Pulse"]


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
        async with anyio.create_task_group() as group:
            group.start_soon(self._alarm, left, group.cancel_scope)
            await event.wait()
            group.cancel_scope.cancel()

    async def until(self, holds: Callable[[], bool], timeout: float | None) -> bool:
        """Wait until ``holds()``, looked at on every beat; False when it does not within ``timeout`` seconds."""
        end = None if timeout is None else self._clock.monotonic() + timeout
        while not holds():
            if end is not None and self._clock.monotonic() >= end:
                return False
            await self.wait(end)
        return True

    async def _alarm(self, seconds: float, scope: anyio.CancelScope) -> None:
        await self._clock.sleep(seconds)
        scope.cancel()
