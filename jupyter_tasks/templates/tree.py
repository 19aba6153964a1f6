"""A template's files, and nothing but those.

Owns the one path resolver that refuses to leave the template's tree (also through symbolic links), and the bound on
what is read. A module from elsewhere is mounted at a path of the tree (``.terraform/modules/<name>``), as Terraform
installs it there, so that ``path.module`` never names a place of this machine.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from pathlib import Path

from jupyter_tasks.templates.hcl.functions.registry import FunctionProblem

__all__ = ["PathProblem", "Tree", "regular_files"]

_MAX_FILE = 8 * 1024 * 1024
_MAX_FILES = 5_000
_SKIPPED = frozenset({".git", ".terraform", "__pycache__", ".ipynb_checkpoints"})


class PathProblem(FunctionProblem):
    """A path that leads out of the template or to nothing."""


class Tree:
    """The files below ``root``, by paths relative to it with forward slashes."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._mounts: dict[str, Path] = {}

    def mount(self, path: str, directory: Path) -> None:
        """Show ``directory`` at ``path``."""
        self._mounts[path] = directory.resolve()

    def resolve(self, path: str) -> Path:
        """The real path of ``path``, which need not exist. Raises: PathProblem when it leaves the tree."""
        if "\0" in path:
            raise PathProblem("a path cannot hold a null character.", 0)
        if path.startswith(("/", "~")):
            raise PathProblem(f"{path!r} is outside of the template; only its own files can be read.", 0)
        normal = posixpath.normpath(path)
        root, rest = self.root, normal
        for mount, directory in self._mounts.items():
            if normal == mount or normal.startswith(f"{mount}/"):
                root, rest = directory, normal[len(mount) + 1 :]
        try:
            found = Path(os.path.realpath(root / rest))
        except (OSError, ValueError) as problem:
            raise PathProblem(f"{path!r} cannot be read: {problem}.", 0) from None
        if found != root and not found.is_relative_to(root):
            raise PathProblem(f"{path!r} leads out of the template; only its own files can be read.", 0)
        return found

    def read(self, path: str) -> bytes:
        """The content of a file. Raises: PathProblem."""
        found = self.resolve(path)
        try:
            if not found.is_file():
                raise PathProblem(f"no file exists at {path!r}.", 0)
            if found.stat().st_size > _MAX_FILE:
                raise PathProblem(f"{path!r} has more than {_MAX_FILE} bytes.", 0)
            return found.read_bytes()
        except OSError as problem:
            raise PathProblem(f"{path!r} cannot be read: {problem.strerror}.", 0) from None

    def exists(self, path: str) -> bool:
        """Whether there is a regular file. Raises: PathProblem when the path leaves the tree or is a directory."""
        found = self.resolve(path)
        if found.is_dir():
            raise PathProblem(f"{path!r} is a directory, not a file.", 0)
        return found.is_file()

    def list(self, path: str) -> list[str]:
        """Every regular file below a directory, relative to it, sorted; [] when there is no directory."""
        found = self.resolve(path)
        return [name for name, _ in regular_files(found)] if found.is_dir() else []


def regular_files(directory: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Relative name and stat of every regular file below ``directory``, sorted by name; links are not followed.

    Raises: PathProblem for more than 5,000 files.
    """
    found: list[tuple[str, os.stat_result]] = []
    waiting = [(directory, "")]
    while waiting:
        current, prefix = waiting.pop()
        with os.scandir(current) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in _SKIPPED:
                        waiting.append((Path(entry.path), f"{prefix}{entry.name}/"))
                elif entry.is_file(follow_symlinks=False):
                    found.append((prefix + entry.name, entry.stat(follow_symlinks=False)))
        if len(found) > _MAX_FILES:
            raise PathProblem(f"the template has more than {_MAX_FILES} files.", 0)
    yield from sorted(found)
