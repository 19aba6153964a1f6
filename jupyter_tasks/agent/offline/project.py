"""The project's files, as the offline agent may touch them.

Owns walking (bounded, never through a symbolic link, never into what tools keep for themselves), reading and writing.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

__all__ = ["MOST_FILES", "read_text", "walk", "write_text"]

MOST_FILES = 2_000
_MOST_BYTES = 1024 * 1024
_SKIPPED = frozenset(
    (
        *("node_modules", "__pycache__", ".git", ".hg", ".svn", ".venv", "venv", "env", ".tox", ".mypy_cache"),
        *(".pytest_cache", ".ruff_cache", ".ipynb_checkpoints", "dist", "build", "target", ".cache", ".next"),
        *(".idea", ".vscode"),
    )
)


def walk(root: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """(directory relative to ``root``, its directories, its files), sorted; ends after ``MOST_FILES`` files."""
    seen = 0
    for path, directories, files in os.walk(root, followlinks=False):
        directories[:] = sorted(
            name for name in directories if name not in _SKIPPED and not os.path.islink(os.path.join(path, name))
        )
        files = sorted(name for name in files if os.path.isfile(os.path.join(path, name)))
        kept = files[: max(MOST_FILES - seen, 0)]
        seen += len(kept)
        yield os.path.relpath(path, root), list(directories), kept
        if seen >= MOST_FILES:
            return


def read_text(path: str) -> str | None:
    """A text file's content with its line ends as they are; None when it is a link, too large, binary or unreadable."""
    try:
        if os.path.islink(path) or os.path.getsize(path) > _MOST_BYTES:
            return None
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError):
        return None
    return None if "\x00" in text else text


def write_text(path: str, text: str) -> None:
    """Replace a file's content at once, keeping its mode. Raises: OSError."""
    mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o644
    handle, name = tempfile.mkstemp(dir=os.path.dirname(path) or ".", prefix=".offline-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:  # also when the turn is interrupted: no temporary file stays
        os.unlink(name)
        raise
