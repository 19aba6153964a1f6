"""Directory trees that a hostile program may have filled.

Owns copying a template's files in, removing a workspace's files and measuring them. Every walk goes by directory
descriptors and never follows a symbolic link; nothing outside the given directory is touched or read.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import time
from pathlib import Path

from jupyter_tasks.errors import InvalidInput, WorkspaceFailed

__all__ = ["copy_template", "remove_tree", "tree_size"]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_FILES = 20_000
_MAX_BYTES = 1 << 30
_MAX_DEPTH = 64
_LONG_PATH = 3000
_MAX_HELD = 64
_ENDLESS = 1 << 62


def copy_template(source: Path, target: Path) -> None:
    """Copy the files of a template's directory ``source`` into the new directory ``target``.

    Modes are kept (set-id bits are not, the owner may always write). A symbolic link is copied as it is when it is
    relative and stays inside ``source``. Raises: InvalidInput on a link that leaves the tree, on anything that is
    neither file, directory nor link, and on more than 20,000 files or 1 GiB.
    """
    root = source.resolve(strict=True)
    left = [_MAX_FILES, _MAX_BYTES]
    _copy(root, root, target, left, 0)


def _copy(root: Path, source: Path, target: Path, left: list[int], depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise InvalidInput(f"The template's files at {source} lie more than {_MAX_DEPTH} directories deep.")
    target.mkdir(mode=0o755)
    with os.scandir(source) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            left[0] -= 1
            info = entry.stat(follow_symlinks=False)
            path = Path(entry.path)
            if stat.S_ISLNK(info.st_mode):
                _copy_link(root, path, target / entry.name)
            elif stat.S_ISDIR(info.st_mode):
                _copy(root, path, target / entry.name, left, depth + 1)
            elif stat.S_ISREG(info.st_mode):
                left[1] -= info.st_size
                shutil.copyfile(path, target / entry.name, follow_symlinks=False)
                (target / entry.name).chmod(stat.S_IMODE(info.st_mode) & 0o777 | 0o600)
            else:
                raise InvalidInput(f"The template's file {path} is neither a file, a directory nor a link.")
            if min(left) < 0:
                raise InvalidInput(
                    f"The template's files in {root} are more than {_MAX_FILES:,} files or {_MAX_BYTES >> 30} GiB.",
                    hint='Copy less: "files" of local_workspace names the directory that is copied.',
                )


def _copy_link(root: Path, source: Path, target: Path) -> None:
    named = source.readlink()
    # by its words too: a link out and in again by this directory's name leads elsewhere in the copy
    worded = Path(os.path.normpath(source.parent.relative_to(root) / named))
    if named.is_absolute() or worded.parts[:1] == ("..",) or not source.resolve().is_relative_to(root):
        raise InvalidInput(f"The template's link {source} leads out of the template ({named}).")
    target.symlink_to(named)


def remove_tree(path: Path) -> None:
    """Remove ``path`` whatever is in it, directories without permissions included, and make sure that it is gone.

    Raises: WorkspaceFailed when something resists.
    """
    try:
        info = path.lstat()
    except FileNotFoundError:
        return
    try:
        if stat.S_ISDIR(info.st_mode):
            _remove_dir(None, os.fspath(path), info)
        else:
            path.unlink()
    except OSError as error:
        raise WorkspaceFailed(
            f"{path} could not be removed: {error.strerror} ({error.filename or ''}).",
            hint="Remove it by hand, or delete the task again when the cause is gone.",
        ) from error


def _remove_dir(parent: int | None, name: str, info: os.stat_result) -> None:
    """Empty and remove one directory without recursion of Python's own: a workspace chooses how deep it nests."""
    stack: list[tuple[int, str, int]] = []
    fd = _open_for_removal(parent, name, info)
    stack.append((fd, name, -1 if parent is None else parent))
    try:
        while stack:
            fd, name, above = stack[-1]
            below = _remove_files(fd)
            if below is not None:
                child = _open_for_removal(fd, below[0], below[1])
                stack.append((child, below[0], fd))
                if len(stack) > 256:  # so deep that descriptors run out: bring the branch up and go on from there
                    _bring_up(stack)
                continue
            stack.pop()
            os.close(fd)
            os.rmdir(name, dir_fd=None if above == -1 else above)
    finally:
        for fd, _, _ in stack:
            with contextlib.suppress(OSError):
                os.close(fd)


def _bring_up(stack: list[tuple[int, str, int]]) -> None:
    """Move the deepest directory of ``stack`` into its first one, so that the walk continues near the top."""
    fd, name, above = stack.pop()
    top = stack[0][0]
    os.rename(name, f".deep-{time.monotonic_ns()}", src_dir_fd=above, dst_dir_fd=top)
    os.close(fd)
    for inner, _, _ in stack[1:]:
        os.close(inner)
    del stack[1:]


def _open_for_removal(parent: int | None, name: str, info: os.stat_result) -> int:
    if info.st_mode & 0o700 != 0o700:
        # chmod by name would follow a link that replaced it; nothing runs any more, and the open below checks again
        handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            if stat.S_ISDIR(os.fstat(handle).st_mode):
                Path(f"/proc/self/fd/{handle}").chmod(0o700)
        finally:
            os.close(handle)
    return os.open(name, _DIRECTORY, dir_fd=parent)


def _remove_files(fd: int) -> tuple[str, os.stat_result] | None:
    """Unlink everything in a directory up to its first subdirectory, which is returned."""
    with os.scandir(fd) as entries:
        for entry in entries:
            info = os.stat(entry.name, dir_fd=fd, follow_symlinks=False)
            if stat.S_ISDIR(info.st_mode):
                return entry.name, info
            os.unlink(entry.name, dir_fd=fd)
    return None


def tree_size(path: Path, *, seconds: float = 5.0) -> int:
    """Bytes on disk of everything below ``path``; files that vanish meanwhile count nothing.

    Stops after ``seconds`` with what it has counted: a lower bound. A tree that is nested so deep that only somebody
    who hides things makes it counts as endless.
    """
    deadline = time.monotonic() + seconds
    total = 0
    pending = [os.fspath(path)]
    held: list[int] = []
    try:
        while pending and time.monotonic() < deadline:
            here = pending.pop()
            with contextlib.suppress(OSError):
                if len(here) > _LONG_PATH:  # longer than a path may be, soon: go on from a descriptor
                    if len(held) >= _MAX_HELD:
                        return _ENDLESS
                    held.append(os.open(here, _DIRECTORY))
                    here = f"/proc/self/fd/{held[-1]}"
                size, below = _one_directory(here)
                total += size
                pending += below
    finally:
        for fd in held:
            os.close(fd)
    return total


def _one_directory(path: str) -> tuple[int, list[str]]:
    # a link that replaces a directory between two looks makes it count elsewhere, and a count is all it does
    total, below = 0, []
    with os.scandir(path) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                info = entry.stat(follow_symlinks=False)
                total += info.st_blocks * 512 // max(1, info.st_nlink if stat.S_ISREG(info.st_mode) else 1)
                if stat.S_ISDIR(info.st_mode):
                    below.append(entry.path)
    return total, below
