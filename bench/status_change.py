"""From a change in an agent's terminal to the event at a client."""

from __future__ import annotations

import contextlib
import threading
import time

from bench.home import workspace_of
from bench.metrics import Metric, percentile, report
from jupyter_tasks import models
from jupyter_tasks.errors import NotFound
from jupyter_tasks.notebook.client import Client
from jupyter_tasks.testing.home import Home, until

__all__ = ["status_change"]


def status_change(home: Home, client: Client, runs: int) -> list[Metric]:
    """A change in the terminal to the SSE event at a client: signalled by the agent, and found by stability."""
    found: dict[str, list[float]] = {}
    for how, rounds in (("osc7501", runs), ("stability", max(5, runs // 4))):
        task = client.create(
            models.CreateTaskRequest(template="signalling", input="wait", project="none", parameters={"how": how})
        )
        client.wait(task.id, timeout=60)
        found[how] = _changes(home, client, task, rounds)
        client.delete(task.id)
    return [
        report(
            Metric(
                metric=f"status change to SSE event, {how}, p95",
                value=percentile(found[how], 0.95) * 1000,
                unit="ms",
                target=target,
                against={"p50": percentile(found[how], 0.5) * 1000},
            )
        )
        for how, target in (("osc7501", 150.0), ("stability", 2200.0))
    ]


def _changes(home: Home, client: Client, task: models.Task, rounds: int) -> list[float]:
    """Seconds from the agent's word that it is done (it writes the time down) to the event that says idle."""
    heard: list[float] = []
    came = threading.Event()

    def listen() -> None:
        with contextlib.suppress(NotFound):  # the task has been deleted
            follow()

    def follow() -> None:
        worked = False
        for event in client.events(after=None, task=task.id):
            if event.data.get("deleted"):
                return
            if event.type is models.EventType.task and event.data.get("state") == "working":
                worked = True
            elif event.type is models.EventType.task and worked and event.data.get("state") == "idle":
                worked = False
                heard.append(time.time())
                came.set()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    time.sleep(0.5)
    taken = []
    stamp = workspace_of(home, task) / "home" / "project" / "done-at"
    for _ in range(rounds):
        came.clear()
        stamp.unlink(missing_ok=True)
        client.send(task.id, "work")
        assert came.wait(30), home.log()
        taken.append(heard[-1] - float(until(lambda: stamp.exists() and stamp.read_text(), 5)))
    return taken
