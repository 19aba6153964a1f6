"""Clean-up: what is removed, what is kept."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jupyter_tasks.models.base import Wire

__all__ = ["PruneRequest", "PruneResponse", "PrunedTask"]


class PruneRequest(Wire):
    """POST /prune. ``older_than`` in days since the task was last changed; null: the settings' own."""

    dry_run: bool = True
    older_than: float | None = None
    include_unapplied: bool = False
    """Also tasks whose changes were never applied. Never done unasked."""


class PrunedTask(Wire):
    """One task, what becomes of it and why. ``bytes`` on disk."""

    id: str
    name: str
    action: Literal["delete", "keep"]
    reason: str
    bytes: int = 0
    unapplied: int | None = None


class PruneResponse(Wire):
    """What was (or, dry, would be) done."""

    dry_run: bool
    tasks: list[PrunedTask] = Field(default_factory=list)
    bytes: int = 0
    """Freed by what is deleted."""
