"""Every process group that the agent started, and how all of them end.

Owns the book of groups: a script may leave programs behind in its group (``nohup app &``), and ``stop`` must find
them. Also a program with its output on a pipe (``Job``), which scripts, metadata and exec are made of.
"""

from __future__ import annotations

import os
import signal

from .spawn import kill_group, spawn
from .streams import Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .loop import Loop, Timer

TERM_GRACE = 5.0  # between TERM and KILL for what ran out of time


class Processes:
    """Starts programs and remembers their groups until the last member is gone."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self._groups: set[int] = set()

    def start(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: str,
        files: tuple[int, int, int],
        ended: Callable[[int], object],
        *,
        terminal: bool = False,
    ) -> int:
        """Start a program; ``ended(code)`` is called when it ends. Returns: pid = group. Raises: OSError."""
        pid = spawn(argv, env, cwd, files, terminal=terminal)
        self._groups.add(pid)

        def reaped(code: int) -> None:
            if not kill_group(pid, 0):
                self._groups.discard(pid)
            ended(code)

        self.loop.child(pid, reaped)
        return pid

    def end_all(self, grace: float, done: Callable[[], object]) -> None:
        """TERM to every group, KILL after ``grace`` seconds, then ``done()``."""
        self._signal_all(signal.SIGTERM)
        deadline = _Deadline(self.loop, grace)

        def look() -> None:
            self._groups = _living({group for group in self._groups if kill_group(group, 0)})
            alive = bool(self._groups or self.loop.children)
            if alive and not deadline.passed:
                self.loop.later(0.02, look)
                return
            self._signal_all(signal.SIGKILL)
            done()

        look()

    def _signal_all(self, number: int) -> None:
        for group in list(self._groups):
            kill_group(group, number)
            if number == signal.SIGTERM:
                kill_group(group, signal.SIGCONT)  # a stopped program cannot end
        if os.getpid() == 1:
            # everything in this pid namespace is ours, also what made a session of its own
            try:
                os.kill(-1, number)
            except OSError:
                pass


def _living(groups: set[int]) -> set[int]:
    """Those groups that have a member which is not a zombie; an idle init may leave those around for seconds."""
    if not groups or not os.path.isdir("/proc/self"):
        return groups
    found: set[int] = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    # behind the program's name, which may hold anything: state, parent, group
                    fields = file.read(4096).rpartition(")")[2].split()
            except OSError:
                continue
            if len(fields) > 2 and fields[0] not in "ZX" and int(fields[2]) in groups:
                found.add(int(fields[2]))
    return found


class _Deadline:
    def __init__(self, loop: Loop, seconds: float) -> None:
        self.passed = False
        loop.later(seconds, self._pass)

    def _pass(self) -> None:
        self.passed = True


class Job:
    """A program without input whose output (both streams, as they come) goes to ``on_output``.

    ``on_end(code, timed_out)`` comes when the program itself has ended; programs that it left behind may go on
    writing, until ``on_silence()`` (the last holder of the pipe has gone).
    """

    def __init__(
        self,
        processes: Processes,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: str,
        *,
        timeout: float,
        on_output: Callable[[bytes], object],
        on_end: Callable[[int, bool], object],
        on_silence: Callable[[], object],
    ) -> None:
        self._loop = processes.loop
        self._on_end = on_end
        self._timed_out = False
        self._timer: Timer | None = None
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        out_read, out_write = os.pipe()
        try:
            self.pid = processes.start(argv, env, cwd, (null, out_write, out_write), self._ended)
        except OSError:
            os.close(out_read)
            raise
        finally:
            os.close(null)
            os.close(out_write)
        self.output = Stream(self._loop, out_read)
        self.output.on_data = on_output
        self.output.on_eof = self.output.close
        self.output.on_close = on_silence
        self.output.resume()
        if timeout:
            self._timer = self._loop.later(timeout, self._overdue)

    def kill(self, number: int = signal.SIGTERM) -> None:
        """Signal the program and everything in its group."""
        kill_group(self.pid, number)

    def _overdue(self) -> None:
        self._timed_out = True
        self.kill()
        self._timer = self._loop.later(TERM_GRACE, lambda: self.kill(signal.SIGKILL))

    def _ended(self, code: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._timed_out:
            self.kill(signal.SIGKILL)
        # what the program wrote last is still in the pipe, and belongs before its end
        self.output.drain()
        self._loop.later(0, lambda: self._on_end(code, self._timed_out))
