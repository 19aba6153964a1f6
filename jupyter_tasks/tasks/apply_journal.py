"""What an apply is about to do, on disk before it does it, with everything that was there before.

Owns ``<applies>/<id>/``: ``journal.json`` (written whole and synced before the first change of the user's tree, and
again when it is done) and ``blobs/`` (what every file held, and what it will hold, by id). One that never got its
journal changed nothing.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

__all__ = ["LEFT", "ApplyJournal", "Blobs", "State", "Step", "begun", "load_journals", "of_task", "sync_directory"]

LEFT = ".left"
"""Ends the name of one that was rolled back in part: it keeps what could not be put back."""

_FILE = "journal.json"


@dataclass(frozen=True, slots=True)
class State:
    """A file: permission bits, id of its content (hexadecimal), time of its last change."""

    mode: int
    name: str
    mtime_ns: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One file: what was there and what will be (None: nothing). ``stage`` is the directory its helpers lie in."""

    path: bytes
    old: State | None
    new: State | None
    stage: bytes


@dataclass(frozen=True, slots=True)
class ApplyJournal:
    """One apply or undo. Paths are relative to ``target``; directories to ``remove`` are deepest first, with their
    modes, directories to ``make`` topmost first (mode None: as the user's umask has it)."""

    id: str
    task_id: str
    kind: Literal["apply", "undo"]
    of: str
    """The apply that an undo takes back; else the id itself."""
    target: str
    identity: tuple[int, int]
    """Device and inode of the target."""
    steps: Sequence[Step]
    remove: Sequence[tuple[bytes, int]] = ()
    make: Sequence[tuple[bytes, int | None]] = ()
    done: bool = False

    def reversed(self, new_id: str) -> ApplyJournal:
        """The undo of this."""
        steps = [Step(each.path, each.new, each.old, each.stage) for each in reversed(self.steps)]
        made = [(path, 0o755 if mode is None else mode) for path, mode in reversed(self.make)]
        again = [(path, mode) for path, mode in reversed(self.remove)]
        return replace(self, id=new_id, kind="undo", of=self.id, steps=steps, remove=made, make=again, done=False)

    def write(self, directory: Path) -> None:
        """Put it on disk, whole and durable. Raises: OSError."""
        kept = asdict(self)
        for step in kept["steps"]:
            step["path"], step["stage"] = os.fsdecode(step["path"]), os.fsdecode(step["stage"])
        for name in ("remove", "make"):
            kept[name] = [(os.fsdecode(path), mode) for path, mode in kept[name]]
        part = directory / f"{_FILE}.part"
        with part.open("w") as file:
            json.dump(kept, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(directory / _FILE)
        sync_directory(directory)

    @classmethod
    def read(cls, directory: Path) -> ApplyJournal | None:
        """The one in a directory; None where there is none. Raises: OSError, ValueError for a damaged one."""
        try:
            kept: dict[str, Any] = json.loads((directory / _FILE).read_text())
        except FileNotFoundError:
            return None
        try:
            return cls(
                **{
                    **kept,
                    "identity": tuple(kept["identity"]),
                    "steps": [_step(each) for each in kept["steps"]],
                    "remove": [(os.fsencode(path), mode) for path, mode in kept["remove"]],
                    "make": [(os.fsencode(path), mode) for path, mode in kept["make"]],
                }
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"{directory / _FILE} is damaged") from error


def _step(kept: Mapping[str, Any]) -> Step:
    old, new = (None if kept[name] is None else State(**kept[name]) for name in ("old", "new"))
    return Step(os.fsencode(kept["path"]), old, new, os.fsencode(kept["stage"]))


class Blobs:
    """What files hold, by id, in one apply's directory."""

    def __init__(self, directory: Path) -> None:
        self._place = directory / "blobs"

    def add(self, name: str, content: bytes) -> None:
        """Keep this, durable. Raises: OSError."""
        self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._place / name
        if path.exists():
            return
        part = self._place / f"{name}.part"
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)

    def read(self, name: str) -> bytes:
        """What was kept. Raises: OSError."""
        return (self._place / name).read_bytes()

    def sync(self) -> None:
        """Make the names durable. Raises: OSError."""
        if self._place.exists():
            sync_directory(self._place)


@contextmanager
def begun(directory: Path) -> Iterator[Blobs]:
    """A new apply's directory; gone again where it could not be filled. Raises: OSError."""
    directory.mkdir(mode=0o700, parents=True)
    try:
        yield Blobs(directory)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    sync_directory(directory.parent)


def load_journals(place: Path) -> Iterator[tuple[Path, ApplyJournal]]:
    """Every apply on disk; what never got its journal is removed, what is damaged is passed over."""
    try:
        found = sorted(each for each in place.iterdir() if each.is_dir() and each.suffix != LEFT)
    except OSError:  # none yet, or out of reach: it is tried again at the next start
        return
    for directory in found:
        try:
            journal = ApplyJournal.read(directory)
        except (OSError, ValueError):
            continue
        if journal is None:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            yield directory, journal


def of_task(place: Path, task_id: str) -> Iterator[Path]:
    """Every directory that one task's applies have left."""
    try:
        found = [each for each in place.iterdir() if each.is_dir()]
    except OSError:
        return
    for directory in found:
        with suppress(OSError, ValueError):
            journal = ApplyJournal.read(directory)
            if journal is not None and journal.task_id == task_id:
                yield directory


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable. Raises: OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
