"""The user's project as it goes into a workspace."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jupyter_tasks.models.base import Wire

__all__ = ["LeftOut", "ProjectInfo", "ProjectRequest"]


class ProjectRequest(Wire):
    """What of the user's files a workspace gets. The body of POST /project, which tells without making anything."""

    project: str | None = None
    """A directory; "none": no files of the user's; null: the git toplevel of ``directory``, else ``directory``."""
    directory: str | None = None
    """The notebook's or shell's directory: where a project is looked for, and where in it the agent starts."""
    files: list[str] = Field(default_factory=list)
    """Globs of ignored files that come along, as git writes them, relative to the project."""
    mounts: list[str] = Field(default_factory=list)
    """Directories that are seen read-only at their own path."""
    carry: list[str] | None = None
    """What of the user's own agent set-up comes as a copy (names as in ``ProjectInfo.carried``).
    Null: all; []: nothing."""
    large: bool = False
    """Also over 1 GB or 50,000 files."""


class LeftOut(Wire):
    """A file or directory of the project that stays behind, and why."""

    path: str
    reason: str


class ProjectInfo(Wire):
    """What a workspace began with. ``root`` is null where nothing of the user's went in."""

    kind: Literal["git", "directory", "none"] = "none"
    root: str | None = None
    subdirectory: str = ""
    """Where in the project the agent starts, relative to ``root``."""
    head: str | None = None
    branch: str | None = None
    files: int = 0
    bytes: int = 0
    left_out: list[LeftOut] = Field(default_factory=list)
    """At most the first hundred; ``left_out_count`` counts all."""
    left_out_count: int = 0
    mounts: list[str] = Field(default_factory=list)
    carried: list[str] = Field(default_factory=list)
    """What came along of the user's agent set-up: "CLAUDE.md", "AGENTS.md", "skills", "settings", "git identity" …"""
    notes: list[str] = Field(default_factory=list)
    """What the user should know: a merge in progress, a shallow clone, submodules without files …"""
