"""Where benchmarks run: a home of its own with the real engine, and how processes in it are measured."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from jupyter_tasks import models
from jupyter_tasks.testing.home import Home

__all__ = [
    "SIGNALLING",
    "agent_pids",
    "command_of",
    "cpu_seconds",
    "fresh_home",
    "resident",
    "spent",
    "workspace_of",
]

SIGNALLING = Path(__file__).parent / "templates" / "signalling"
_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def fresh_home() -> Iterator[Home]:
    """A home whose engine lets many tasks be active and whose agent makes no pauses."""
    home = Home(Path(tempfile.mkdtemp(prefix="jt-bench-")))
    home.env["JUPYTER_TASKS_OFFLINE_DELAY"] = "0"
    home.config("c.TasksEngine.max_active = 1000\n")
    templates = home.root / "data" / "tasks" / "templates"
    templates.mkdir(parents=True)
    (templates / "signalling").symlink_to(SIGNALLING)
    try:
        yield home
    finally:
        home.end()


def workspace_of(home: Home, task: models.Task) -> Path:
    """Where the workspace of a task lies."""
    return home.state / "workspaces" / str(task.workspace_id)


def spent(argv: list[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> float:
    """Seconds that a command takes."""
    began = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, cwd=cwd, env=env)
    return time.perf_counter() - began


def resident(pid: int) -> float:
    """MiB of resident memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_seconds(pid: int) -> float:
    """Seconds of processor time that a process has had, with its ended children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def command_of(entry: Path) -> list[bytes]:
    """The command line of a process (its directory in /proc); [] when it has ended."""
    try:
        return (entry / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def agent_pids(home: Home) -> list[int]:
    """The workspace agents of a home's workspaces."""
    commands = ((int(entry.name), command_of(entry)) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    inside = [pid for pid, words in commands if b"--socket" in words and not words[0].endswith(b"bwrap")]
    mine = str(home.root).encode()
    return [pid for pid in inside if mine in Path(f"/proc/{pid}/mountinfo").read_bytes()]
