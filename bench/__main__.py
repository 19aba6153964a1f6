"""``python -m bench NAME [--check]``."""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys

import bench


def main() -> int:
    """Run one benchmark; with --check the exit code says whether every target was met."""
    names = sorted(each.name for each in pkgutil.iter_modules(bench.__path__) if each.name in BENCHES)
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("name", choices=names)
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    parser.add_argument("--runs", type=int, default=30, help="runs a metric (default 30)")
    parser.add_argument("--tasks", type=int, default=100, help="how many idle tasks (default 100)")
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what pip installed is compiled; what is measured here is, too
    metrics = importlib.import_module(f"bench.{options.name}").run(options)
    return 1 if options.check and not all(metric.ok for metric in metrics) else 0


BENCHES = frozenset({"daily_work", "main_job"})

if __name__ == "__main__":
    sys.exit(main())
