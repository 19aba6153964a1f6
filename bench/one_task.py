"""One task's start: to the first byte of its agent, and what of it is the sandbox's."""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.home import SIGNALLING, command_of, spent, workspace_of
from bench.metrics import Metric, report
from jupyter_tasks import models
from jupyter_tasks.errors import TasksError
from jupyter_tasks.notebook.client import Client
from jupyter_tasks.testing.home import Home, until

__all__ = ["alone_on_a_terminal", "first_byte", "first_terminal_byte", "sandbox"]

WARM_UP = 3


def first_byte(home: Home, client: Client, runs: int) -> list[Metric]:
    """POST to the first byte of the agent's terminal; the agent's own start on a plain PTY subtracted."""
    agent = [sys.executable, "-I", str(SIGNALLING / "files" / "agent.py")]
    alone, ours = [], []
    for number in range(runs + WARM_UP):
        own = alone_on_a_terminal(agent)
        began = time.perf_counter()
        task = client.create(models.CreateTaskRequest(template="signalling", input="wait", project="none"))
        taken = first_terminal_byte(home, client, task) - began
        remove(home, client, task)
        if number >= WARM_UP:
            alone.append(own)
            ours.append(taken)
    own = statistics.median(alone)
    return [
        report(
            Metric(
                metric="POST to the agent's first byte, its own start subtracted, p50",
                value=(statistics.median(ours) - own) * 1000,
                unit="ms",
                target=150,
                against={"the agent alone on a PTY": own * 1000, "best": (min(ours) - min(alone)) * 1000},
            )
        )
    ]


def first_terminal_byte(home: Home, client: Client, task: models.Task) -> float:
    """When a client has the first byte of the agent's terminal.

    It asks once the recording has begun: to ask the engine all the time would take from it the time that is measured.
    """
    workspace = workspace_of(home, task)
    deadline = time.perf_counter() + 60
    while not any(tape.stat().st_size for tape in workspace.glob("*/recordings/*")):
        assert time.perf_counter() < deadline, home.log()
        time.sleep(0.001)
    while True:
        try:
            with client.terminal(task.id, offset=0, follow=True) as terminal:
                for _chunk in terminal:
                    return time.perf_counter()
        except TasksError:
            assert time.perf_counter() < deadline, home.log()
            time.sleep(0.003)


def remove(home: Home, client: Client, task: models.Task) -> None:
    """Delete a task, and wait until nothing of it takes time from the next."""
    client.delete(task.id)
    until(lambda: not workspace_of(home, task).exists(), 60, home.log())


def alone_on_a_terminal(argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> float:
    """Seconds from exec to the first byte of an agent on a PTY, without any of ours."""
    import pty

    began = time.perf_counter()
    pid, descriptor = pty.fork()
    if pid == 0:
        try:
            os.chdir(cwd or "/")
            os.execve(argv[0], list(argv), dict(os.environ if env is None else env))
        finally:
            os._exit(127)
    os.read(descriptor, 1)
    taken = time.perf_counter() - began
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    os.close(descriptor)
    return taken


def sandbox(home: Home, client: Client, runs: int) -> list[Metric]:
    """The sandbox's start to its first command, beside bubblewrap with every namespace and one bind."""
    task = client.create(models.CreateTaskRequest(template="signalling", input="wait", project="none"))
    client.wait(task.id, timeout=60)
    real = _sandbox_of(home, task)
    bare = [real[0], "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--", "true"]
    ours: list[float] = []
    floor: list[float] = []
    for number in range(runs + WARM_UP):
        for argv, into in ((bare, floor), (real, ours)):
            taken = spent(argv)
            if number >= WARM_UP:
                into.append(taken)
    remove(home, client, task)
    return [
        report(
            Metric(
                metric="sandbox start to first command, p50",
                value=statistics.median(ours) * 1000,
                unit="ms",
                target=25,
                against={"bwrap, one bind": statistics.median(floor) * 1000},
            )
        )
    ]


def _sandbox_of(home: Home, task: models.Task) -> list[str]:
    """The command line of a running workspace's sandbox, with ``true`` as its program and without its descriptors."""
    wanted = str(workspace_of(home, task)).encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            command = command_of(entry)
            if command and command[0].endswith(b"bwrap") and any(wanted in word for word in command):
                words = [word.decode() for word in command[: command.index(b"--")]]
                for option in ("--info-fd", "--block-fd", "--sync-fd", "--seccomp"):
                    if option in words:
                        del words[words.index(option) : words.index(option) + 2]
                return [*words, "--", "true"]
    raise LookupError("the workspace is not in a bubblewrap sandbox")
