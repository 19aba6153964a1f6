"""From POST to the first byte of Claude Code, in the user's project. Against: ``git worktree add`` and ``claude``.

It needs the real ``claude``, in the directory that JUPYTER_TASKS_TEST_AGENTS names; without it, it says so and measures
nothing. No model is asked: the first byte of its screen comes before that.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench.home import fresh_home, spent
from bench.metrics import Metric, report
from bench.one_task import alone_on_a_terminal, first_terminal_byte, remove
from bench.snapshot import FILES, repository
from jupyter_tasks import models
from jupyter_tasks.testing.agent_clis import WHERE

__all__ = ["project_start"]


def project_start(runs: int) -> list[Metric]:
    """Reported, without a target."""
    name = f"POST to Claude Code's first byte with {FILES:,} files, its own start subtracted, p50"
    agents = Path(os.environ.get(WHERE) or "/nonexistent")
    if not (agents / "claude").exists():
        print(f"  left out: {name}: {WHERE} names no directory with `claude`", file=sys.stderr)
        return []
    path = f"{agents}{os.pathsep}{os.environ['PATH']}"
    alone: list[float] = []
    trees: list[float] = []
    ours: list[float] = []
    with repository() as top, fresh_home() as home:
        home.env.update({"PATH": path, "ANTHROPIC_API_KEY": "sk-ant-bench-never-sent"})
        home.cli("serve", "--detached")  # with the key in its environment
        with home.client() as client:
            for number in range(runs + 1):
                tree, own = _by_hand(top, agents, path)
                began = time.perf_counter()
                task = client.create(
                    models.CreateTaskRequest(
                        template="project",
                        input="wait",
                        directory=str(top),
                        carry=[],
                        path=path,
                        parameters={"agent": "claude"},
                    )
                )
                taken = first_terminal_byte(home, client, task) - began
                remove(home, client, task)
                if number:  # the first one warms up
                    trees.append(tree)
                    alone.append(own)
                    ours.append(taken)
    own, tree = statistics.median(alone) * 1000, statistics.median(trees) * 1000
    against = {"git worktree add": tree, "claude alone on a PTY": own}
    value = statistics.median(ours) * 1000 - own
    return [report(Metric(metric=name, value=value, unit="ms", against=against))]


def _by_hand(top: Path, agents: Path, path: str) -> tuple[float, float]:
    """Seconds of ``git worktree add``, and of ``claude`` in it to its first byte."""
    place = Path(tempfile.mkdtemp(prefix="jt-bench-"))
    try:
        tree = place / "tree"
        made = spent(["git", "-C", str(top), "worktree", "add", "-q", "--detach", str(tree)])
        env = {"PATH": path, "HOME": str(place), "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        started = alone_on_a_terminal([str(agents / "claude")], cwd=tree, env=env)
        spent(["git", "-C", str(top), "worktree", "remove", "--force", str(tree)])
        return made, started
    finally:
        shutil.rmtree(place, ignore_errors=True)
