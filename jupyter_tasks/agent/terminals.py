"""Programs on a pseudo-terminal.

Owns each terminal's process, its tape (drained also while nobody reads), its input queue and the keys that were
written. What the bytes mean is the engine's business.
"""

from __future__ import annotations

import os
import struct
from collections import OrderedDict

from .environment import file_name
from .spawn import SIGNALS, kill_group
from .streams import Stream
from .tape import Tape
from .wire import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from .events import EventLog
    from .processes import Processes

MOST_OPEN = 64
MOST_CLOSED = 16
KEYS = 1024
INPUT_LIMIT = 1 << 20
LINGER = 1.0
_ARGUMENT_SHOWN = 2048


class Terminal:
    """One program on one PTY. ``on_close`` is called once, when it has ended and everything is on the tape."""

    def __init__(self, terminal_id: str, kind: str, argv: Sequence[str], tape: Tape, cols: int, rows: int) -> None:
        self.id = terminal_id
        self.kind = kind
        self.argv = list(argv)
        self.tape = tape
        self.cols = cols
        self.rows = rows
        self.exit: int | None = None
        self.pid = 0
        self.stream: Stream | None = None
        self.keys: OrderedDict[str, None] = OrderedDict()
        self.on_close: list[Callable[[Terminal], object]] = []

    @property
    def closed(self) -> bool:
        return self.tape.closed

    def view(self) -> dict[str, Any]:
        """This terminal as events and the state carry it; long arguments are cut."""
        return {
            "id": self.id,
            "kind": self.kind,
            "status": "closed" if self.closed else "open",
            "closed": self.closed,
            "exit": self.exit,
            "argv": [shown(argument) for argument in self.argv[:64]],
            "cols": self.cols,
            "rows": self.rows,
            "head": self.tape.head,
        }

    def write(self, key: str, data: bytes) -> bool:
        """Queue input for the program, once for each key. Returns: whether that key was written before.

        Raises: Refused when the program has ended, or has not read the last megabyte.
        """
        if key in self.keys:
            return True
        if self.stream is None or self.stream.closed:
            raise Refused("conflict", f"terminal {self.id} has ended")
        if self.stream.pending + len(data) > INPUT_LIMIT:
            raise Refused("conflict", f"the program on terminal {self.id} does not read its input")
        self.keys[key] = None
        while len(self.keys) > KEYS:
            self.keys.popitem(last=False)
        self.stream.write(data)
        return False

    def resize(self, cols: int, rows: int) -> None:
        """Change the size; the program gets SIGWINCH. Fine when it has ended."""
        if self.stream is None or self.stream.closed:
            return
        self.cols, self.rows = cols, rows
        _set_size(self.stream.fileno(), cols, rows)

    def signal(self, name: str) -> None:
        """Signal the foreground process group (the program itself where that cannot be told)."""
        if self.stream is None or self.stream.closed:
            return
        try:
            group = os.tcgetpgrp(self.stream.fileno())
        except OSError:
            group = 0
        if not (group > 0 and kill_group(group, SIGNALS[name])):
            self.kill(name)

    def kill(self, name: str) -> None:
        """Signal the program's own process group."""
        if self.pid and self.exit is None:
            kill_group(self.pid, SIGNALS[name])


class Terminals:
    """Every terminal by id. The newest closed ones are kept, so that their end can be read."""

    def __init__(self, processes: Processes, events: EventLog, recordings: str) -> None:
        self._processes = processes
        self._events = events
        self._recordings = recordings
        self._by_id: OrderedDict[str, Terminal] = OrderedDict()
        self._opened = 0

    def get(self, terminal_id: str) -> Terminal:
        """The terminal of that id. Raises: Refused."""
        if terminal_id not in self._by_id:
            raise Refused("not_found", f"there is no terminal {terminal_id!r}")
        return self._by_id[terminal_id]

    def view(self) -> list[dict[str, Any]]:
        """Every terminal, as the state carries it."""
        return [terminal.view() for terminal in self._by_id.values()]

    def free_id(self, name: str) -> str:
        """``name``, or ``name-2`` … where that was used before."""
        found, count = name, 1
        while found in self._by_id:
            count += 1
            found = f"{name}-{count}"
        return found

    def open(
        self,
        terminal_id: str,
        kind: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: str,
        cols: int,
        rows: int,
    ) -> tuple[Terminal, bool]:
        """Start a program on a terminal. Returns: the terminal, and whether it was there already. Raises: Refused."""
        if terminal_id in self._by_id:
            return self._by_id[terminal_id], True
        if sum(not terminal.closed for terminal in self._by_id.values()) >= MOST_OPEN:
            raise Refused("conflict", f"{MOST_OPEN} terminals are open")
        self._opened += 1
        place = os.path.join(self._recordings, f"{self._opened}-{file_name(terminal_id)}")
        terminal = Terminal(terminal_id, kind, argv, Tape(place), cols, rows)
        master, slave = os.openpty()
        try:
            _set_size(slave, cols, rows)
            variables = {"TERM": "xterm-256color", **env}
            terminal.pid = self._processes.start(
                argv,
                variables,
                cwd,
                (slave, slave, slave),
                lambda code: self._ended(terminal, code),
                terminal=True,
            )
        except OSError as problem:
            os.close(master)
            raise Refused("failed", f"{shown(argv[0])} cannot be started: {problem}") from None
        finally:
            os.close(slave)
        stream = terminal.stream = Stream(self._processes.loop, master)
        stream.on_data = terminal.tape.append
        stream.on_eof = stream.close
        stream.on_close = lambda: self._silent(terminal)
        stream.resume()
        self._by_id[terminal_id] = terminal
        self._forget_old()
        self._events.add("terminal", **terminal.view())
        return terminal, False

    def _ended(self, terminal: Terminal, code: int) -> None:
        terminal.exit = code
        stream = terminal.stream
        if stream is None or stream.closed:
            self._close(terminal)
        else:
            # the hang-up follows the last bytes; a program that detached may hold the terminal open: not for ever
            self._processes.loop.later(LINGER, lambda: self._hang_up(stream))

    @staticmethod
    def _hang_up(stream: Stream) -> None:
        stream.drain()
        stream.close()

    def _silent(self, terminal: Terminal) -> None:
        if terminal.exit is not None:
            self._close(terminal)

    def _close(self, terminal: Terminal) -> None:
        if terminal.closed:
            return
        terminal.tape.close()
        self._events.add("terminal", **terminal.view())
        for call in terminal.on_close:
            call(terminal)
        terminal.on_close.clear()

    def _forget_old(self) -> None:
        closed = [terminal for terminal in self._by_id.values() if terminal.closed]
        for terminal in closed[: max(0, len(closed) - MOST_CLOSED)]:
            terminal.tape.discard()
            del self._by_id[terminal.id]


def shown(argument: str) -> str:
    """An argument as events carry it."""
    return argument if len(argument) <= _ARGUMENT_SHOWN else argument[:_ARGUMENT_SHOWN] + "…"


def _set_size(fd: int, cols: int, rows: int) -> None:
    import fcntl
    import termios

    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
