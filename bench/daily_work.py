"""How fast daily work is (issue 3): the project in, what changed out, notebooks, the gateway."""

from __future__ import annotations

import argparse

from bench import gateway, notebooks, snapshot
from bench.metrics import Metric
from bench.project_start import project_start

__all__ = ["run"]


def run(options: argparse.Namespace) -> list[Metric]:
    """All of it, beside the floor of each in the same run."""
    return [
        *snapshot.snapshot_vs_clone(max(5, options.runs // 3)),
        *snapshot.diff_after(options.runs),
        *notebooks.measure(options.runs),
        *gateway.measure(options.runs),
        *project_start(max(3, options.runs // 6)),
    ]
