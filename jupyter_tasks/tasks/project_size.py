"""How much a project is, and whether that is too much.

Owns the bounds and the sentence that says what is large and what to do. Counting ends early once there is too much.
"""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from pathlib import Path

from jupyter_tasks.clock import Clock
from jupyter_tasks.errors import InvalidInput, WorkspaceFailed
from jupyter_tasks.tasks.review_tree import MOST_BYTES as REVIEW_BYTES
from jupyter_tasks.tasks.review_tree import MOST_ENTRIES as REVIEW_ENTRIES
from jupyter_tasks.tasks.review_tree import MOST_FILE as REVIEW_FILE

__all__ = ["MOST_BYTES", "MOST_FILES", "Size", "amount"]

MOST_FILES = 50_000
MOST_BYTES = 10**9
COUNTING_SECONDS = 2.0
LOOKING_SECONDS = 60.0

_FOLDERS = 5
_DEPTH = 3
_MOST_OF_IT = 0.8


class Size:
    """Counts the files of one project. ``large``: only what can be reviewed is a bound."""

    def __init__(self, root: Path, clock: Clock, *, large: bool) -> None:
        self.files = 0
        self.bytes = 0
        self._root = root
        self._clock = clock
        self._large = large
        self._began = clock.monotonic()
        self._reviewed = 0
        self._folders: defaultdict[bytes, int] = defaultdict(int)

    def add(self, path: bytes, found: os.stat_result) -> None:
        """Count a file. Raises: InvalidInput once it is too much and two seconds have passed, WorkspaceFailed after
        a minute."""
        size = found.st_size
        if size > 1 << 20:
            size = min(size, found.st_blocks * 512)  # holes take no room
        self.files += 1
        self.bytes += size
        if found.st_size <= REVIEW_FILE:
            self._reviewed += found.st_size if stat.S_ISREG(found.st_mode) else 0
        end = path.find(b"/")
        for _ in range(_DEPTH):
            if end < 0:
                break
            self._folders[path[:end]] += size
            end = path.find(b"/", end + 1)
        if self.files % 64 == 0 or self.bytes > MOST_BYTES:
            self._check(COUNTING_SECONDS)

    def finish(self) -> None:
        """All is counted. Raises: InvalidInput when it is too much."""
        if self._over():
            raise self._too_large(at_least=False)

    def _over(self) -> bool:
        if self._large:
            return self.files > REVIEW_ENTRIES * 9 // 10 or self._reviewed > REVIEW_BYTES
        return self.files > MOST_FILES or self.bytes > MOST_BYTES

    def _check(self, seconds: float) -> None:
        passed = self._clock.monotonic() - self._began
        if passed > seconds and self._over():
            raise self._too_large(at_least=True)
        if passed > LOOKING_SECONDS:
            raise WorkspaceFailed(
                f"Looking at the project {self._root} takes longer than {LOOKING_SECONDS:.0f} s.",
                hint="Is its disk slow? Start with a part of it (`--project DIR`).",
            )

    def _too_large(self, *, at_least: bool) -> InvalidInput:
        many = "at least " if at_least else ""
        folders = ", ".join(f"{name} ({amount(size)})" for name, size in self._largest())
        bound = "90,000 files or 2 GiB in small files can be reviewed" if self._large else "50,000 files or 1 GB"
        ways = "have git ignore what the agent does not need (.gitignore), start with a part (`--project DIR`), "
        ways += "show data read-only (`--mount DIR`), or name the ignored files that it needs in .worktreeinclude"
        return InvalidInput(
            f"The project {self._root} is too large for a workspace: {many}{self.files:,} files, {amount(self.bytes)}.",
            detail=f"Bound: {bound}. Largest folders: {folders or 'none; the files lie at its top'}.",
            hint=f"{ways[0].upper()}{ways[1:]}." if self._large else f"Take it all (`--large`), or {ways}.",
            code="project_too_large",
        )

    def _largest(self) -> list[tuple[str, int]]:
        """The five largest folders; one that is nearly all in one folder below it is named by that."""
        found = []
        for top in [name for name in self._folders if b"/" not in name]:
            name = top
            while name.count(b"/") < _DEPTH - 1:
                inner = name + b"/"
                below = [each for each in self._folders if each.startswith(inner) and b"/" not in each[len(inner) :]]
                largest = max(below, key=self._folders.__getitem__, default=None)
                if largest is None or self._folders[largest] < _MOST_OF_IT * self._folders[name]:
                    break
                name = largest
            found.append((name, self._folders[name]))
        found.sort(key=lambda each: each[1], reverse=True)
        return [(name.decode("utf-8", "backslashreplace"), size) for name, size in found[:_FOLDERS]]


def amount(size: int) -> str:
    """A size as a person says it."""
    value = float(size)
    for unit in ("bytes", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
