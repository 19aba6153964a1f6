"""How a local workspace ends: watched, killed for certain, and with a reason.

Owns telling whether a recorded workspace runs, holding its bounds while somebody waits for it, ending all of its
processes and verifying that, and the sentence that says why it is over.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from jupyter_tasks.clock import Clock
from jupyter_tasks.errors import WorkspaceFailed
from jupyter_tasks.workspaces import processes
from jupyter_tasks.workspaces.limits import Watchdog, memory_reason
from jupyter_tasks.workspaces.limits_cgroup import Cgroup
from jupyter_tasks.workspaces.local_env import MARK
from jupyter_tasks.workspaces.local_record import RunRecord, WorkspaceFolder
from jupyter_tasks.workspaces.local_tree import remove_tree
from jupyter_tasks.workspaces.processes import ProcessIdentity
from jupyter_tasks.workspaces.provisioner import Exit

__all__ = ["end_all", "end_recorded", "ended_within", "is_running", "last_exit", "watch", "watchdog"]

_KILL_TIMEOUT = 40.0  # thousands of processes of a fork bomb take their time to die on a busy machine
_AGENT_GRACE = 10.0  # until the first process has started the workspace agent


def is_running(record: RunRecord) -> bool:
    """Whether this very run still runs: same pid, same start, same boot, same pid namespace."""
    if not processes.alive(record.process):
        return False
    return not record.namespace or processes.pid_namespace(record.process.pid) in (record.namespace, None)


def _pids(record: RunRecord) -> list[int]:
    if record.cgroup and (inside := Cgroup(Path(record.cgroup)).pids()):
        return list(inside)
    if record.namespace:
        return processes.descendants(record.process.pid)  # what is orphaned in a pid namespace hangs below its first
    return sorted({*processes.descendants(record.process.pid), *processes.marked(MARK, record.workspace_id)})


def watchdog(folder: WorkspaceFolder, record: RunRecord) -> Watchdog:
    """What watches this run."""
    shared = [Path(f"/proc/{record.process.pid}/root", where) for where in ("dev/shm", "run")]
    return Watchdog(
        record.limits,
        lambda: _pids(record),
        folder.root,
        shared if record.namespace else (),
        by_kernel=bool(record.cgroup),
    )


def _look(agent: _AgentWatch, dog: Watchdog, now: float) -> Exit | None:
    return agent.look(now) or dog.look(now)


async def watch(
    folder: WorkspaceFolder, record: RunRecord, clock: Clock, threads: anyio.CapacityLimiter
) -> Exit | None:
    """Wait for the end of this run; the reason to end it when it breaks a bound or its agent is gone, None when it
    has ended by itself."""
    fd = processes.open_pidfd(record.process)
    if fd is None:
        return None
    dog = watchdog(folder, record)
    agent = _AgentWatch(record, clock.monotonic())
    broken: Exit | None = None

    async def look() -> None:
        nonlocal broken
        while broken is None:
            now = clock.monotonic()
            broken = await anyio.to_thread.run_sync(_look, agent, dog, now, limiter=threads)
            if broken is None:
                await clock.sleep(dog.interval())

    try:
        # one wait for the end, however often it is looked at meanwhile: there may be a hundred of these
        if await _ends_before(fd, look):
            return None
        return broken if is_running(record) else None
    finally:
        os.close(fd)


class _AgentWatch:
    """Sees when the workspace agent is gone while other processes keep the sandbox alive."""

    def __init__(self, record: RunRecord, since: float) -> None:
        self._record = record
        self._until = since + _AGENT_GRACE
        self._agent: ProcessIdentity | None = None

    def look(self, now: float) -> Exit | None:
        if not self._record.namespace:
            return None  # the agent is the recorded process itself
        if self._agent is None:
            self._agent = processes.second_of_namespace(self._record.process.pid)
            gone = self._agent is None and now > self._until
        else:
            gone = not processes.alive(self._agent)
        return Exit(reason="The workspace agent ended unexpectedly.") if gone else None


async def _ends_before(fd: int, work: Callable[[], Awaitable[None]]) -> bool:
    """Whether the process of this pidfd ends before ``work`` does, which is cancelled then."""
    over = False
    raised: Exception | None = None
    async with anyio.create_task_group() as tasks:

        async def wait() -> None:
            nonlocal over
            await anyio.wait_readable(fd)
            over = True
            tasks.cancel_scope.cancel()

        tasks.start_soon(wait)
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - a task group would wrap it
            raised = error
        tasks.cancel_scope.cancel()
    if raised is not None:
        raise raised
    return over


async def ended_within(record: RunRecord, clock: Clock, grace: float) -> bool:
    """Whether the run ends by itself within ``grace`` seconds."""
    fd = processes.open_pidfd(record.process)
    if fd is None:
        return True
    try:
        return grace > 0 and await _ends_before(fd, partial(clock.sleep, grace))
    finally:
        os.close(fd)


def end_all(folder: WorkspaceFolder) -> None:
    """Kill every process of the workspace and see that it is gone. Raises: WorkspaceFailed when one stays."""
    record = folder.read_run()
    if record is not None and record.namespace and is_running(record):
        inside = [found for pid in processes.descendants(record.process.pid) if (found := processes.identify(pid))]
        if not processes.end(record.process, timeout=_KILL_TIMEOUT) or any(map(processes.alive, inside)):
            raise _stays(folder, record.process.pid)
    if record is not None and record.cgroup:
        Cgroup(Path(record.cgroup)).kill()
    if (record is not None and not record.namespace) or _locked(folder.alive):
        _end_marked(folder, record)
    if record is not None:
        processes.reap(record.child, timeout=1.0)
        if record.cgroup:
            Cgroup(Path(record.cgroup)).remove()


def _end_marked(folder: WorkspaceFolder, record: RunRecord | None) -> None:
    """Kill again and again until a look finds none: without a namespace a process may start another meanwhile."""
    deadline = time.monotonic() + _KILL_TIMEOUT
    while True:
        pids = set(processes.marked(MARK, folder.id))
        if record is not None and processes.alive(record.process):
            pids.update(processes.descendants(record.process.pid))
        left = [found for pid in pids if pid != os.getpid() and (found := processes.identify(pid))]
        if not left:
            return
        for found in left:
            processes.end(found, timeout=0.2)
        if time.monotonic() > deadline:
            raise _stays(folder, left[0].pid)


def _stays(folder: WorkspaceFolder, pid: int) -> WorkspaceFailed:
    return WorkspaceFailed(
        f"The process {pid} of the workspace {folder.id} does not end.",
        hint="It hangs in the kernel, mostly on a network file system. Try again; a reboot ends it for certain.",
    )


def _locked(path: Path) -> bool:
    """Whether something of an unrecorded run still lives."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def end_recorded(folder: WorkspaceFolder, exit_: Exit) -> None:
    """``end_all``, with ``exit_`` as the reason if it runs; then forget the run and its link."""
    record = folder.read_run()
    if record is not None:
        folder.write_exit(exit_ if is_running(record) else _own_reason(record))
    end_all(folder)
    folder.clear_run()
    remove_tree(folder.link_dir)


def last_exit(folder: WorkspaceFolder) -> Exit:
    """Why the workspace is no longer running; also ends what it left behind and forgets the run."""
    record = folder.read_run()
    if record is not None:
        end_recorded(folder, _own_reason(record))
    return folder.read_exit() or Exit(reason="The workspace is not running.")


def _own_reason(record: RunRecord) -> Exit:
    """Why a run ended that nobody here ended."""
    if record.process.boot != processes.boot_id():
        return Exit(reason="The machine was restarted.")
    if record.cgroup and Cgroup(Path(record.cgroup)).out_of_memory():
        return Exit(reason=memory_reason(record.limits.memory, record.limits.memory), limit="memory")
    code = processes.reap(record.child, timeout=0.5)
    if code is None:
        return Exit(reason="The workspace ended by itself.")
    if code in (-9, 137):
        return Exit(reason="The workspace was killed from outside (the machine may be out of memory).")
    with contextlib.suppress(ValueError):
        if code < 0:
            import signal

            return Exit(reason=f"The workspace agent ended by {signal.Signals(-code).name}.")
    return Exit(reason=f"The workspace agent ended with exit code {code}.")
