"""Copying the user's files into a new workspace.

Owns the way through the user's tree while somebody may be working in it: by open directories and names, never through
a symbolic link, each file as it is in one moment. The target is ours alone until it is done.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from jupyter_tasks.errors import WorkspaceFailed

__all__ = ["Copied", "TreeCopy", "copy_tree"]

_SMALL = 1 << 20
_TRIES = 3
_THREADS = 3
_WORTH_A_THREAD = 500  # files
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Copied(Protocol):
    """Is told of every file and link that has been copied."""

    def __call__(self, path: bytes, source: os.stat_result, copy: os.stat_result, content: bytes | None, /) -> None: ...


def copy_tree(
    source: Path,
    target: Path,
    entries: Sequence[tuple[bytes, int]],
    copied: Copied,
    left_out: Callable[[bytes, str], None],
    late: Callable[[], bool],
) -> None:
    """Copy ``entries`` (path and kind, in order) of one directory into another, in a few threads at once.

    Making a file is the kernel's work, and it makes several at once. ``copied`` and ``left_out`` are called from all of
    them. Raises: OSError where the target cannot be written, WorkspaceFailed when it takes too long.
    """
    threads = min(_THREADS, 1 + len(entries) // _WORTH_A_THREAD)
    size = -(-len(entries) // threads)

    def part(start: int) -> None:
        copy = TreeCopy(source, target, copied, left_out, late)
        try:
            copy.copy(entries[start : start + size])
        finally:
            copy.close()

    with ThreadPoolExecutor(threads, thread_name_prefix="copy-project") as pool:
        for done in [pool.submit(part, start) for start in range(0, len(entries), size or 1)]:
            done.result()


class TreeCopy:
    """Copies from one directory into another. ``left_out`` is told of what could not be read. Close it."""

    def __init__(
        self,
        source: Path,
        target: Path,
        copied: Copied,
        left_out: Callable[[bytes, str], None],
        late: Callable[[], bool],
    ) -> None:
        self._copied = copied
        self._left_out = left_out
        self._late = late
        self._where = os.fspath(source)
        self._names: list[bytes] = []
        self._open: list[tuple[int, int]] = []
        descriptor = os.open(source, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._open.append((descriptor, os.open(target, _DIRECTORY)))
        except OSError:
            os.close(descriptor)
            raise

    def close(self) -> None:
        """Close what is open."""
        for pair in self._open:
            for descriptor in pair:
                os.close(descriptor)
        self._open.clear()

    def copy(self, paths: Iterable[tuple[bytes, int]]) -> None:
        """Copy these (path, kind of file), best in order. What has vanished is passed over.

        Raises: OSError where the target cannot be written, WorkspaceFailed when it takes too long.
        """
        place, here = None, self._open[0]
        for path, kind in paths:
            directory, _, name = path.rpartition(b"/")
            if kind == stat.S_IFDIR:
                directory, name = path, b""
            if directory != place:
                place = None
                found = self._enter(directory)
                if found is None:
                    continue
                place, here = directory, found
            if name:
                self._one(here, name, path)
            if self._late():
                raise WorkspaceFailed(
                    f"Copying the project {self._where} took too long.",
                    hint="Is its disk slow? Start with a part of it (`--project DIR`).",
                )

    def _enter(self, directory: bytes) -> tuple[int, int] | None:
        """The open directories of that path, made in the target; None where the source has none any more."""
        parts = directory.split(b"/") if directory else []
        same = 0
        while same < min(len(parts), len(self._names)) and parts[same] == self._names[same]:
            same += 1
        while len(self._names) > same:
            self._names.pop()
            for descriptor in self._open.pop():
                os.close(descriptor)
        for depth in range(same, len(parts)):
            name = parts[depth]
            source, target = self._open[-1]
            try:
                below = os.open(name, _DIRECTORY, dir_fd=source)
            except (FileNotFoundError, NotADirectoryError):
                return None
            except OSError as error:
                self._left_out(b"/".join(parts[: depth + 1]), f"cannot be read: {error.strerror}")
                return None
            try:
                made = _made(name, target)
            except OSError:
                os.close(below)
                raise
            self._names.append(name)
            self._open.append((below, made))
        return self._open[-1]

    def _one(self, here: tuple[int, int], name: bytes, path: bytes) -> None:
        source, target = here
        try:
            descriptor = os.open(name, _READ, dir_fd=source)
        except FileNotFoundError:
            return
        except OSError as error:
            if not self._link(here, name, path):
                self._left_out(path, f"cannot be read: {error.strerror}")
            return
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                if not stat.S_ISDIR(found.st_mode):
                    self._left_out(path, "not a file any more")
                return
            for _ in range(_TRIES):
                content, copy = _copy(descriptor, found, name, target)
                now = os.fstat(descriptor)
                if (now.st_mtime_ns, now.st_size) == (found.st_mtime_ns, found.st_size):
                    self._copied(path, found, copy, content)
                    return
                found = now  # somebody writes it; after some tries it comes as it is
        except _SourceError as error:
            _clear(name, target)
            self._left_out(path, f"cannot be read: {error.strerror}")
        finally:
            os.close(descriptor)

    def _link(self, here: tuple[int, int], name: bytes, path: bytes) -> bool:
        """Copy a symbolic link as it is; False where it is none."""
        source, target = here
        try:
            leads = os.readlink(name, dir_fd=source)
            found = os.stat(name, dir_fd=source, follow_symlinks=False)
        except OSError:
            return False
        _clear(name, target)
        os.symlink(leads, name, dir_fd=target)
        os.utime(name, ns=(found.st_mtime_ns, found.st_mtime_ns), dir_fd=target, follow_symlinks=False)
        self._copied(path, found, os.stat(name, dir_fd=target, follow_symlinks=False), leads)
        return True


class _SourceError(OSError):
    """The source could not be read: that file stays behind, and the copy goes on."""


def _copy(source: int, found: os.stat_result, name: bytes, target: int) -> tuple[bytes | None, os.stat_result]:
    """Copy one open file; its content where it is small. Raises: _SourceError, OSError."""
    content = None
    if found.st_size < _SMALL:
        try:
            content = os.pread(source, found.st_size, 0)
        except OSError as error:
            raise _SourceError(error.errno, error.strerror) from error
    mode = stat.S_IMODE(found.st_mode) & 0o777 | 0o600
    try:
        descriptor = os.open(name, _WRITE, mode, dir_fd=target)
    except FileExistsError:
        _clear(name, target)
        descriptor = os.open(name, _WRITE, mode, dir_fd=target)
    try:
        if content is not None:
            _write(descriptor, content, 0)
        else:
            _stream(source, descriptor, found.st_size)
        os.utime(descriptor, ns=(found.st_mtime_ns, found.st_mtime_ns))
        return content, os.fstat(descriptor)
    finally:
        os.close(descriptor)


def _stream(source: int, target: int, size: int) -> None:
    """Copy so many bytes of a large file; its holes stay holes."""
    at = 0
    while at < size:
        try:
            at = os.lseek(source, at, os.SEEK_DATA)
            end = min(size, os.lseek(source, at, os.SEEK_HOLE))
        except OSError:
            break  # nothing but a hole is left
        while at < end:
            try:
                block = os.pread(source, min(end - at, _SMALL), at)
            except OSError as error:
                raise _SourceError(error.errno, error.strerror) from error
            if not block:
                size = at
                break
            _write(target, block, at)
            at += len(block)
    os.ftruncate(target, size)


def _write(target: int, block: bytes, at: int) -> None:
    written = os.pwrite(target, block, at)
    while written < len(block):  # a disk that is nearly full takes a part, and then says so
        written += os.pwrite(target, block[written:], at + written)


def _made(name: bytes, parent: int) -> int:
    """A directory of the target, made if need be, open. A link or file of the template gives way."""
    with suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=parent)
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent)
    except OSError:
        os.unlink(name, dir_fd=parent)
        os.mkdir(name, 0o755, dir_fd=parent)
        return os.open(name, _DIRECTORY, dir_fd=parent)


def _clear(name: bytes, parent: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=parent)
