"""A hundred idle tasks: memory of each part, how soon the engine answers, and a kill -9 of it."""

from __future__ import annotations

import statistics
import time

from bench.home import agent_pids, cpu_seconds, resident
from bench.metrics import Metric, percentile, report
from jupyter_tasks import models
from jupyter_tasks.errors import TasksError
from jupyter_tasks.notebook.client import Client
from jupyter_tasks.testing.home import Home

__all__ = ["many"]

START_LIMIT = 600.0
REATTACH_LIMIT = 120.0


def many(home: Home, client: Client, count: int) -> list[Metric]:
    """So many idle tasks: memory, answers, and the way back after a kill -9 of the engine."""
    _start(home, client, count)
    pid = home.engine_pid()
    assert pid is not None
    agents = [resident(found) for found in agent_pids(home)]
    metrics = [
        report(Metric(metric=f"engine, {count} idle tasks", value=resident(pid), unit="MiB", target=400)),
        report(
            Metric(
                metric="workspace agent, median of all",
                value=statistics.median(agents),
                unit="MiB",
                target=12,
                against={"largest": max(agents), "agents": len(agents)},
            )
        ),
    ]
    lags, idle = _answers(client, 200), _idle_share(pid)
    metrics.append(
        report(
            Metric(
                metric="answer of the engine (loop lag and work), p99",
                value=percentile(lags, 0.99) * 1000,
                unit="ms",
                target=50,
                against={"p50": percentile(lags, 0.5) * 1000, "percent of a processor when idle": idle},
            )
        )
    )
    metrics.append(report(_reattached(home, count)))
    return metrics


def _start(home: Home, client: Client, count: int) -> None:
    deadline = time.monotonic() + START_LIMIT
    for _ in range(count):
        client.create(models.CreateTaskRequest(template="signalling", input="wait", project="none"))
    while not all(task.summary in ("Idle", "Ready to review") for task in client.list()):
        assert time.monotonic() < deadline, home.log()
        time.sleep(1.0)  # the list of so many is work too
    time.sleep(3.0)


def _answers(client: Client, times: int) -> list[float]:
    """How long the engine takes for a word about itself: an upper bound of its loop's lag."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        client.buildinfo()
        taken.append(time.perf_counter() - began)
        time.sleep(0.01)
    return taken


def _idle_share(pid: int) -> float:
    before = cpu_seconds(pid)
    time.sleep(3.0)
    return (cpu_seconds(pid) - before) / 3.0 * 100


def _reattached(home: Home, count: int) -> Metric:
    """kill -9 of the engine to the moment when every task is attached again.

    A task is asked after until it is attached, then the next: to ask after all of them all the time would be most of
    what the engine does.
    """
    home.kill_engine()
    began = time.perf_counter()
    with home.client() as client:
        client.usage()
        answered = time.perf_counter() - began
        pid = home.engine_pid()
        assert pid is not None
        tasks = client.list()
        assert len(tasks) == count
        for task in tasks:  # the newest first: it is taken up last
            while not _attached(client, task):
                assert time.perf_counter() - began < REATTACH_LIMIT, home.log()
                time.sleep(0.02)
        taken = time.perf_counter() - began
        spent = cpu_seconds(pid)
    return Metric(
        metric=f"engine killed, {count} tasks reattached",
        value=taken,
        unit="s",
        target=2,
        against={"engine answers": answered, "its processor time": spent},
    )


def _attached(client: Client, task: models.Task) -> bool:
    """Whether the engine holds this task's terminal again."""
    try:
        with client.terminal(task.id, offset=-1, follow=False):
            return True
    except TasksError:
        return False
