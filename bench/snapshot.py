"""How fast the user's project gets into a workspace and what changed comes out (issue 3).

Against: ``git clone --shared`` of the same repository in the same run. 2,000 files of 3 kB in 140 directories, packed
as a clone leaves them; times are medians, and what is compared takes turns.
"""

from __future__ import annotations

import random
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio

from bench.metrics import Metric, report
from jupyter_tasks.clock import SystemClock
from jupyter_tasks.models import ProjectRequest
from jupyter_tasks.tasks.project import survey
from jupyter_tasks.tasks.review import Review

FILES = 2000
CHANGED = 5
MOST_RATIO = 1.2
MOST_DIFF = 100.0  # ms

_GIT = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "init.defaultBranch=main"]


def snapshot_vs_clone(runs: int) -> list[Metric]:
    """Survey and snapshot of a repository, beside a shared clone of it, and the base of the review on top."""
    times: dict[str, list[float]] = {name: [] for name in ("clone", "survey", "fill", "base", "status")}
    # All of it is removed at the end: ext4 searches for an inode that was not freed a minute ago, file by file.
    with repository() as top:
        for number in range(runs):
            for step, spent in _one_run(top, top.parent / f"run-{number}", clone_first=bool(number % 2)):
                times[step].append(spent)
    middle = {name: statistics.median(values) for name, values in times.items()}
    ratio = statistics.median(ours / theirs for ours, theirs in zip(times["fill"], times["clone"], strict=True))
    against = {f"{name} ms": value for name, value in middle.items()}
    name = f"snapshot of a {FILES:,}-file repository beside git clone --shared"
    return [
        report(Metric(metric=name, value=ratio, unit="x", target=MOST_RATIO, against=against)),
        report(Metric(metric=f"base of the review of {FILES:,} files", value=middle["base"], unit="ms")),
    ]


def _one_run(top: Path, place: Path, *, clone_first: bool) -> Iterator[tuple[str, float]]:
    target = place / "home" / "project"
    target.mkdir(parents=True)
    began = time.perf_counter()
    found = survey(ProjectRequest(directory=str(top)), clock=SystemClock(), home=Path.home())
    yield "survey", _since(began)
    steps = ["clone", "fill"] if clone_first else ["fill", "clone"]
    for step in steps:
        began = time.perf_counter()
        if step == "fill":
            found.fill(place / "home", target)
        else:
            subprocess.run([*_GIT, "clone", "-q", "--shared", str(top), str(place / "clone")], check=True)
        yield step, _since(began)
    review = Review(place / "reviews" / "w.git", SystemClock())
    began = time.perf_counter()
    anyio.run(review.take_base, target)
    yield "base", _since(began)
    began = time.perf_counter()
    status = [*_GIT, "-C", str(target), "status", "--porcelain"]
    said = subprocess.run(status, check=True, capture_output=True).stdout
    yield "status", _since(began)
    if said:
        raise AssertionError(f"the snapshot is not clean: {said[:200]!r}")


def diff_after(runs: int) -> list[Metric]:
    """The diff of the snapshot after an agent changed a few files, from the call to the answer."""
    with repository() as top, tempfile.TemporaryDirectory(prefix="jt-bench-") as name:
        place = Path(name)
        target = place / "home" / "project"
        target.mkdir(parents=True)
        survey(ProjectRequest(directory=str(top)), clock=SystemClock(), home=Path.home()).fill(target.parent, target)
        review = Review(place / "reviews" / "w.git", SystemClock())
        paths = sorted(target.rglob("*.py"))[:: FILES // CHANGED]

        async def measure() -> list[float]:
            await review.take_base(target)
            for path in paths:
                path.write_text(path.read_text() + "more = 1\n")
            times = []
            for _ in range(runs):
                began = time.perf_counter()
                found = await review.diff(target)
                times.append(_since(began))
                if len(found.files) != len(paths):
                    raise AssertionError(f"{len(found.files)} files differ, {len(paths)} were changed")
            return times

        value = statistics.median(anyio.run(measure))
    name = f"diff of {FILES:,} files, {len(paths)} changed, after the agent stops"
    return [report(Metric(metric=name, value=value, unit="ms", target=MOST_DIFF))]


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000


@contextmanager
def repository() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="jt-bench-"))
    try:
        top = place / "project"
        dice = random.Random(1)
        for number in range(FILES):
            folder = top / f"package{number % 20}" / f"part{number % 7}"
            folder.mkdir(parents=True, exist_ok=True)
            lines = (f"value_{line} = {dice.random()}\n" for line in range(dice.randint(5, 200)))
            (folder / f"module_{number}.py").write_text("".join(lines))
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"], ["gc", "-q"]):
            subprocess.run([*_GIT, *words], cwd=top, check=True)
        yield top
    finally:
        shutil.rmtree(place)
