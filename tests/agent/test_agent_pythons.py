"""The agent under the oldest Python it promises, at a path too long for a socket, and as pid 1."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from rig import log_of, manifest_of, script, until, whole

from jupyter_tasks.errors import LinkLost
from jupyter_tasks.testing.agent_process import running_agent
from jupyter_tasks.workspaces.link_events import AgentAPIRegistered, LifecycleChanged, ScriptChanged

pytestmark = pytest.mark.anyio


def _old_python() -> str | None:
    candidates = [os.environ.get("JUPYTER_TASKS_OLD_PYTHON")]
    for name in ("python3.9", "python3.10"):
        candidates += [str(path) for path in (Path.home() / ".pyenv/versions").glob(f"*/bin/{name}")]
        candidates.append(shutil.which(name))
    for path in candidates:
        # a version manager's stand-in is there also where the version is not
        if path and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
            return path
    return None


async def test_the_oldest_python_runs_all_of_it(tmp_path: Path, archive: Path) -> None:
    python = _old_python()
    if python is None:
        pytest.skip("no Python 3.9 or 3.10 here; JUPYTER_TASKS_OLD_PYTHON names one")
    with running_agent(tmp_path, python=python, archive=archive) as agent:
        link = agent.link()
        hello = await link.wait_ready(40)
        assert hello.python.startswith(("3.9.", "3.10."))
        text = "coder stat mem; agentapi server -- sh -c 'echo on a terminal' < /dev/null"
        await link.start(
            manifest_of(
                scripts=[script("s", text)],
                env={"JUPYTER_TASKS_AGENTAPI_PORT": "0"},
                services=[{"name": "coder", "port": 0}],
            )
        )
        registered = await until(link, AgentAPIRegistered)
        assert await whole(link, registered.terminal) == b"on a terminal\r\n"
        await until(link, ScriptChanged, lambda event: event.status == "ok")
        (agent.home / "file").write_text("x")
        async with link.archive_read("~") as pieces:
            assert [piece async for piece in pieces]
        await link.stop(1)


async def test_paths_may_be_longer_than_a_socket_name(tmp_path: Path, archive: Path) -> None:
    folder = tmp_path / ("a" * 90) / ("b" * 90)
    with running_agent(folder, archive=archive) as agent:
        link = agent.link()
        await link.wait_ready(40)
        await link.start(manifest_of(scripts=[script("s", "coder exp sync start x && echo reached")]))
        await until(link, ScriptChanged, lambda event: event.status == "ok")
        assert await log_of(link, "script-s") == "reached\n"


async def test_a_stale_socket_is_replaced_and_a_signal_ends_it_in_order(tmp_path: Path, archive: Path) -> None:
    with running_agent(tmp_path, archive=archive) as first:
        await first.link().wait_ready(40)
        first.process.kill()
        await anyio.to_thread.run_sync(first.process.wait)
        with pytest.raises(LinkLost):
            await first.link().hello()
    stop = {"id": "s", "display_name": "s", "script": "echo x > ~/stopped", "run_on_stop": True}
    with running_agent(tmp_path, archive=archive) as second:
        link = second.link()
        await link.wait_ready(40)
        await link.start(manifest_of(scripts=[stop]))
        await until(link, LifecycleChanged, lambda event: event.state == "ready")
        second.process.send_signal(signal.SIGTERM)
        assert await anyio.to_thread.run_sync(lambda: second.process.wait(40)) == 0
    assert (second.home / "stopped").exists()


async def test_as_pid_1_it_reaps_what_others_leave(tmp_path: Path, archive: Path) -> None:
    unshare = shutil.which("unshare")
    works = unshare and subprocess.run(
        [unshare, "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "true"], capture_output=True
    )
    if not works or works.returncode:
        pytest.skip("no pid namespaces here")
    wrapper = tmp_path / "python-as-pid-1"
    wrapper.write_text(
        f'#!/bin/sh\nexec {unshare} --user --map-root-user --pid --fork --mount-proc {sys.executable} "$@"\n'
    )
    wrapper.chmod(0o755)
    with running_agent(tmp_path / "agent", python=str(wrapper), archive=archive) as agent:
        link = agent.link()
        assert (await link.wait_ready(40)).pid == 1
        text = "for i in 1 2 3; do (setsid true &); done; (setsid sleep 60 &)"
        await link.start(manifest_of(scripts=[script("s", text)]))
        await until(link, ScriptChanged, lambda event: event.status == "ok")
        with anyio.fail_after(30):
            while True:
                found = await link.exec(["sh", "-c", "cat /proc/[0-9]*/stat | cut -d' ' -f2,3"])
                if b"(true) Z" not in found.stdout:
                    break
                await anyio.sleep(0.01)
        assert b"(sleep)" in found.stdout
        await link.stop(1)
