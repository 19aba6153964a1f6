"""What a plan to apply is made of.

Owns the shapes that planning, writing and the branch share; no rule.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from jupyter_tasks.models import AppliedFile
from jupyter_tasks.tasks.apply_target import MISSING, Seen
from jupyter_tasks.tasks.review_git import shown

__all__ = ["WRITES", "Action", "Asked", "Change", "Entry", "Ours", "Plan", "directories_of"]

Action = Literal["added", "modified", "deleted", "merged", "unchanged", "conflict", "refused"]
Entry = tuple[bytes, bytes]
WRITES = frozenset({"added", "modified", "deleted", "merged"})


class Ours(Protocol):
    """The user's side."""

    def look(self, path: bytes) -> Seen:
        """What is at a path. Raises: Blocked."""

    def names(self, path: bytes) -> list[bytes]:
        """The names in a directory. Raises: Blocked."""


class Asked(Protocol):
    """Which paths are asked for."""

    named: bool
    """Some were named; else all are asked for."""

    def __call__(self, path: bytes) -> bool:
        """Whether a path is asked for, itself or with its directory."""

    def asks_for(self, path: bytes) -> bool:
        """Whether this very path, or one below it, was named."""


@dataclass(frozen=True, slots=True)
class Change:
    """One file. ``content`` is what it will hold (None: it will be gone); ``theirs`` what the workspace has now, and
    ``taken`` what that holds where ``content`` is not the same."""

    path: bytes
    action: Action
    theirs: Entry | None
    seen: Seen = MISSING
    content: bytes | None = None
    taken: bytes | None = None
    executable: bool = False
    detail: str = ""
    runnable: str | None = None
    blocker: bytes | None = None
    left_out: bool = False
    """It stays what it is for the user, and is not counted as taken."""

    def wire(self) -> AppliedFile:
        """As the wire has it."""
        return AppliedFile(path=shown(self.path), action=self.action, detail=self.detail, runnable=self.runnable)


@dataclass(frozen=True, slots=True)
class Plan:
    """All of it. ``remove``: directories of ours that are empty then and that the agent has removed, deepest first."""

    changes: Sequence[Change]
    remove: Sequence[bytes]

    def writes(self) -> Sequence[Change]:
        """The files that are written or deleted."""
        return [each for each in self.changes if each.action in WRITES]

    def stops(self, *, accept_runnable: bool) -> bool:
        """Whether something stands against it."""
        return any(
            each.action in ("conflict", "refused") or (each.runnable is not None and not accept_runnable)
            for each in self.changes
        )


def directories_of(paths: Collection[bytes]) -> set[bytes]:
    """Every directory above these paths."""
    found: set[bytes] = set()
    for path in paths:
        while path := path.rpartition(b"/")[0]:
            found.add(path)
    return found
