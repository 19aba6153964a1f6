"""Whether tasks work, for a JupyterHub that culls idle servers: work keeps this server, waiting does not.

Owns the reading of "works" from events, and for how long one stretch of work counts.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Any

from jupyter_tasks.clock import Clock

__all__ = ["KeepAlive"]

_EVERY = 60.0  # seconds
_STARTING = frozenset({"pending", "initializing"})


class KeepAlive:
    """A ``Watcher`` of events.

    Args:
        hours: for how long one stretch of work of a task counts.
        touch: says that this server is in use.
    """

    def __init__(self, hours: float, touch: Callable[[], None], clock: Clock) -> None:
        self._longest = hours * 3600
        self._touch = touch
        self._clock = clock
        self._since: dict[str, float] = {}

    def reset(self, tasks: list[dict[str, Any]]) -> None:
        """Know these tasks and no others."""
        before = self._since
        self._since = {}
        for task in tasks:
            state = task.get("current_state")
            flat = {**task, "state": state.get("state") if isinstance(state, dict) else None}
            if isinstance(task.get("id"), str) and _works(flat):
                self._since[task["id"]] = before.get(task["id"], self._clock.monotonic())
        self._begun(self._since.keys() - before.keys())

    def see(self, data: dict[str, Any]) -> None:
        """A task has changed."""
        task = data.get("id")
        if not isinstance(task, str):
            return
        if data.get("deleted") is True or not _works(data):
            self._since.pop(task, None)
        elif task not in self._since:
            self._since[task] = self._clock.monotonic()
            self._begun({task})

    @property
    def tasks(self) -> list[str]:
        """The ids of all that work, however long."""
        return list(self._since)

    @property
    def working(self) -> int:
        """How many tasks work, or are being built."""
        now = self._clock.monotonic()
        return sum(now - since < self._longest for since in self._since.values())

    def _begun(self, tasks: Set[str]) -> None:
        """Say at once that work has begun: who culls may look before the minute is over."""
        if tasks and self.working:
            self._touch()

    async def run(self) -> None:
        """Say every minute that this server is in use, for as long as anything works; until cancelled."""
        while True:
            if self.working:
                self._touch()
            await self._clock.sleep(_EVERY)


def _works(task: dict[str, Any]) -> bool:
    if task.get("attention") is not None:
        return False
    return task.get("status") in _STARTING or (task.get("status") == "active" and task.get("state") == "working")
