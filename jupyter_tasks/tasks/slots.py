"""Who may be active: at most so many tasks at a time, the others wait in the order in which they asked.

Owns the queue; not why a task wants to be active (``session``).
"""

from __future__ import annotations

import bisect

import anyio

__all__ = ["Slots"]


class Slots:
    """``limit`` places. A task that holds one keeps it until ``release``."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held: set[str] = set()
        self._waiting: list[tuple[str, str]] = []  # (order, task id), sorted
        self._moved = anyio.Event()

    @property
    def held(self) -> int:
        """How many tasks are active."""
        return len(self._held)

    def waiting(self) -> dict[str, int]:
        """The tasks that wait, with their place: 1 is next."""
        return {task_id: place for place, (_, task_id) in enumerate(self._waiting, 1)}

    def take(self, task_id: str) -> None:
        """A place for a task whose workspace runs already (after a restart of the engine): also over the limit."""
        self._held.add(task_id)

    async def acquire(self, task_id: str, order: str) -> None:
        """Wait for a place. ``order`` sorts the queue (the time of the request); cancelling leaves the queue."""
        if task_id in self._held:
            return
        entry = (order, task_id)
        bisect.insort(self._waiting, entry)
        try:
            while len(self._held) >= self.limit or self._waiting[0] != entry:
                await self._moved.wait()
            self._held.add(task_id)
        finally:
            self._waiting.remove(entry)
            self._move()

    def release(self, task_id: str) -> None:
        """Give the place back; nothing happens where there is none."""
        self._held.discard(task_id)
        self._move()

    def _move(self) -> None:
        self._moved.set()
        self._moved = anyio.Event()
