"""Git's index: the user's as git tells it, and the workspace's as we write it.

Owns which entries of the user's index hold for the copies: a file that git knows to be unchanged is written with the
copy's own times, so that ``git status`` inside reads no file. The format is version 2 (3 where flags need it).
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_tasks.tasks.project_git import Git

__all__ = ["GITLINK", "IndexEntry", "IndexWriter", "read_index"]

GITLINK = 0o160000

_ENTRY = re.compile(
    rb"([0-7]{6}) ([0-9a-f]+) ([0-3])\t([^\0]*)\0  ctime: (\d+):(\d+)\n  mtime: (\d+):(\d+)\n"
    rb"  dev: (\d+)\tino: (\d+)\n  uid: (\d+)\tgid: (\d+)\n  size: (\d+)\tflags: ([0-9a-f]+)\n"
)
_PLAIN = re.compile(rb"([0-7]{6}) ([0-9a-f]+) ([0-3])\t([^\0]*)\0")
_KNOWN_UNCHANGED = 0x8000
_EXTENDED = 0x4000
_INTENT_TO_ADD = 1 << 29
_SKIP_WORKTREE = 1 << 30
_MODULUS = 1 << 32


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One file of an index. ``times`` is what git saw: ctime, mtime (ns), inode, size; None where that is not told."""

    path: bytes
    mode: int
    object: bytes
    flags: int = 0
    times: tuple[int, int, int, int] | None = None

    @property
    def sparse(self) -> bool:
        """Whether the file is not meant to be in the work tree."""
        return bool(self.flags & _SKIP_WORKTREE)

    def is_unchanged(self, found: os.stat_result, written: int) -> bool:
        """Whether git knows without reading that the file holds what the index says.

        Args:
            found: the file now.
            written: when the index was written (ns); a file changed since, or in the same moment, may be another.
        """
        if self.times is None:
            return False
        changed, modified, inode, size = self.times
        return (
            modified == found.st_mtime_ns
            and changed == found.st_ctime_ns
            and inode == found.st_ino % _MODULUS
            and size == found.st_size % _MODULUS
            and size > 0
            and modified < written
            and stat.S_ISLNK(self.mode) == stat.S_ISLNK(found.st_mode)
            and (not stat.S_ISREG(found.st_mode) or bool(self.mode & 0o100) == bool(found.st_mode & 0o100))
        )


def read_index(git: Git) -> list[IndexEntry]:
    """The index of the repository whose top is git's directory; of a file in conflict, the user's own side."""
    with git.ask("ls-files", "--stage", "--debug", "-z") as question:
        answer = question.read()
    entries, end = [], 0
    for found in _ENTRY.finditer(answer):
        if found.start() != end:
            break
        end = found.end()
        mode, name, stage, path, cs, cn, ms, mn, _, inode, _, _, size, flags = found.groups()
        if stage in (b"0", b"2"):
            times = (int(cs) * 10**9 + int(cn), int(ms) * 10**9 + int(mn), int(inode), int(size))
            kept = int(flags, 16) & (_KNOWN_UNCHANGED | _INTENT_TO_ADD | _SKIP_WORKTREE)
            clean = stage == b"0"
            entries.append(
                IndexEntry(
                    path, int(mode, 8), bytes.fromhex(name.decode()), kept if clean else 0, times if clean else None
                )
            )
    return entries if end == len(answer) else _read_plain(git)


def _read_plain(git: Git) -> list[IndexEntry]:
    """Without times: the other form is for people to read and may change with git."""
    with git.ask("ls-files", "--stage", "-z") as question:
        answer = question.read()
    return [
        IndexEntry(path, int(mode, 8), bytes.fromhex(name.decode()))
        for mode, name, stage, path in _PLAIN.findall(answer)
        if stage in (b"0", b"2")
    ]


class IndexWriter:
    """The index of the workspace in the making. Every path that is not told of is a file that the user has deleted.

    Args:
        entries: the user's.
        written: when theirs was written (ns).
        owner: user and group as the workspace sees them.
        sha256: the repository's kind of names.
    """

    def __init__(self, entries: Sequence[IndexEntry], written: int, owner: tuple[int, int], *, sha256: bool) -> None:
        self._entries = {entry.path: entry for entry in entries}
        self._written = written
        self._owner = owner
        self._hash = hashlib.sha256 if sha256 else hashlib.sha1
        self._clean: dict[bytes, os.stat_result] = {}
        self._left_out: set[bytes] = set()

    def copied(self, path: bytes, source: os.stat_result, copy: os.stat_result, content: bytes | None) -> None:
        """A file or link has been copied; ``content`` where it was at hand."""
        entry = self._entries.get(path)
        if entry is None or entry.mode == GITLINK:
            return
        if entry.is_unchanged(source, self._written) or (content is not None and self._same(entry, source, content)):
            self._clean[path] = copy

    def leave_out(self, path: bytes) -> None:
        """A file of the user's work tree stays behind: for git it is not meant to be there, and not deleted."""
        self._left_out.add(path)

    def _same(self, entry: IndexEntry, source: os.stat_result, content: bytes) -> bool:
        expected = 0o120000 if stat.S_ISLNK(source.st_mode) else 0o100644 | (0o111 if source.st_mode & 0o100 else 0)
        return entry.mode == expected and self._hash(b"blob %d\0" % len(content) + content).digest() == entry.object

    def write(self, file: Path) -> None:
        """Write it. Raises: OSError."""
        parts = [self._line(self._entries[path]) for path in sorted(self._entries)]
        version = 3 if any(self._flags(entry) & _EXTENDED for entry in self._entries.values()) else 2
        body = b"DIRC" + struct.pack(">II", version, len(parts)) + b"".join(parts)
        with file.open("xb") as out:
            out.write(body + self._hash(body).digest())

    def _flags(self, entry: IndexEntry) -> int:
        extended = entry.flags & (_INTENT_TO_ADD | _SKIP_WORKTREE) or entry.path in self._left_out
        return entry.flags & _KNOWN_UNCHANGED | min(len(entry.path), 0xFFF) | (_EXTENDED if extended else 0)

    def _line(self, entry: IndexEntry) -> bytes:
        found = self._clean.get(entry.path)
        if found is None:
            numbers = (0, 0, 0, 0, 0, 0, entry.mode, 0, 0, 0)
        else:
            changed, modified = divmod(found.st_ctime_ns, 10**9), divmod(found.st_mtime_ns, 10**9)
            numbers = (*changed, *modified, found.st_dev, found.st_ino, entry.mode, *self._owner, found.st_size)
        line = struct.pack(">10I", *(number % _MODULUS for number in numbers)) + entry.object
        flags = self._flags(entry)
        line += struct.pack(">H", flags)
        if flags & _EXTENDED:
            more = entry.flags | (_SKIP_WORKTREE if entry.path in self._left_out else 0)
            line += struct.pack(">H", (more & (_INTENT_TO_ADD | _SKIP_WORKTREE)) >> 16)
        line += entry.path
        return line + b"\0" * (8 - len(line) % 8)
