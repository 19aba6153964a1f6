"""What an agent changed, and taking it over into the user's own files."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jupyter_tasks.models.base import Wire

__all__ = [
    "AppliedFile",
    "ApplyRequest",
    "ApplyResponse",
    "CellChange",
    "DiffFile",
    "DiffResponse",
    "DiffSkipped",
    "NotebookDiff",
    "UndoResponse",
]


class DiffFile(Wire):
    """One changed file; counts are null for a binary one."""

    path: str
    old_path: str | None = None
    status: Literal["added", "deleted", "modified", "renamed", "type_changed"]
    additions: int | None = None
    deletions: int | None = None
    binary: bool = False


class DiffSkipped(Wire):
    """Something in the workspace that no diff can show, and why."""

    path: str
    reason: str


class CellChange(Wire):
    """One cell of a notebook. ``old_source`` is null for an added one, ``new_source`` for a deleted one."""

    id: str
    """The cell's id in the newer notebook, else in the older one; "" where it has none (nbformat < 4.5)."""
    kind: Literal["added", "deleted", "modified", "moved"]
    cell_type: str
    old_index: int | None = None
    new_index: int | None = None
    old_source: str | None = None
    new_source: str | None = None
    outputs_changed: bool = False


class NotebookDiff(Wire):
    """What changed in a notebook, by cell. ``error`` says why it is shown as text only."""

    path: str
    cells: list[CellChange] = Field(default_factory=list)
    metadata_changed: bool = False
    outputs_only: int = 0
    """Cells of which nothing but outputs or the execution count changed; they are not in ``cells``."""
    error: str | None = None


class DiffResponse(Wire):
    """GET …/diff: what the agent changed since the workspace began. ``patch`` is unified, bounded (``truncated``)."""

    files: list[DiffFile]
    additions: int
    deletions: int
    patch: str
    truncated: bool = False
    skipped: list[DiffSkipped] = Field(default_factory=list)
    """At most the first hundred."""
    notebooks: list[NotebookDiff] = Field(default_factory=list)
    """Changed notebooks once more, by cell."""


class ApplyRequest(Wire):
    """POST …/apply: take the agent's changes over."""

    paths: list[str] = Field(default_factory=list)
    """Files, or directories with everything below them; none: all."""
    branch: str | None = None
    """Make a commit on this new branch instead, and touch no file."""
    message: str | None = None
    """Of that commit; by default made of the prompt."""
    target: str | None = None
    """A directory instead of the one the project was taken from (it was moved)."""
    accept_runnable: bool = False
    """Also take files that would run by themselves."""
    dry_run: bool = False


class AppliedFile(Wire):
    """One file, and what becomes of it."""

    path: str
    action: Literal["added", "modified", "deleted", "merged", "unchanged", "conflict", "refused"]
    detail: str = ""
    """Why: of a conflict or a refusal one sentence."""
    runnable: str | None = None
    """What would run it by itself, where something would ("direnv", "git hooks" …)."""


class ApplyResponse(Wire):
    """All or nothing: with a conflict, a refusal or an unaccepted runnable file nothing is applied."""

    id: str | None = None
    applied: bool
    dry_run: bool = False
    target: str
    files: list[AppliedFile] = Field(default_factory=list)
    branch: str | None = None
    commit: str | None = None


class UndoResponse(Wire):
    """POST …/undo: the newest apply taken back. A file that was changed since is a conflict, and nothing is undone."""

    id: str | None = None
    undone: bool
    target: str
    files: list[AppliedFile] = Field(default_factory=list)
