"""The agent's event loop: readiness, timers, children, signals.

Owns the one thread. A callback that raises is logged and never ends the loop: a workspace must not lose its terminals
to a bad request. It does not own buffers (``streams``).
"""

from __future__ import annotations

import heapq
import os
import selectors
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE

HANDLED_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Timer:
    """A call that is due at ``when`` (monotonic seconds) unless cancelled."""

    __slots__ = ("call", "when")

    def __init__(self, when: float, call: Callable[[], object]) -> None:
        self.when = when
        self.call: Callable[[], object] | None = call

    def cancel(self) -> None:
        """Never make the call; fine at any time."""
        self.call = None

    def __lt__(self, other: Timer) -> bool:
        return self.when < other.when


class Loop:
    """Runs callbacks when files are ready, time has come, or a child has ended."""

    def __init__(self, complain: Callable[[str], object]) -> None:
        self._complain = complain
        self._selector = selectors.DefaultSelector()
        self._timers: list[Timer] = []
        self._children: dict[int, Callable[[int], object]] = {}
        self._signals: dict[int, Callable[[], object]] = {}
        self._running = False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self.watch(self._wake_read, READ, self._woken)

    # files

    def watch(self, fd: int, events: int, ready: Callable[[int], object]) -> None:
        """Call ``ready(mask)`` whenever ``fd`` is ready for one of ``events``; replaces an earlier watch."""
        if fd in self._selector.get_map():
            self._selector.modify(fd, events, ready)
        else:
            self._selector.register(fd, events, ready)

    def unwatch(self, fd: int) -> None:
        """Forget ``fd``; fine when it is not watched."""
        try:
            self._selector.unregister(fd)
        except (KeyError, ValueError):
            pass

    # time

    def later(self, seconds: float, call: Callable[[], object]) -> Timer:
        """Make a call in so many seconds."""
        timer = Timer(time.monotonic() + seconds, call)
        heapq.heappush(self._timers, timer)
        return timer

    # processes and signals

    def child(self, pid: int, ended: Callable[[int], object]) -> None:
        """Call ``ended(code)`` when that child ends; ``code`` is its exit status, or minus the signal's number."""
        self._children[pid] = ended

    @property
    def children(self) -> list[int]:
        """Children that have not been reaped."""
        return list(self._children)

    def on_signal(self, number: int, call: Callable[[], object]) -> None:
        """Make a call, in the loop, whenever that signal arrives."""
        self._signals[number] = call

    # running

    def run(self) -> None:
        """Run until ``stop``."""
        # first: a signal between the two would be taken and never heard of
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in HANDLED_SIGNALS:
            signal.signal(number, lambda *_: None)
        self._running = True
        self._reap()
        try:
            while self._running:
                for key, mask in self._selector.select(self._pause()):
                    # an earlier callback of this round may have closed it
                    if self._selector.get_map().get(key.fd) is key:
                        self._guard(key.data, mask)
                self._run_timers()
        finally:
            signal.set_wakeup_fd(-1)

    def stop(self) -> None:
        """Leave ``run`` after the current round."""
        self._running = False

    def _pause(self) -> float | None:
        while self._timers and self._timers[0].call is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return None
        return max(0.0, self._timers[0].when - time.monotonic())

    def _run_timers(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0].when <= now:
            call = heapq.heappop(self._timers).call
            if call is not None:
                self._guard(call)

    def _guard(self, call: Callable[..., object], *arguments: object) -> None:
        try:
            call(*arguments)
        except Exception as problem:  # noqa: BLE001 - one bad callback must not end a workspace
            self._complain(f"internal error in {getattr(call, '__qualname__', call)}: {problem!r}")

    def _woken(self, _mask: int) -> None:
        try:
            numbers = set(os.read(self._wake_read, 4096))
        except BlockingIOError:
            return
        for number in numbers:
            if number == signal.SIGCHLD:
                self._reap()
            elif number in self._signals:
                self._guard(self._signals[number])

    def _reap(self) -> None:
        # every child, also those that a dead parent left to us when we are pid 1
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            ended = self._children.pop(pid, None)
            if ended is not None:
                self._guard(ended, exit_code(status))


def exit_code(status: int) -> int:
    """A wait status as one number: the exit status, or minus the signal that ended it."""
    if os.WIFSIGNALED(status):
        return -os.WTERMSIG(status)
    return os.WEXITSTATUS(status)
