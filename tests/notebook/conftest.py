"""A real HTTP engine on a real socket, with a service in memory behind it, and a real IPython shell before it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal
from IPython.core.interactiveshell import InteractiveShell
from notebook_engine import NotebookEngine

from jupyter_tasks.notebook import magics
from jupyter_tasks.notebook.discovery import Connection
from jupyter_tasks.notebook.handle_session import Session
from jupyter_tasks.server.app import make_app
from jupyter_tasks.server.listening import EngineServer
from jupyter_tasks.testing.service import FakeService


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


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Return when ``true()`` is; fail after ``seconds``."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., None]:
    return until
