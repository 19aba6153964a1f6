"""The turns in which a new engine takes up the workspaces that the last one left running.

Owns the order, and nothing of the work. All at once they would keep the loop busy for seconds, and nobody else were
answered. So a few attach at a time, all of them before the first does what can wait (listening for what the workspace
asks, hearing its conversation again), which is done one by one and leaves room for whoever asks meanwhile: a task is
shown, and its terminal read, as soon as it is attached.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from jupyter_tasks.agentapi.pulse import Pulse
from jupyter_tasks.clock import Clock

__all__ = ["TakingUp"]

AT_ONCE = 8
TURN = 1.0  # seconds that a workspace whose agent is silent may keep others waiting
LAST = 5.0  # seconds after which the rest begins, whoever has not attached
PAUSE = 0.04  # seconds between two workspaces' rests, of which one keeps the loop busy for less than half


class TakingUp:
    """Turns of ``count`` workspaces, one ``attach`` each; for one that never comes the others wait ``LAST``."""

    def __init__(self, count: int, clock: Clock) -> None:
        self._left = count
        self._clock = clock
        self._attached = Pulse(clock)
        self._attaching = anyio.Semaphore(AT_ONCE)
        self._following = anyio.Lock()

    @asynccontextmanager
    async def attach(self) -> AsyncIterator[None]:
        """The turn to attach. Give it back by its end, also when nothing was there to attach."""
        try:
            async with self._attaching:
                yield
        finally:
            self._left -= 1
            self._attached.beat()

    @asynccontextmanager
    async def rest(self) -> AsyncIterator[None]:
        """The turn for what can wait: start it within, no more."""
        await self._attached.until(lambda: self._left <= 0, LAST)
        async with self._following:
            yield
            await self._clock.sleep(PAUSE)
