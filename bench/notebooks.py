"""How fast notebooks are compared and merged by cell (issue 3). Against: nbdime, in the same run.

The notebook has 200 cells with outputs (prints, tables, pictures of 20 kB); the user has run it and added a cell, the
agent has changed every tenth cell, added some and deleted one.
"""

from __future__ import annotations

import base64
import copy
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from bench.metrics import Metric, report

CELLS = 200
TARGET = 60.0  # ms, for the diff and the merge together


def measure(runs: int) -> list[Metric]:
    """Diff and merge, warm, and what the import costs. ``runs``: how often each."""
    from jupyter_tasks.tasks.notebook_diff import diff_notebooks
    from jupyter_tasks.tasks.notebook_merge import merge_notebooks

    base, ours, theirs = versions()
    assert merge_notebooks(base, ours, theirs).content is not None
    comparing = spent(runs, partial(diff_notebooks, "a.ipynb", base, theirs))
    merging = spent(runs, partial(merge_notebooks, base, ours, theirs))
    other = nbdime(base, ours, theirs)
    imported = importing("jupyter_tasks.tasks.notebook_merge")
    name = f"diff and merge of a {CELLS}-cell notebook ({len(base) / 1e6:.1f} MB)"
    return [
        report(
            Metric(
                metric=name,
                value=comparing + merging,
                unit="ms",
                target=TARGET,
                against={"our diff": comparing, "our merge": merging, **other},
            )
        ),
        report(
            Metric(
                metric="import of the notebook merge",
                value=imported,
                unit="ms",
                against={"nbdime": importing("nbdime.merging.notebooks")} if other else {},
            )
        ),
    ]


def versions() -> tuple[bytes, bytes, bytes]:
    """A notebook as it was, the user's and the agent's."""
    rng = random.Random(3)
    base = [cell(rng, number) for number in range(CELLS)]
    ours = copy.deepcopy(base)
    for number, each in enumerate(ours):
        if each["cell_type"] == "code":
            each["execution_count"] = number + 500
            each["outputs"] = outputs(rng, number)
    ours.append(
        {
            "cell_type": "code",
            "execution_count": 900,
            "id": "launcher",
            "metadata": {},
            "outputs": [],
            "source": ["%%task\n", "Clean this up"],
        }
    )
    theirs = copy.deepcopy(base)
    for number in range(5, CELLS, 10):
        theirs[number]["source"].append("\n# changed by the agent")
    del theirs[17]
    for number in range(0, 100, 25):
        theirs.insert(number, {**cell(rng, 1000 + number), "id": f"new-{number}"})
    return written(base), written(ours), written(theirs)


def cell(rng: random.Random, number: int) -> dict[str, Any]:
    """Three of four hold code."""
    lines = [f"value_{number}_{line} = compute({rng.random()}, mode='fast')\n" for line in range(rng.randint(3, 20))]
    found: dict[str, Any] = {"id": f"cell-{number}", "metadata": {}, "source": lines}
    if number % 4 == 0:
        return {"cell_type": "markdown", **found}
    return {"cell_type": "code", "execution_count": number, **found, "outputs": outputs(rng, number)}


def outputs(rng: random.Random, number: int) -> list[dict[str, Any]]:
    """A print, and for some a table or a picture."""
    printed = [f"step {step}: loss={rng.random():.6f}\n" for step in range(20)]
    found: list[dict[str, Any]] = [{"name": "stdout", "output_type": "stream", "text": printed}]
    if number % 3 == 0:
        rows = [f"<tr><td>{rng.random()}</td><td>{rng.random()}</td></tr>\n" for _ in range(30)]
        found.append({"output_type": "display_data", "data": {"text/html": rows}, "metadata": {}})
    if number % 5 == 0:
        picture = base64.b64encode(rng.randbytes(20_000)).decode()
        found.append({"output_type": "display_data", "data": {"image/png": picture}, "metadata": {}})
    return found


def written(cells: list[dict[str, Any]]) -> bytes:
    """As Jupyter writes it."""
    value = {"cells": cells, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def spent(runs: int, work: Callable[[], object], *, warm: bool = True) -> float:
    """Median milliseconds of some work."""
    if warm:
        work()
    taken = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000


def nbdime(base: bytes, ours: bytes, theirs: bytes) -> dict[str, float]:
    """The same with nbdime, where it is installed; its merge takes seconds."""
    try:
        import nbformat
        from nbdime.diffing.notebooks import diff_notebooks
        from nbdime.merging.notebooks import decide_notebook_merge
    except ImportError:
        return {}
    import logging

    logging.getLogger("nbdime").setLevel(logging.CRITICAL)

    def read(content: bytes) -> Any:
        return nbformat.reads(content.decode(), as_version=4)

    def merge() -> object:
        return decide_notebook_merge(*map(read, (base, ours, theirs)))

    return {
        "nbdime's diff": spent(5, lambda: diff_notebooks(read(base), read(theirs))),
        "nbdime's merge": spent(1, merge, warm=False),
    }


def importing(module: str) -> float:
    """Milliseconds of an import in a fresh interpreter, the interpreter's own start subtracted."""

    def start(code: str) -> object:
        return subprocess.run([sys.executable, "-c", code], check=True)

    return spent(5, partial(start, f"import {module}")) - spent(5, partial(start, "pass"))
