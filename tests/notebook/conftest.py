"""A real HTTP engine on a real socket, with a service in memory behind it, and a real IPython shell before it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from IPython.core.interactiveshell import InteractiveShell

from jupyter_tasks import models
from jupyter_tasks.notebook import magics
from jupyter_tasks.notebook.discovery import Connection
from jupyter_tasks.notebook.handle_session import Session
from jupyter_tasks.server.app import make_app
from jupyter_tasks.server.listening import EngineServer
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


@asynccontextmanager
async def _served(path: Path) -> AsyncIterator[FakeService]:
    service = FakeService()
    server = EngineServer(make_app(service, info=service.info, handover=lambda: None))
    server.bind_socket(path)
    try:
        yield service
    finally:
        service.end_streams()
        await server.close()


@pytest.fixture
def notebook_engine(tmp_path: Path) -> Iterator[NotebookEngine]:
    path = tmp_path / "engine.sock"
    connection = Connection("socket", "http://engine/", socket=path)
    session = Session(connection)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(_served(path)) as service:
        yield NotebookEngine(service, portal, connection, session)
        session.close()
        until(lambda: not session.follower.alive)


@pytest.fixture
def shell(notebook_engine: NotebookEngine) -> Iterator[InteractiveShell]:
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    magics.load(shell, notebook_engine.session)
    yield shell
    magics.unload(shell)
    InteractiveShell.clear_instance()


def until(true: Callable[[], object], seconds: float = 5.0) -> None:
    """Return when ``true()`` is; fail after ``seconds``."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., None]:
    return until
