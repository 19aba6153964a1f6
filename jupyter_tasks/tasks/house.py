"""What a task's session works with, and how every change of a task becomes an event.

Owns the bundle of collaborators that the engine puts together once, and the rule that a ``task`` event is written
exactly when something of the task that a list shows has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from jupyter_tasks.clock import Clock
from jupyter_tasks.metering.credentials import Credentials
from jupyter_tasks.metering.gateway import Gateway
from jupyter_tasks.metering.task_tokens import TaskTokens
from jupyter_tasks.store.journal import Change, Journal
from jupyter_tasks.store.log_rows import add_build_log
from jupyter_tasks.tasks.bundle import bundle_of
from jupyter_tasks.tasks.previews import Capabilities
from jupyter_tasks.tasks.review import Review
from jupyter_tasks.tasks.slots import Slots
from jupyter_tasks.tasks.views import event_data
from jupyter_tasks.workspaces.provisioner import Provisioner

__all__ = ["House"]

T = TypeVar("T")

MOST_LOG_TEXT = 8_192


@dataclass(frozen=True, slots=True)
class House:
    """Collaborators of a session."""

    journal: Journal
    clock: Clock
    slots: Slots
    provisioners: Mapping[str, Provisioner]
    capabilities: Capabilities
    review_of: Callable[[str], Review]
    applies: Path
    """Where what was there before an apply is kept."""
    credentials: Credentials
    task_tokens: TaskTokens
    gateway: Gateway
    ready_timeout: float = 30.0
    stop_grace: float = 10.0
    _shown: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    async def change(self, task_id: str, work: Callable[[Change], T]) -> T:
        """One transaction about one task; it ends with a ``task`` event where the task now looks different."""

        def transaction(change: Change) -> T:
            result = work(change)
            self.task_changed(change, task_id)
            return result

        return await self.journal.change(transaction)

    def task_changed(self, change: Change, task_id: str) -> None:
        """Write the ``task`` event of this change, if there is anything to see."""
        bundle = bundle_of(change.connection, task_id)
        if bundle is None:
            return
        data = event_data(bundle, self.slots.waiting())
        if self._shown.get(task_id) == data:
            return
        change.emit("task", task_id, data)
        gone = bundle.task.deleted_at is not None
        change.once_it_stands(lambda: self._know(task_id, None if gone else data))

    def _know(self, task_id: str, shown: Mapping[str, Any] | None) -> None:
        if shown is None:
            self._shown.pop(task_id, None)
        else:
            self._shown[task_id] = shown

    async def log(self, task_id: str, build_id: str, stage: str, text: str, level: str = "info") -> None:
        """Say something about a build, in the log and to whoever follows it."""
        await self.change(task_id, lambda change: self.log_in(change, task_id, build_id, stage, text, level))

    def log_in(self, change: Change, task_id: str, build_id: str, stage: str, text: str, level: str = "info") -> None:
        """The same within a change of the caller's."""
        text = text[:MOST_LOG_TEXT]
        line = add_build_log(change.connection, task_id, build_id, stage, level, text, change.now)
        entry = {
            "id": line,
            "build_id": build_id,
            "stage": stage,
            "level": level,
            "text": text,
            "time": change.now.isoformat(),
        }
        change.emit("build_log", task_id, {"entry": entry})
