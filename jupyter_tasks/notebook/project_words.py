"""What of the user's files a workspace got, in words. Pure functions, for notebook and shell.

The names in it are the user's own or an agent's: whoever shows them cleans or escapes them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_tasks.notebook.amounts import count, size

if TYPE_CHECKING:
    from jupyter_tasks.models import ProjectInfo

__all__ = ["home_short", "lines", "summary"]

_SHOWN = 5  # names in a line; the rest is counted


def summary(info: ProjectInfo) -> str:
    """``1,204 files, 12 MB from ~/work/app (main)``."""
    if info.root is None or info.kind == "none":
        return "no files of yours"
    at = info.branch or (f"detached at {info.head[:9]}" if info.head else "")
    text = f"{count(info.files, 'file')}, {size(info.bytes)} from {home_short(info.root)}"
    return f"{text} ({at})" if at else text


def lines(info: ProjectInfo) -> list[str]:
    """The summary, then what stayed behind, what is seen besides, and what the user should know."""
    found = [f"In the workspace: {summary(info)}"]
    if info.subdirectory:
        found.append(f"The agent starts in {info.subdirectory}")
    if info.left_out_count:
        names = ", ".join(each.path for each in info.left_out[:_SHOWN])
        more = "" if info.left_out_count <= _SHOWN else " …"
        found.append(f"Left out: {names}{more} ({info.left_out_count:,})")
    if info.mounts:
        found.append(f"Read-only: {', '.join(map(home_short, info.mounts))}")
    if info.carried:
        found.append(f"Copied of your agent's set-up: {', '.join(info.carried)}")
    return [*found, *(f"Note: {note}" for note in info.notes)]


def home_short(path: str) -> str:
    """A path with the user's home as ``~``."""
    home = str(Path.home())
    if path == home:
        return "~"
    return "~" + path[len(home) :] if path.startswith(home.rstrip("/") + "/") else path
