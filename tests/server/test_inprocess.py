"""``engine = "inprocess"``: the real engine inside a real Jupyter server, behind the same socket."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from engine_house import served, settle
from traitlets.config import Config

from jupyter_tasks import launch
from jupyter_tasks import places as where

ROOT = "jupyter-tasks/api/v2"


@pytest.fixture
def jp_server_config(places: Path) -> Config:
    """With the engine inside, and a setting for it."""
    return Config(
        {
            "ServerApp": {"jpserver_extensions": {"jupyter_tasks": True}},
            "TasksExtension": {"engine": "inprocess"},
            "TasksEngine": {"max_active": 3},
        }
    )


@pytest.fixture
def extension(jp_serverapp: Any) -> Any:
    (found,) = jp_serverapp.extension_manager.extension_apps["jupyter_tasks"]
    return found


async def test_it_starts_and_ends_with_the_server(jp_fetch: Any, extension: Any) -> None:
    await extension._start_jupyter_server_extension(extension.serverapp)
    assert not launch.engine_runs(), "the server's start waited for it"
    answers: list[dict[str, Any]] = []

    async def ask() -> None:
        answers.append(json.loads((await jp_fetch(ROOT, "buildinfo")).body))

    async with anyio.create_task_group() as group:  # the first ones come at once: one engine is made
        for _ in range(3):
            group.start_soon(ask)
    assert {answer["mode"] for answer in answers} == {"inprocess"}
    assert len({answer["started_at"] for answer in answers}) == 1
    usage = json.loads((await jp_fetch(ROOT, "usage")).body)
    assert usage["max_active"] == 3, "it reads the settings of this server"
    assert launch.engine_runs()
    await extension.stop_extension()
    assert not launch.engine_runs()
    assert not where.engine_socket().exists()


async def test_it_starts_before_anybody_asks(places: Path, jp_serverapp: Any, extension: Any) -> None:
    await extension._start_jupyter_server_extension(extension.serverapp)
    await settle(lambda: extension.link._known)
    info = await anyio.to_thread.run_sync(launch.engine_info)
    assert info is not None
    assert info["mode"] == "inprocess"
    await extension.stop_extension()
    assert not launch.engine_runs()


async def test_a_server_that_ends_at_once_leaves_none(places: Path, jp_serverapp: Any, extension: Any) -> None:
    await extension._start_jupyter_server_extension(extension.serverapp)
    await settle(launch.engine_runs)  # it holds the lock, and goes on starting
    await extension.stop_extension()
    assert not launch.engine_runs()
    assert not where.engine_socket().exists()


async def test_a_start_that_fails_is_said_and_tried_again(
    places: Path, jp_fetch: Any, extension: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("WARNING"):
        (places / "state").write_text("in the way")
        await extension._start_jupyter_server_extension(extension.serverapp)
        await settle(lambda: "did not start with this server" in caplog.text)
    (places / "state").unlink()
    assert json.loads((await jp_fetch(ROOT, "buildinfo")).body)["mode"] == "inprocess"
    await extension.stop_extension()


async def test_one_that_runs_elsewhere_is_used(jp_fetch: Any, extension: Any) -> None:
    with where.engine_lock().open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        async with served() as house:
            assert (await jp_fetch(ROOT, "tasks")).code == 200
            assert house.service.calls == [("list", "")]
            await extension.stop_extension()
