"""Starting the processes of a local workspace so that none of them can get lost.

Owns the order that makes it so: the sandbox starts blocked, then ``run.json`` is written, then it is let go and given
its token. An engine that dies before the record leaves a workspace agent whose standard input ends without a token,
and that agent ends at once. A lock file stays locked as long as anything of the run lives, so that the next start can
tell. Everything here blocks for milliseconds: call it in a worker thread.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

from jupyter_tasks.errors import WorkspaceFailed
from jupyter_tasks.workspaces.limits import apply_priority
from jupyter_tasks.workspaces.local_record import RunRecord, WorkspaceFolder
from jupyter_tasks.workspaces.processes import ProcessIdentity, adopt, end, holders, identify, pid_namespace, reap
from jupyter_tasks.workspaces.sandbox_seccomp import seccomp_program

__all__ = ["Started", "launch_plain", "launch_sandboxed"]

_SETUP_TIMEOUT = 15.0
_ENDING_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Started:
    """A process that waits to be recorded: who it is, its pid namespace (0: ours), and the pid to collect."""

    process: ProcessIdentity
    namespace: int
    child: int


Recorder = Callable[[Started], RunRecord]
"""Turns what was started into the record to write; may apply limits first."""

SandboxArguments = Callable[[int, int, int, int | None], Sequence[str]]
"""The bubblewrap command for the descriptors info, block, alive and seccomp."""


class _Descriptors:
    """Descriptors that are closed at the end, each exactly once."""

    def __init__(self) -> None:
        self._open: set[int] = set()

    def __enter__(self) -> _Descriptors:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(*self._open)

    def add(self, fd: int) -> int:
        self._open.add(fd)
        return fd

    def pipe(self) -> tuple[int, int]:
        read, write = os.pipe()
        return self.add(read), self.add(write)

    def close(self, *fds: int) -> None:
        for fd in fds:
            if fd in self._open:
                self._open.remove(fd)
                os.close(fd)


def launch_sandboxed(
    folder: WorkspaceFolder,
    arguments: SandboxArguments,
    program: Sequence[str],
    env: Mapping[str, str],
    record: Recorder,
) -> RunRecord:
    """Start ``program`` in bubblewrap, record it, and give it its token.

    Raises: WorkspaceFailed with what bubblewrap said.
    """
    with _Descriptors() as fds:
        alive = fds.add(_lock_alive(folder))
        info_r, info_w = fds.pipe()
        block_r, block_w = fds.pipe()
        token_r, token_w = fds.pipe()
        seccomp = _seccomp(fds)
        inherited = [fd for fd in (info_w, block_r, alive, seccomp) if fd is not None]
        child = _spawn(folder, [*arguments(info_w, block_r, alive, seccomp), *program], env, token_r, inherited)
        fds.close(info_w, block_r, token_r, alive)
        try:
            written = record(_inner_process(info_r, child))
            _release(folder, written, block_w, token_w)
        except (OSError, ValueError, KeyError) as error:
            fds.close(block_w, token_w)  # what there is of it finds no token and ends by itself
            reap(child, timeout=_ENDING_TIMEOUT)
            raise WorkspaceFailed(
                f"The sandbox of the workspace {folder.id} could not be made.",
                detail=f"({folder.read_log() or error})",
                hint="`jupyter tasks doctor` checks what it needs.",
            ) from error
    return written


def launch_plain(
    folder: WorkspaceFolder, program: Sequence[str], env: Mapping[str, str], record: Recorder
) -> RunRecord:
    """Start ``program`` without isolation in a session of its own, record it, and give it its token.

    Raises: WorkspaceFailed.
    """
    with _Descriptors() as fds:
        alive = fds.add(_lock_alive(folder))
        token_r, token_w = fds.pipe()
        child = _spawn(folder, program, env, token_r, [alive])
        fds.close(token_r, alive)
        try:
            process = identify(child)
            if process is None:
                raise OSError("it ended at once")
            written = record(Started(process, 0, child))
            _release(folder, written, None, token_w)
        except OSError as error:
            fds.close(token_w)
            reap(child, timeout=_ENDING_TIMEOUT)
            raise WorkspaceFailed(
                f"The agent of the workspace {folder.id} could not be started.",
                detail=f"({folder.read_log() or error})",
            ) from error
    return written


def _release(folder: WorkspaceFolder, record: RunRecord, block: int | None, token: int) -> None:
    """Write down what was started, then let it run."""
    apply_priority(record.process.pid, record.limits.cpu_share)
    folder.write_run(record)
    if block is not None:
        os.write(block, b"\n")
    os.write(token, record.token.encode() + b"\n")


def _lock_alive(folder: WorkspaceFolder) -> int:
    """The locked ``alive.lock``, which whatever is started keeps locked as long as it lives.

    Still locked means that an engine died in mid-start: what it started ends by itself at once, or else is ended here.
    """
    fd = os.open(folder.alive, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    deadline = time.monotonic() + _ENDING_TIMEOUT
    asked = False
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > deadline and not asked:
                asked, deadline = True, time.monotonic() + _ENDING_TIMEOUT
                for pid in holders(folder.alive):
                    found = identify(pid)
                    if found is not None and pid != os.getpid():
                        end(found, timeout=1.0)
            elif time.monotonic() > deadline:
                os.close(fd)
                raise WorkspaceFailed(
                    f"An earlier run of the workspace {folder.id} does not end.",
                    hint=f"See which process holds {folder.alive} (fuser) and end it.",
                ) from None
            time.sleep(0.01)
        else:
            return fd


def _seccomp(fds: _Descriptors) -> int | None:
    program = seccomp_program()
    if program is None:
        return None
    read, write = fds.pipe()
    os.write(write, program)  # well below what a pipe holds
    fds.close(write)
    return read


def _spawn(
    folder: WorkspaceFolder, command: Sequence[str], env: Mapping[str, str], stdin: int, inherited: Sequence[int]
) -> int:
    """Start ``command`` in a session of its own, so that no terminal's hang-up or Ctrl-C reaches it."""
    log = os.open(folder.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=log,
            stderr=log,
            cwd="/",
            env=dict(env),
            pass_fds=inherited,
            start_new_session=True,
        )
    finally:
        os.close(log)
    process.returncode = 0  # it outlives us and is collected by its pid: Popen must neither wait nor warn
    adopt(process.pid)
    return process.pid


def _inner_process(info: int, child: int) -> Started:
    """What bubblewrap tells of the process that becomes the first of the new pid namespace.

    Raises: OSError, ValueError, KeyError when it tells nothing in time.
    """
    text = b""
    deadline = time.monotonic() + _SETUP_TIMEOUT
    poll = select.poll()  # not select(): an engine of a hundred tasks has descriptors beyond 1,024
    poll.register(info, select.POLLIN)
    while True:
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise OSError("bubblewrap did not answer in time")
        piece = os.read(info, 4096)
        if not piece:
            break
        text += piece
    told = json.loads(text)
    process = identify(int(told["child-pid"]))
    if process is None:
        raise OSError("the sandbox ended at once")
    namespace = told.get("pid-namespace") or pid_namespace(process.pid)
    if not namespace:
        raise OSError("the sandbox has no pid namespace")
    return Started(process, int(namespace), child)
