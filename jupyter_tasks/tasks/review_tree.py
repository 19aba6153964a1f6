"""Reading a directory that a workspace writes, while it may be writing.

Owns the safe way through it: nothing is ever followed (every step opens a name in an open directory, never a path),
only regular files are read, and everything has a bound. What there is is given as git sees files: path, mode, bytes.
"""

from __future__ import annotations

import itertools
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from jupyter_tasks.errors import LimitReached, WorkspaceFailed
from jupyter_tasks.tasks.review_stamps import Moment, Stamp, stamp_of

__all__ = ["Found", "Skipped", "TreeReader", "stands_for_large"]

MOST_ENTRIES = 100_000
MOST_BYTES = 2 << 30
MOST_FILE = 32 << 20
MOST_DEPTH = 100

TOOL_DIRECTORIES = frozenset(
    {b"__pycache__", b"node_modules", b".venv", b".ipynb_checkpoints", b".mypy_cache", b".pytest_cache", b".ruff_cache"}
)
"""Made by tools, huge, and made again: no part of a review, wherever they are."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_STANDS_FOR = re.compile(rb"\0a file of \d+ bytes, changed at \d+, node \d+")
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True, slots=True)
class Found:
    """One file (mode 100644 or 100755) or symbolic link (120000; its content is where it points)."""

    path: bytes
    mode: bytes
    content: bytes
    unchanged: bool = False
    """It is as it was when its stamp was taken; ``mode`` and ``content`` are not told again."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that is not read, and why. ``unknown``: it may be as it was, or not."""

    path: bytes
    reason: str
    unknown: bool = True


class TreeReader:
    """Reads one tree, once. ``skipped``, ``directories`` and ``stamps`` fill while ``files`` is read.

    ``late`` says whether the time is up; it is asked at every file. Files that still have the stamp that ``known`` has
    of them are not read. With a ``moment``, which was before the first file, ``stamps`` has those that prove something.
    """

    def __init__(
        self,
        tree: Path,
        trusted: Path,
        late: Callable[[], bool],
        *,
        known: Mapping[bytes, Stamp] | None = None,
        moment: Moment | None = None,
    ) -> None:
        self.stamps: dict[bytes, Stamp] = {}
        self._known = known or {}
        self._moment = moment
        self.skipped: list[Skipped] = []
        self.directories: set[bytes] = set()
        self._tree = tree
        self._trusted = trusted
        self._late = late
        self._entries = 0
        self._bytes = 0

    def files(self) -> Iterator[Found]:
        """Everything in the tree, in no particular order; nothing where the tree does not exist.

        Raises: LimitReached when it is beyond a bound; WorkspaceFailed when it is no directory, or time is up.
        """
        descriptor = self._open()
        if descriptor is None:
            return
        try:
            yield from self._directory(descriptor, b"", 0)
        finally:
            os.close(descriptor)

    def _open(self) -> int | None:
        """Open the tree: links above ``trusted`` are the user's own, one below was planted."""
        descriptor = -1
        try:
            descriptor = os.open(self._trusted, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            for part in self._tree.relative_to(self._trusted).parts:
                if part == "..":
                    raise NotADirectoryError
                below = os.open(part, _DIRECTORY, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
        except FileNotFoundError:
            _close(descriptor)
            return None
        except OSError as error:
            _close(descriptor)
            raise WorkspaceFailed(
                f"The files of the workspace cannot be read: {self._tree} is no directory of ours any more.",
                hint="Something in the workspace has replaced it. Look at the task's terminal, or delete the task.",
                retryable=False,
            ) from error
        return descriptor

    def _directory(self, descriptor: int, prefix: bytes, depth: int) -> Iterator[Found]:
        for name, info in self._names(descriptor, prefix):
            path = prefix + name
            kind = stat.S_IFMT(info.st_mode)
            if name.lower() == b".git":
                continue  # the agent's own commits: what they hold is in the files
            if kind == stat.S_IFDIR:
                yield from self._below(descriptor, name, path, depth)
            elif kind == stat.S_IFLNK:
                yield from self._link(descriptor, name, path)
            elif kind == stat.S_IFREG and self._known.get(path) == stamp_of(info):
                yield Found(path, b"", b"", unchanged=True)
            elif kind == stat.S_IFREG:
                yield from self._file(descriptor, name, path)
            else:
                self.skipped.append(_other(path, kind))

    def _names(self, descriptor: int, prefix: bytes) -> list[tuple[bytes, os.stat_result]]:
        found = []
        try:
            with os.scandir(descriptor) as entries:
                for entry in itertools.islice(entries, MOST_ENTRIES + 1 - self._entries):
                    try:
                        found.append((os.fsencode(entry.name), entry.stat(follow_symlinks=False)))
                    except FileNotFoundError:
                        continue
        except OSError as error:
            self.skipped.append(_unreadable(prefix[:-1], error))
        self._entries += len(found)
        if self._entries > MOST_ENTRIES:
            raise _too_much(self._tree, f"more than {MOST_ENTRIES:,} files")
        return found

    def _opened(self, parent: int, name: bytes, path: bytes, flags: int) -> int | None:
        try:
            return os.open(name, flags, dir_fd=parent)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.skipped.append(_unreadable(path, error))
            return None

    def _below(self, parent: int, name: bytes, path: bytes, depth: int) -> Iterator[Found]:
        if name in TOOL_DIRECTORIES:
            self.skipped.append(Skipped(path, "made by a tool, no part of the review", unknown=False))
            return
        if depth >= MOST_DEPTH:
            self.skipped.append(Skipped(path, f"deeper than {MOST_DEPTH} directories"))
            return
        descriptor = self._opened(parent, name, path, _DIRECTORY)
        if descriptor is None:
            return
        self.directories.add(path)
        try:
            yield from self._directory(descriptor, path + b"/", depth + 1)
        finally:
            os.close(descriptor)

    def _link(self, parent: int, name: bytes, path: bytes) -> Iterator[Found]:
        try:
            yield Found(path, b"120000", os.readlink(name, dir_fd=parent))
        except FileNotFoundError:
            return
        except OSError as error:
            self.skipped.append(_unreadable(path, error))

    def _file(self, parent: int, name: bytes, path: bytes) -> Iterator[Found]:
        if self._late():
            raise WorkspaceFailed(
                f"Reading the files of the workspace took too long ({self._tree}).",
                hint="Try again when the agent is idle.",
            )
        descriptor = self._opened(parent, name, path, _FILE)
        if descriptor is None:
            return
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                self.skipped.append(_other(path, stat.S_IFMT(found.st_mode)))
                return
            if self._moment is not None and self._moment.proves(found):
                self.stamps[path] = stamp_of(found)
            content = _content(descriptor, found)
        except OSError as error:
            self.skipped.append(_unreadable(path, error))
            return
        finally:
            os.close(descriptor)
        self._bytes += len(content)
        if self._bytes > MOST_BYTES:
            raise _too_much(self._tree, f"more than {MOST_BYTES >> 30} GiB")
        yield Found(path, b"100755" if found.st_mode & stat.S_IXUSR else b"100644", content)


def _content(descriptor: int, found: os.stat_result) -> bytes:
    """The bytes of a file; of one that is too large, something binary that changes when it does."""
    if found.st_size <= MOST_FILE:
        parts = []
        left = MOST_FILE + 1
        while left and (part := os.read(descriptor, min(left, 1 << 20))):
            parts.append(part)
            left -= len(part)
        if left:
            return b"".join(parts)
        found = os.fstat(descriptor)  # it grew meanwhile
    # The time of its last change of any kind cannot be set by a workspace.
    return b"\0a file of %d bytes, changed at %d, node %d" % (found.st_size, found.st_ctime_ns, found.st_ino)


def stands_for_large(content: bytes) -> bool:
    """Whether these bytes are not a file's own, but stand for one that is too large to read."""
    return _STANDS_FOR.fullmatch(content) is not None


def _unreadable(path: bytes, error: OSError) -> Skipped:
    return Skipped(path, f"cannot be read: {error.strerror}")


def _other(path: bytes, kind: int) -> Skipped:
    return Skipped(path, _KINDS.get(kind, "not a file"), unknown=False)


def _close(descriptor: int) -> None:
    if descriptor >= 0:
        os.close(descriptor)


def _too_much(tree: Path, what: str) -> LimitReached:
    return LimitReached(
        f"The workspace holds {what}: its changes cannot be shown ({tree}).",
        hint="Have the agent remove what it does not need (downloads, build output), or look at the files themselves.",
    )
