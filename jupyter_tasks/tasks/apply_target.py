"""The user's own project, looked at and opened for apply.

Owns the safe way to a path in it: from the open root, name by name, and through no link. The root itself is the
user's word, links in it are theirs. Nothing is written here.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jupyter_tasks.errors import NotFound, WorkspaceFailed
from jupyter_tasks.tasks.review_git import shown
from jupyter_tasks.tasks.review_objects import object_id
from jupyter_tasks.tasks.review_tree import MOST_FILE

__all__ = ["MISSING", "Blocked", "Seen", "Target", "look_in", "read_whole", "stamp_of"]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Blocked(Exception):
    """A directory on the way to a path is none; ``beyond`` says what it is where nothing may be written past it."""

    def __init__(self, path: bytes, beyond: str | None) -> None:
        self.path = path
        self.beyond = beyond
        super().__init__(shown(path))


@dataclass(frozen=True, slots=True)
class Seen:
    """What is at a path now.

    ``name`` is the id of the content of a file (or where a link points), 32 bytes; ``stamp`` tells whether a file has
    been written or replaced since. ``problem`` says why a file could not be read.
    """

    kind: Literal["missing", "file", "link", "directory", "other"]
    mode: int = 0
    name: bytes = b""
    content: bytes = b""
    stamp: tuple[int, ...] = ()
    mtime_ns: int = 0
    links: int = 1
    problem: str | None = None

    @property
    def entry(self) -> tuple[bytes, bytes] | None:
        """As a review lists it; None where nothing is there."""
        if self.kind == "file":
            return (b"100755" if self.mode & stat.S_IXUSR else b"100644", self.name)
        return (b"120000", self.name) if self.kind == "link" else None


MISSING = Seen("missing")


class Target:
    """An open project. Close it."""

    def __init__(self, root: Path) -> None:
        """Open it. Raises: NotFound where there is no such directory, WorkspaceFailed where it cannot be opened."""
        self.root = root
        try:
            self.descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound(
                f"The project is not at {root} any more.",
                hint="Name its directory with --target DIR, or make a branch with --branch NAME --target REPOSITORY.",
            ) from error
        except OSError as error:
            raise WorkspaceFailed(
                f"The project at {root} cannot be opened: {error.strerror}.", hint="Look at its permissions."
            ) from error
        self.identity = _identity(os.fstat(self.descriptor))

    def close(self) -> None:
        """Let it go."""
        os.close(self.descriptor)

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def in_place(self) -> bool:
        """Whether its path still leads to it."""
        try:
            return _identity(self.root.stat()) == self.identity
        except OSError:
            return False

    @contextmanager
    def directory(self, path: bytes) -> Iterator[int]:
        """A directory of the project, open. Raises: Blocked, FileNotFoundError, OSError."""
        descriptor = os.dup(self.descriptor)
        try:
            walked = b""
            for name in path.split(b"/") if path else ():
                walked = walked + b"/" + name if walked else name
                try:
                    below = os.open(name, _DIRECTORY, dir_fd=descriptor)
                except OSError as error:
                    if error.errno in (errno.ELOOP, errno.ENOTDIR):
                        found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                        link = stat.S_ISLNK(found.st_mode)
                        raise Blocked(walked, "a symbolic link" if link else None) from error
                    raise
                os.close(descriptor)
                descriptor = below
            yield descriptor
        finally:
            os.close(descriptor)

    def look(self, path: bytes) -> Seen:
        """What is at a path. Raises: Blocked, OSError where a directory cannot be opened."""
        directory, _, name = path.rpartition(b"/")
        try:
            with self.directory(directory) as parent:
                return look_in(parent, name)
        except FileNotFoundError:
            return MISSING

    def names(self, path: bytes) -> list[bytes]:
        """The names in a directory; none where it is not there. Raises: Blocked, OSError."""
        try:
            with self.directory(path) as descriptor:
                return [os.fsencode(name) for name in os.listdir(descriptor)]  # noqa: PTH208 - of an open directory
        except FileNotFoundError:
            return []

    def mode(self, path: bytes) -> int:
        """Permission bits of a directory. Raises: Blocked, OSError."""
        with self.directory(path) as descriptor:
            return stat.S_IMODE(os.fstat(descriptor).st_mode)


def look_in(parent: int, name: bytes) -> Seen:
    """What a name in an open directory is. Raises: OSError for what is neither there nor missing."""
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return MISSING
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFDIR:
        return Seen("directory", stat.S_IMODE(found.st_mode))
    if kind == stat.S_IFLNK:
        leads = os.readlink(name, dir_fd=parent)
        return Seen("link", name=object_id("blob", leads), content=leads)
    if kind != stat.S_IFREG:
        return Seen("other")
    return _file(parent, name)


def _file(parent: int, name: bytes) -> Seen:
    try:
        descriptor = os.open(name, _FILE, dir_fd=parent)
    except FileNotFoundError:
        return MISSING
    except OSError as error:
        return Seen("other" if error.errno == errno.ELOOP else "file", problem=f"It cannot be read: {error.strerror}.")
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            return Seen("other")
        content = read_whole(descriptor, MOST_FILE)
        after = os.fstat(descriptor)
    except OSError as error:
        return Seen("file", problem=f"It cannot be read: {error.strerror}.")
    finally:
        os.close(descriptor)
    problem = None
    if content is None:
        content, problem = b"", f"It is larger than {MOST_FILE >> 20} MiB."
    elif stamp_of(before) != stamp_of(after):
        problem = "It is being written just now."
    return Seen(
        "file",
        mode=stat.S_IMODE(after.st_mode),
        name=object_id("blob", content),
        content=content,
        stamp=stamp_of(after),
        mtime_ns=after.st_mtime_ns,
        links=after.st_nlink,
        problem=problem,
    )


def read_whole(descriptor: int, most: int) -> bytes | None:
    """What an open file holds; None where that is more than ``most`` bytes."""
    parts = []
    left = most + 1
    while left and (part := os.read(descriptor, min(left, 1 << 20))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts) if left else None


def stamp_of(found: os.stat_result) -> tuple[int, ...]:
    """Differs as soon as a file was written or replaced (a new name of it does not count)."""
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _identity(found: os.stat_result) -> tuple[int, int]:
    return (found.st_dev, found.st_ino)
