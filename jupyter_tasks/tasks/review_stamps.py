"""Proof that a file is as it was, without reading it.

Owns when such a proof holds. A stamp is taken of a file before anything of the workspace runs, and compared with the
file's later: the kernel sets the time of its last change (ctime), no workspace can. A stamp is taken once and never
renewed while a workspace runs, because a program that has a file mapped changes it again and again, and only the first
time shows. Where the kernel does not even show that (memory file systems) there is no proof, and every file is read.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Moment", "Stamp", "stamp_of"]

Stamp = tuple[int, int, int, int]
"""Changed at (ns), modified at (ns), size, inode."""


def stamp_of(found: os.stat_result) -> Stamp:
    """The stamp of a file."""
    return found.st_ctime_ns, found.st_mtime_ns, found.st_size, found.st_ino


@dataclass(frozen=True, slots=True)
class Moment:
    """Files of ``device`` that changed before ``changed`` (ns, by its own clock) have a stamp that proves something."""

    device: int
    changed: int

    @classmethod
    def now(cls, directory: Path) -> Moment:
        """The present moment of the file system of ``directory``. Raises: OSError."""
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"\0" * mmap.PAGESIZE)
            file.flush()
            os.utime(file.fileno(), ns=(0, 0))
            with mmap.mmap(file.fileno(), mmap.PAGESIZE) as mapped:
                mapped[0] += 1  # read, then written: memory file systems do not notice the second
                found = os.fstat(file.fileno())
        return cls(found.st_dev, found.st_ctime_ns if found.st_mtime_ns else 0)

    def proves(self, found: os.stat_result) -> bool:
        """Whether the stamp of this file, taken now, changes with whatever happens to the file from now on."""
        return found.st_dev == self.device and found.st_ctime_ns < self.changed
