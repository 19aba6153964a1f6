"""What of a project goes into a workspace: every path, and what stays behind with the reason.

Owns the rules (what git tracks or would track, ignored files only when asked for, no likely secrets, nothing that is no
file) and the bounds. It looks; ``project_copy`` copies.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_tasks.clock import Clock
from jupyter_tasks.tasks.project_git import Git
from jupyter_tasks.tasks.project_globs import Globs
from jupyter_tasks.tasks.project_index import GITLINK, IndexEntry, read_index
from jupyter_tasks.tasks.project_repository import Repository, read_small
from jupyter_tasks.tasks.project_secrets import likely_secret, names_secret
from jupyter_tasks.tasks.project_size import Size
from jupyter_tasks.tasks.review_tree import MOST_DEPTH, TOOL_DIRECTORIES
from jupyter_tasks.templates.plan import Mount

__all__ = ["Listing", "Wanted", "list_project"]

INCLUDE = ".worktreeinclude"

_LOCKED = re.compile(rb"warning: could not open directory '(.+)/': (.+)\n")
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was decided about a project. ``hidden`` are directories in it that never come along."""

    root: Path
    repository: Repository | None
    files: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    hidden: tuple[Path, ...] = ()
    large: bool = False


@dataclass(slots=True)
class Listing:
    """``entries`` are path and kind (``stat.S_IFMT``), relative to the root, in order."""

    entries: list[tuple[bytes, int]] = field(default_factory=list)
    left_out: list[tuple[bytes, str]] = field(default_factory=list)
    index: Sequence[IndexEntry] = ()
    submodules: list[bytes] = field(default_factory=list)
    files: int = 0
    bytes: int = 0


def list_project(wanted: Wanted, clock: Clock) -> Listing:
    """Look at every file. Raises: InvalidInput when it is too large, WorkspaceFailed, OSError."""
    looking = _Looking(wanted, clock)
    if wanted.repository is None:
        looking.walk(b"", 0)
    else:
        looking.repository()
    looking.size.finish()
    found = looking.found
    found.entries.sort()
    found.files, found.bytes = looking.size.files, looking.size.bytes
    return found


class _Looking:
    def __init__(self, wanted: Wanted, clock: Clock) -> None:
        self.found = Listing()
        self.size = Size(wanted.root, clock, large=wanted.large)
        self._wanted = wanted
        self._root = os.fsencode(wanted.root) + b"/"
        self._globs = Globs(wanted.files)
        self._secrets = Globs([glob for glob in wanted.files if names_secret(glob)])
        self._shown = [os.fsencode(mount.target) for mount in wanted.mounts]
        self._apart: dict[bytes, str] = {}
        for hidden in wanted.hidden:
            self._apart[os.fsencode(hidden.relative_to(wanted.root))] = "Jupyter's own files"
        for mount in wanted.mounts:
            if mount.source.is_relative_to(wanted.root):
                self._apart[os.fsencode(mount.source.relative_to(wanted.root))] = f"seen read-only at {mount.target}"
        self._told: set[bytes] = set()

    # ------------------------------------------------------------ a repository

    def repository(self) -> None:
        git = Git(self._wanted.root)
        with ExitStack() as stack:
            others = stack.enter_context(git.ask("ls-files", "--others", "--exclude-standard", "-z"))
            asked = self._include(git, stack)
            self.found.index = read_index(git)
            tracked = {entry.path for entry in self.found.index}
            for entry in self.found.index:
                if entry.mode == GITLINK:
                    self._nested(entry.path)
                elif not entry.sparse or os.path.lexists(self._root + entry.path):
                    self._look(entry.path)
            seen = set(tracked)
            for words in (others.words(), *asked):
                for path in words:
                    if path not in seen:
                        seen.add(path)
                        self._other(path)
        for path, why in _LOCKED.findall(others.error):
            self._leave_out(path, f"cannot be read: {why.decode('utf-8', 'replace')}")

    def _include(self, git: Git, stack: ExitStack) -> list[Iterator[bytes]]:
        """Ignored files that are asked for by name or by the project's own list."""
        patterns: list[str | bytes] = [f"--exclude={glob}" for glob in self._wanted.files]
        include = self._wanted.root / INCLUDE
        if read_small(include, 1):
            patterns.append(f"--exclude-from={include}")
        if not patterns:
            return []
        return [stack.enter_context(git.ask("ls-files", "--others", "--ignored", "-z", *patterns)).words()]

    def _other(self, path: bytes) -> None:
        if path.endswith(b"/"):
            self._nested(path[:-1])
        else:
            self._look(path)

    def _nested(self, path: bytes) -> None:
        """A repository in the project, a submodule or not: its files come, its ``.git`` does not."""
        place = self._root + path
        if not _is_directory(place) or not os.path.lexists(place + b"/.git"):
            return
        self.found.submodules.append(path)
        git = Git(Path(os.fsdecode(place)))
        with git.ask("ls-files", "--cached", "--others", "--exclude-standard", "-z") as question:
            for below in dict.fromkeys(question.words()):
                if below.endswith(b"/") or _is_directory(place + b"/" + below):
                    self._nested(path + b"/" + below.rstrip(b"/"))
                else:
                    self._look(path + b"/" + below)
        if question.status != 0:
            self._leave_out(path, "a repository that git cannot read")

    # ------------------------------------------------------------ a directory without git

    def walk(self, directory: bytes, depth: int) -> None:
        try:
            with os.scandir(self._root + directory) as entries:
                found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        except OSError as error:
            self._leave_out(directory, f"cannot be read: {error.strerror}")
            return
        for name, below in found:
            path = directory + b"/" + name if directory else name
            if not below:
                self._look(path)
            elif self._is_apart(path):
                continue
            elif name.lower() == b".git":
                self._leave_out(path, "a git directory")
            elif name in TOOL_DIRECTORIES and not self._globs.match(path, directory=True):
                self._leave_out(path, "made by a tool, which makes it again")
            elif depth >= MOST_DEPTH:
                self._leave_out(path, f"deeper than {MOST_DEPTH} directories")
            else:
                self.found.entries.append((path, stat.S_IFDIR))
                self.walk(path, depth + 1)

    # ------------------------------------------------------------ one file

    def _look(self, path: bytes) -> None:
        if self._is_apart(path):
            return
        try:
            found = os.lstat(self._root + path)
        except (FileNotFoundError, NotADirectoryError):
            return  # deleted
        except OSError as error:
            self._leave_out(path, f"cannot be read: {error.strerror}")
            return
        kind = stat.S_IFMT(found.st_mode)
        if kind == stat.S_IFDIR:
            return
        why = self._reason(path, kind, found)
        if why is not None:
            self._leave_out(path, why)
            return
        self.found.entries.append((path, kind))
        self.size.add(path, found)

    def _reason(self, path: bytes, kind: int, found: os.stat_result) -> str | None:
        """Why this stays behind; None where it comes along."""
        if kind == stat.S_IFLNK:
            return self._link(path)
        if kind != stat.S_IFREG:
            return _KINDS.get(kind, "not a file")
        if likely_secret(path, lambda: _beginning(self._root + path)) and not self._secrets.match(path):
            return "likely a secret"
        if found.st_mode & 0o444 != 0o444 and not os.access(self._root + path, os.R_OK, effective_ids=True):
            return "cannot be read: Permission denied"
        return None

    def _link(self, path: bytes) -> str | None:
        try:
            leads = os.readlink(self._root + path)  # noqa: PTH115 - bytes
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        if leads.startswith(b"/"):
            to = os.path.normpath(leads)
            inside = any(to == shown or to.startswith(shown + b"/") for shown in self._shown)
        else:
            to = os.path.normpath(path.rpartition(b"/")[0] + b"/" + leads if b"/" in path else leads)
            inside = to != b".." and not to.startswith(b"../")
        return None if inside else f"a link out of the project, to {leads.decode('utf-8', 'backslashreplace')[:200]}"

    def _is_apart(self, path: bytes) -> bool:
        for apart, why in self._apart.items():
            if path == apart or path.startswith(apart + b"/"):
                if apart not in self._told:
                    self._told.add(apart)
                    self._leave_out(apart, why)
                return True
        return False

    def _leave_out(self, path: bytes, reason: str) -> None:
        self.found.left_out.append((path, reason))


def _is_directory(path: bytes) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _beginning(path: bytes) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 64 << 10)
    finally:
        os.close(descriptor)
