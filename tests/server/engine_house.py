"""An engine's HTTP application over a real unix socket, with a service in memory behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import httpx

from jupyter_tasks import places
from jupyter_tasks.server.activity import Activity
from jupyter_tasks.server.app import make_app
from jupyter_tasks.server.listening import EngineServer
from jupyter_tasks.server.preview_origin import PreviewOrigin
from jupyter_tasks.testing.clock import FakeClock
from jupyter_tasks.testing.service import FakeService


@dataclass
class House:
    """A served application and what tests look at."""

    service: FakeService
    client: httpx.AsyncClient
    origin: PreviewOrigin
    activity: Activity
    clock: FakeClock
    socket: Path
    handovers: list[str] = field(default_factory=list)


@asynccontextmanager
async def served(service: FakeService | None = None) -> AsyncIterator[House]:
    """Serve ``service`` at the engine's place."""
    service = service or FakeService()
    clock = FakeClock()
    activity = Activity(clock)
    origin = PreviewOrigin(service, activity)
    handovers: list[str] = []
    app = make_app(service, info=service.info, handover=lambda: handovers.append("asked"), clock=clock, origin=origin)
    server = EngineServer(app, activity)
    path = places.engine_socket()
    server.bind_socket(path)
    transport = httpx.AsyncHTTPTransport(uds=str(path))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://engine", timeout=20) as client:
            yield House(service, client, origin, activity, clock, path, handovers)
    finally:
        service.end_streams()
        await origin.stop()
        await server.close()


async def settle(condition: Callable[[], object]) -> None:
    """Wait until ``condition`` holds."""
    with anyio.fail_after(45):
        while not condition():  # noqa: ASYNC110 (it is the far end's state)
            await anyio.sleep(0.01)
