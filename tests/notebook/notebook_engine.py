"""The engine of the notebook's tests, as they see it. Not in conftest: there are several modules of that name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal

from jupyter_tasks import models
from jupyter_tasks.notebook.discovery import Connection
from jupyter_tasks.notebook.handle_session import Session
from jupyter_tasks.testing.service import FakeService

T = TypeVar("T")


@dataclass
class NotebookEngine:
    """An engine in a thread of its own. ``do`` runs something there, where the service lives."""

    service: FakeService
    portal: BlockingPortal
    connection: Connection
    session: Session

    def do(self, call: Callable[..., T], *args: object) -> T:
        return self.portal.call(call, *args)

    def create(self, name: str = "purple", **changes: Any) -> models.Task:
        """A task as somebody else made it, then changed."""
        request = models.CreateTaskRequest(input="secret prompt", name=name)
        task = self.portal.call(self.service.create, "me", request)
        return self.change(task, **changes) if changes else task

    def change(self, task: models.Task, **changes: Any) -> models.Task:
        """The task's new value, told to everybody."""
        return self.portal.call(self.service._store, task.model_copy(update=changes))

    def created(self) -> models.CreateTaskRequest:
        """What the last create asked for."""
        return [call for call in self.service.calls if call[0] == "create"][-1][2]  # type: ignore[return-value]
