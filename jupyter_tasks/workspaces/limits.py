"""What a workspace may use, and who sees to it.

Owns the bounds of a workspace as a whole (memory, processes, disk, share of the processor) and the watchdog that
holds them where no cgroup of our own is to be had. Measures PSS, so that shared pages count once. No bound on address
space (JIT compilers reserve terabytes) and none on processor time (a long task is no fault).
"""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_tasks.workspaces.local_tree import tree_size
from jupyter_tasks.workspaces.processes import proportional_memory, resident_memory
from jupyter_tasks.workspaces.provisioner import Exit, WorkspaceUsage

__all__ = ["Limits", "Watchdog", "apply_priority", "memory_reason", "readable_bytes"]

_FASTEST = 4 << 30  # bytes a second that a bomb can allocate on a fast machine
_DISK_EVERY = 300.0
_DISK_STEP = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one workspace: bytes, a count, bytes, and percent of an ordinary process group's share."""

    memory: int
    processes: int
    disk: int
    cpu_share: int = 100


def readable_bytes(count: int) -> str:
    """A size for a person: "4.0 GiB"."""
    value = float(count)
    for unit in ("bytes", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def memory_reason(used: int, limit: int) -> str:
    """Why a workspace was ended for its memory."""
    return f"The workspace used {readable_bytes(used)} of memory, its limit is {readable_bytes(limit)}, and was ended."


def apply_priority(pid: int, cpu_share: int) -> None:
    """Give the processor share, leave no core dumps, and make the kernel take this process first when memory is out.

    What it starts inherits all of it. None needs a privilege; what is refused stays as it was.
    """
    nice = 0 if cpu_share >= 100 else min(19, round((100 - max(1, cpu_share)) / 5))
    with contextlib.suppress(OSError):
        if nice:
            os.setpriority(os.PRIO_PROCESS, pid, nice)
    with contextlib.suppress(OSError, ValueError):
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, resource.prlimit(pid, resource.RLIMIT_CORE)[1]))
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text("700", encoding="ascii")


@dataclass(slots=True)
class Watchdog:
    """Looks at one workspace now and then. ``processes`` lists its pids; ``folder`` is what it may fill.

    ``shared`` names file systems in memory that it may fill (they are no process's own); ``by_kernel`` says that a
    cgroup holds memory and processes. Every method blocks for milliseconds: call it in a worker thread.
    """

    limits: Limits
    processes: Callable[[], Sequence[int]]
    folder: Path
    shared: Sequence[Path] = ()
    by_kernel: bool = False
    _used: int = field(default=0, init=False)
    _disk: int = field(default=0, init=False)
    _ceiling: int = field(default=0, init=False)
    _free: int = field(default=-1, init=False)
    _disk_at: float = field(default=0.0, init=False)

    def interval(self) -> float:
        """Seconds until the next look is due: the nearer the bound, the sooner."""
        if self.by_kernel:
            return 5.0
        return min(1.0, max(0.1, (self.limits.memory - self._used) / _FASTEST))

    def look(self, now: float) -> Exit | None:
        """What bound is broken, as the reason to end the workspace; ``now`` in monotonic seconds."""
        if self.by_kernel:
            return self._look_at_disk(now)
        pids = self.processes()
        if len(pids) > self.limits.processes:
            return Exit(
                reason=f"The workspace ran {len(pids)} processes, more than its limit of {self.limits.processes}, "
                "and was ended.",
                limit="processes",
            )
        self._used = resident_memory(pids) + self._in_shared()
        if self._used > self.limits.memory:  # resident counts shared pages again and again: now measure well
            self._used = proportional_memory(pids) + self._in_shared()
        if self._used > self.limits.memory:
            return Exit(reason=memory_reason(self._used, self.limits.memory), limit="memory")
        return self._look_at_disk(now)

    def usage(self) -> WorkspaceUsage:
        """What it uses now, measured well."""
        pids = self.processes()
        return WorkspaceUsage(
            memory=proportional_memory(pids) + self._in_shared(), processes=len(pids), disk=tree_size(self.folder)
        )

    def _in_shared(self) -> int:
        total = 0
        for path in self.shared:
            with contextlib.suppress(OSError):
                info = os.statvfs(path)
                total += (info.f_blocks - info.f_bfree) * info.f_frsize
        return total

    def _look_at_disk(self, now: float) -> Exit | None:
        """Walk the files only when so much disk went that the bound may be broken, or not for five minutes."""
        try:
            info = os.statvfs(self.folder)
        except OSError:
            return None
        free = info.f_bavail * info.f_frsize
        first = self._free < 0
        gone = max(0, self._free - free)
        if (
            not first
            and gone < max(_DISK_STEP, (self._ceiling - self._disk) // 2)
            and now - self._disk_at < _DISK_EVERY
        ):
            return None
        self._disk, self._free, self._disk_at = tree_size(self.folder), free, now
        if first:  # a workspace that was ended for its disk is resumed to be cleaned up: it may not grow further
            self._ceiling = max(self.limits.disk, self._disk + _DISK_STEP if self._disk > self.limits.disk else 0)
        if self._disk <= self._ceiling:
            return None
        return Exit(
            reason=f"The workspace filled {readable_bytes(self._disk)} of disk, more than its limit of "
            f"{readable_bytes(self.limits.disk)}, and was ended.",
            limit="disk",
        )
