"""The way from a Jupyter server to the engine."""

from __future__ import annotations

from pathlib import Path

import anyio
import anyio.abc
import pytest
from engine_house import served

from jupyter_tasks.errors import EngineUnavailable
from jupyter_tasks.server.engine_link import EngineLink


async def never() -> None:
    """Starts nothing."""


def test_it_is_made_before_there_is_a_loop() -> None:
    EngineLink(never)


async def test_what_was_started_must_answer(places: Path) -> None:
    with pytest.raises(EngineUnavailable, match="ended as soon as"):
        await EngineLink(never).connect()


async def test_one_start_serves_all_who_ask_at_once(places: Path) -> None:
    starts: list[int] = []
    ready = anyio.Event()

    async def start() -> None:
        starts.append(1)
        await ready.wait()

    link = EngineLink(start)
    async with served() as house, anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(link.ask, "GET", "/api/v2/tasks")
        await anyio.sleep(0.05)
        ready.set()
    assert starts == [1]
    assert len(house.service.calls) == 5


async def test_who_asks_may_go_while_it_starts(places: Path) -> None:
    done: list[str] = []
    begun, ready = anyio.Event(), anyio.Event()

    async def start() -> None:
        begun.set()
        await ready.wait()
        done.append("started")

    async with served(), anyio.create_task_group() as group:
        link = EngineLink(start)

        impatience = anyio.CancelScope()

        async def impatient() -> None:
            with impatience:
                await link.ask("GET", "/api/v2/tasks")

        group.start_soon(impatient)
        await begun.wait()
        impatience.cancel()
        await anyio.sleep(0.05)
        ready.set()
    assert done == ["started"]


async def test_wanted_returns_when_somebody_asks(places: Path) -> None:
    link = EngineLink(never)
    async with served(), anyio.create_task_group() as group:
        with anyio.fail_after(45):

            async def later() -> None:
                await anyio.sleep(0.05)
                await link.ask("GET", "/api/v2/tasks")

            group.start_soon(later)
            await link.wanted()


async def test_an_engine_that_is_silent_is_unavailable(places: Path) -> None:
    from jupyter_tasks import places as where

    listener = await anyio.create_unix_listener(str(where.engine_socket()))

    async def hang_up(stream: anyio.abc.SocketStream) -> None:
        await stream.aclose()

    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, hang_up)
        with pytest.raises(EngineUnavailable, match="does not answer"):
            await EngineLink(never).ask("GET", "/api/v2/tasks")
        group.cancel_scope.cancel()
