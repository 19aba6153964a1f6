"""Limits held by the kernel: a cgroup (version 2) of our own for each workspace.

Owns finding a directory of the cgroup tree that was delegated to us, and one child of it a workspace. Where there is
none (no systemd user session, version 1, a container) everything here says so by None, and the watchdog of ``limits``
does the work.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_tasks.workspaces.limits import Limits

__all__ = ["Cgroup", "delegated"]

_NEEDED = {"memory", "pids"}


def delegated(proc: Path = Path("/proc/self")) -> Path | None:
    """The nearest cgroup above this process in which we may make others and move processes of ours to them."""
    try:
        mount, top = _mounted(proc)
        own = next(
            line[3:] for line in (proc / "cgroup").read_text(encoding="utf-8").splitlines() if line.startswith("0::")
        )
    except (OSError, StopIteration, ValueError):
        return None
    relative = os.path.relpath(own, top)
    if relative.startswith(".."):
        return None
    here = Path(os.path.normpath(mount / relative))
    for directory in (here, *here.parents):
        if not directory.is_relative_to(mount):
            return None
        if _usable(directory):
            return directory
    return None


def _mounted(proc: Path) -> tuple[Path, str]:
    for line in (proc / "mountinfo").read_text(encoding="utf-8").splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            fields = before.split()
            return Path(fields[4]), fields[3]
    raise ValueError("cgroup2 is not mounted")


def _usable(directory: Path) -> bool:
    """Children get the controllers, and both making one and moving a process out of here are allowed."""
    try:
        given = set((directory / "cgroup.subtree_control").read_text(encoding="ascii").split())
    except OSError:
        return False
    return given >= _NEEDED and os.access(directory, os.W_OK) and os.access(directory / "cgroup.procs", os.W_OK)


@dataclass(frozen=True, slots=True)
class Cgroup:
    """One workspace's cgroup."""

    path: Path

    @classmethod
    def make(cls, parent: Path, workspace_id: str, limits: Limits) -> Cgroup | None:
        """A cgroup with these limits; None when the kernel refuses one of them."""
        group = cls(parent / f"jupyter-tasks-{workspace_id}")
        try:
            group.path.mkdir(exist_ok=True)
            (group.path / "memory.max").write_text(str(limits.memory), encoding="ascii")
            (group.path / "pids.max").write_text(str(limits.processes), encoding="ascii")
        except OSError:
            group.remove()
            return None
        for name, value in (
            ("memory.oom.group", "1"),  # half a workspace helps nobody
            ("memory.swap.max", "0"),
            ("cpu.weight", str(max(1, limits.cpu_share))),
        ):
            with contextlib.suppress(OSError):
                (group.path / name).write_text(value, encoding="ascii")
        return group

    def join(self, pid: int) -> bool:
        """Move a process in; what it starts stays in. False when the kernel refuses."""
        try:
            (self.path / "cgroup.procs").write_text(str(pid), encoding="ascii")
        except OSError:
            return False
        return True

    def pids(self) -> Sequence[int]:
        """Every process in it."""
        try:
            return [int(word) for word in (self.path / "cgroup.procs").read_text(encoding="ascii").split()]
        except OSError:
            return []

    def out_of_memory(self) -> bool:
        """Whether the kernel killed in it because of its memory limit."""
        return any(name in {"oom_kill", "oom_group_kill"} and count for name, count in self._events("memory.events"))

    def _events(self, name: str) -> Iterator[tuple[str, int]]:
        with contextlib.suppress(OSError, ValueError):
            for line in (self.path / name).read_text(encoding="ascii").splitlines():
                word, _, count = line.partition(" ")
                yield word, int(count)

    def kill(self) -> None:
        """Kill everything in it at once (Linux 5.14; older ones leave it to the caller)."""
        with contextlib.suppress(OSError):
            (self.path / "cgroup.kill").write_text("1", encoding="ascii")

    def remove(self, *, timeout: float = 1.0) -> bool:
        """Remove it, waiting a moment for the last process to leave; False when it stays."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.path.rmdir()
            except FileNotFoundError:
                return True
            except OSError:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.01)
            else:
                return True
