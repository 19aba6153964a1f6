"""How fast the main job is (issue 2). Against: the raw floor of each, in the same run.

Runs in a home of its own with the real engine, the real sandbox, the real agent.
"""

from __future__ import annotations

import argparse

from bench.home import fresh_home
from bench.many_tasks import many
from bench.metrics import Metric
from bench.one_task import first_byte, sandbox
from bench.starting import imports, server_start
from bench.status_change import status_change

__all__ = ["run"]


def run(options: argparse.Namespace) -> list[Metric]:
    """All of it, in an order that keeps the machine idle for what wants that."""
    metrics = [*imports(options.runs), *server_start(max(15, options.runs // 2))]
    with fresh_home() as home, home.client() as client:
        client.usage()  # the engine runs from here on
        metrics += first_byte(home, client, options.runs)
        metrics += sandbox(home, client, options.runs)
        metrics += status_change(home, client, options.runs)
    with fresh_home() as home, home.client() as client:
        metrics += many(home, client, options.tasks)
    return metrics
