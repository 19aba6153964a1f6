"""Processes of this machine, told apart for good.

Owns reading ``/proc``: who a process is (pid, start time and boot together are never used twice), which processes
belong to it, what memory they use, and ending one for certain. Knows nothing of workspaces. Linux only; every
function treats a process that vanishes while it is read as gone.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jupyter_tasks.workspaces.processes_pidfd import pidfd_kill, pidfd_open

__all__ = [
    "ProcessIdentity",
    "adopt",
    "alive",
    "boot_id",
    "descendants",
    "end",
    "holders",
    "identify",
    "marked",
    "open_pidfd",
    "pid_namespace",
    "proportional_memory",
    "reap",
    "resident_memory",
    "second_of_namespace",
]

_PAGE = os.sysconf("SC_PAGE_SIZE")
_MAX_MEMBERS = 65_536  # a fork bomb must not make the walk endless


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process and no other: its pid, when it started (clock ticks since boot) and in which boot."""

    pid: int
    start_time: int
    boot: str


@cache
def boot_id() -> str:
    """The random word that the kernel drew when it started; "" where it tells none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class _Stat:
    state: str
    parent: int
    session: int
    start_time: int


def _read(path: str) -> bytes:
    """A whole file of /proc; plain calls, because every running workspace is read each second."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = b""
        while piece := os.read(fd, 65_536):
            text += piece
        return text
    finally:
        os.close(fd)


def _stat(pid: int) -> _Stat | None:
    try:
        text = _read(f"/proc/{pid}/stat")
    except OSError:
        return None
    # the name stands in brackets and may hold anything, brackets and spaces too
    fields = text[text.rfind(b")") + 2 :].split()
    return _Stat(fields[0].decode(), int(fields[1]), int(fields[3]), int(fields[19]))


def identify(pid: int) -> ProcessIdentity | None:
    """Who has this pid now; None when nobody has, or a zombie does."""
    found = _stat(pid)
    return None if found is None or found.state in "ZX" else ProcessIdentity(pid, found.start_time, boot_id())


def alive(identity: ProcessIdentity) -> bool:
    """Whether exactly this process still runs."""
    return identify(identity.pid) == identity


def open_pidfd(identity: ProcessIdentity) -> int | None:
    """A file descriptor of this process that turns readable when it ends; None when it has.

    The caller closes it.
    """
    try:
        fd = pidfd_open(identity.pid)
    except (ProcessLookupError, PermissionError):
        return None
    if alive(identity):  # looked at after opening: from here on the descriptor cannot mean another process
        return fd
    os.close(fd)
    return None


def end(identity: ProcessIdentity, *, timeout: float) -> bool:
    """Kill this process (SIGKILL) and wait up to ``timeout`` seconds; True when it is gone.

    The first process of a pid namespace is gone only after every other process of that namespace is.
    """
    fd = open_pidfd(identity)
    if fd is None:
        return True
    try:
        with contextlib.suppress(ProcessLookupError):
            pidfd_kill(fd)
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(timeout * 1000))
    finally:
        os.close(fd)


_CHILDREN: set[int] = set()
"""Children of this very process that nobody else collects. A pid in a record may be another child's by now."""


def adopt(pid: int) -> None:
    """Remember a child of ours, so that ``reap`` collects it."""
    _CHILDREN.add(pid)


def reap(pid: int, *, timeout: float) -> int | None:
    """Collect the adopted child ``pid``: its exit code (negative: the signal), None when not ours or not over yet."""
    if pid not in _CHILDREN:
        return None
    deadline = time.monotonic() + timeout
    while True:
        try:
            found, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            _CHILDREN.discard(pid)
            return None
        if found == pid:
            _CHILDREN.discard(pid)
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.002)


def pid_namespace(pid: int) -> int | None:
    """The number of the pid namespace that ``pid`` lives in; None when it may not be seen or is gone."""
    try:
        return os.stat(f"/proc/{pid}/ns/pid").st_ino  # noqa: PTH116
    except OSError:
        return None


def _all_pids() -> Iterator[int]:
    with os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdecimal():
                yield int(entry.name)


def descendants(pid: int) -> list[int]:
    """``pid`` and every process below it (what left it by a double fork is found where a pid namespace keeps it)."""
    found, queue = [pid], [pid]
    while queue and len(found) < _MAX_MEMBERS:
        for child in _children(queue.pop()):
            found.append(child)
            queue.append(child)
    return found


def _children(pid: int) -> list[int]:
    result: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 (a child hangs on the thread that forked it)
            with contextlib.suppress(OSError):
                result += map(int, _read(f"/proc/{pid}/task/{thread}/children").split())
    return result


def second_of_namespace(first: int) -> ProcessIdentity | None:
    """The second process of the pid namespace whose first one is ``first``: what a sandbox was started for."""
    for pid in _children(first):
        with contextlib.suppress(OSError):
            for line in _read(f"/proc/{pid}/status").splitlines():
                if line.startswith(b"NSpid:") and line.split()[-1] == b"2":
                    return identify(pid)
    return None


def marked(variable: str, value: str) -> list[int]:
    """Every process of ours that was started with ``variable=value`` in its environment, and what hangs below them."""
    wanted = f"{variable}={value}".encode()
    found: set[int] = set()
    for pid in _all_pids():
        if pid == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.update(descendants(pid))
    return [pid for pid in sorted(found) if identify(pid) is not None]


def holders(path: Path) -> list[int]:
    """Every process of ours that has the file ``path`` open."""
    found = []
    for pid in _all_pids():
        with contextlib.suppress(OSError):
            for fd in Path(f"/proc/{pid}/fd").iterdir():
                if fd.readlink() == path:
                    found.append(pid)
                    break
    return found


def resident_memory(pids: Iterable[int]) -> int:
    """Bytes resident, shared pages counted in each process: cheap, and never below the real sum."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, IndexError):
            total += int(_read(f"/proc/{pid}/statm").split()[1]) * _PAGE
    return total


def proportional_memory(pids: Iterable[int]) -> int:
    """Bytes of memory (PSS: a page that n processes share counts 1/n in each); the kernel walks page tables for it."""
    total = 0
    for pid in pids:
        try:
            text = _read(f"/proc/{pid}/smaps_rollup")
        except OSError:
            continue
        for line in text.splitlines():
            if line.startswith(b"Pss:"):
                total += int(line.split()[1]) * 1024
                break
    return total
