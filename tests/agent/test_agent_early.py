"""The coding agent that starts before its shim has: a hint, and nothing but a hint."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from rig import log_of, manifest_of, script, until, whole

from jupyter_tasks.agent.early import announced
from jupyter_tasks.workspaces.connection import Link
from jupyter_tasks.workspaces.link_events import AgentAPIRegistered, ScriptChanged

linux = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads /proc")


def _waiting(
    tmp_path: Path, *arguments: str, stdin: int = subprocess.DEVNULL, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """A launcher that has announced itself and not yet become the shim."""
    shim = tmp_path / "agentapi"
    shim.write_text("#!/bin/sh\necho there\nkill -STOP $$\n")
    shim.chmod(0o700)
    env = {"PATH": os.environ["PATH"], "TERM": "dumb", "LATER": "a=b"} if env is None else env
    process = subprocess.Popen([str(shim), *arguments], stdin=stdin, stdout=subprocess.PIPE, env=env, cwd=tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == b"there\n"
    return process


@linux
def test_what_the_shim_would_say_is_read_from_the_process(tmp_path: Path) -> None:
    process = _waiting(tmp_path, "server", "--type", "claude", "--initial-prompt", " hi ", "--", "claude", "-x", "a b")
    try:
        request = announced(process.pid)
    finally:
        process.kill()
        process.communicate()
    assert request is not None
    assert request["argv"] == ["claude", "-x", "a b"]
    assert (request["type"], request["initial_prompt"], request["port"]) == ("claude", "hi", 3284)
    assert Path(request["cwd"]) == tmp_path.resolve()
    assert request["env"]["LATER"] == "a=b"
    assert "TERM" not in request["env"]


@linux
@pytest.mark.parametrize(
    "arguments",
    [
        ("--version",),
        ("server", "--nonsense", "--", "claude"),
        ("server",),
        ("server", "--exit", "--", "claude"),
        ("server", "--pid-file", "p", "--", "claude"),
    ],
)
def test_what_is_unusual_is_left_to_the_shim(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    process = _waiting(tmp_path, *arguments)
    try:
        assert announced(process.pid) is None
    finally:
        process.kill()
        process.communicate()


@linux
def test_a_prompt_may_come_through_a_pipe(tmp_path: Path) -> None:
    process = _waiting(tmp_path, "server", "--", "claude", stdin=subprocess.PIPE)
    try:
        assert announced(process.pid) is None
    finally:
        process.kill()
        process.communicate()


@linux
def test_nothing_is_begun_without_the_variables(tmp_path: Path) -> None:
    """The kernel shows none while a launcher becomes the shim: 1 of 3,000 was seen in that moment."""
    process = _waiting(tmp_path, "server", "--", "claude", env={})
    try:
        assert announced(process.pid) is None
    finally:
        process.kill()
        process.communicate()


def test_other_processes_and_none_at_all() -> None:
    assert announced(os.getpid()) is None
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    assert announced(process.pid) is None


@linux
@pytest.mark.anyio
@pytest.mark.parametrize("status", [0, 3])
async def test_an_agent_that_ends_before_its_shim_is_there(link: Link, status: int) -> None:
    text = f"cd /tmp; agentapi server -- sh -c 'echo once >> $MINE; exit {status}' < /dev/null; echo status $?"
    await link.start(
        manifest_of(scripts=[script("s", text)], env={"JUPYTER_TASKS_AGENTAPI_PORT": "0", "MINE": "$HOME/x"})
    )
    registered = await until(link, AgentAPIRegistered)
    assert await whole(link, registered.terminal) == b""
    ended = await until(link, ScriptChanged, lambda event: event.status == "ok")
    log = await log_of(link, ended.log)
    assert log.splitlines()[0] == f"Starting server on port {registered.port}"
    assert log.splitlines()[-1] == f"status {min(status, 1)}"
    assert (await link.exec(["sh", "-c", "cat ~/x"])).stdout == b"once\n"
