"""One measured figure, its target, and what was measured beside it.

Owns the output format of every benchmark.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Metric", "percentile", "report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """``target``: an upper bound; None: only reported. ``against``: what ran beside it, with its figure."""

    metric: str
    value: float
    unit: str
    target: float | None = None
    against: Mapping[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.target is None or self.value <= self.target

    def line(self) -> str:
        """One JSON object."""
        shown = {
            "metric": self.metric,
            "value": round(self.value, 3),
            "unit": self.unit,
            "target": self.target,
            "ok": self.ok,
            "against": {name: round(value, 3) for name, value in self.against.items()},
        }
        return json.dumps(shown)


def percentile(values: Sequence[float], part: float) -> float:
    """The value that ``part`` (0 … 1) of the values do not exceed."""
    if part == 0.5:
        return statistics.median(values)
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(part * len(ordered)) - 1)]


def report(metric: Metric) -> Metric:
    """Print a metric as soon as it is known."""
    print(metric.line(), flush=True)
    if not metric.ok:
        print(f"  over its target: {metric.metric} {metric.value:.3f} > {metric.target} {metric.unit}", file=sys.stderr)
    return metric
