"""What a terminal emulator must do for us, and which one is used.

Owns the ``Emulator`` protocol, its bounds and the choice between ``ghostty`` (libghostty-vt) and ``avt`` (asciinema's).
Not what the screen means: that is ``conversation`` and ``formats``.

The bytes come from a workspace and are hostile: an emulator never raises on them, keeps a bounded history, and hands
out a bounded amount of replies, signals and title.
"""

from __future__ import annotations

from typing import Protocol

__all__ = [
    "HISTORY_ROWS",
    "MAX_COLS",
    "MAX_REPLY",
    "MAX_ROWS",
    "MAX_SIGNALS",
    "MAX_SIGNAL_BYTES",
    "MAX_TITLE",
    "PROGRAM_STATUS",
    "Emulator",
    "Outbox",
    "bounded_size",
    "new_emulator",
]

HISTORY_ROWS = 2_000
"""Rows above the screen that are kept at most; an emulator may free them in larger pieces."""
MAX_COLS, MAX_ROWS = 1_000, 2_000
MAX_REPLY = 64 * 1024
"""Bytes of replies kept until they are taken; what a program asks beyond is not answered."""
MAX_SIGNALS = 256
"""OSC 7501 payloads kept until they are taken; the oldest go first."""
MAX_SIGNAL_BYTES = 4_096
MAX_TITLE = 256
"""Characters."""
PROGRAM_STATUS = b"7501"
"""Number of the OSC by which a program tells its status, and probes with ``?`` whether anybody listens."""


class Emulator(Protocol):
    """A terminal without a window."""

    def feed(self, data: bytes) -> None:
        """Take the program's next bytes. Sequences and characters may be cut anywhere. Never raises."""

    def rows(self) -> list[str]:
        """The visible rows, right-trimmed, always as many as the screen has."""

    def lines(self) -> list[str]:
        """Up to ``HISTORY_ROWS`` rows that scrolled off the primary screen, then ``rows()``.

        On the alternate screen there is no history.
        """

    @property
    def title(self) -> str:
        """The window title, cut to ``MAX_TITLE``."""

    @property
    def cursor(self) -> tuple[int, int]:
        """Column and row, from 0."""

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""

    def resize(self, cols: int, rows: int) -> None:
        """Change the size; out-of-range values are brought into range."""

    def take_replies(self) -> bytes:
        """What the terminal answers to the program's queries since the last call, in the order it was asked."""

    def take_signals(self) -> list[str]:
        """OSC 7501 payloads (without number) since the last call, in order; probes are answered, not listed."""


class Outbox:
    """What an emulator hands out, bounded: answers for the program, and the statuses that it told."""

    def __init__(self) -> None:
        self._replies = bytearray()
        self._signals: list[str] = []

    def reply(self, data: bytes) -> None:
        """Keep an answer; one too many is dropped."""
        if len(self._replies) + len(data) <= MAX_REPLY:
            self._replies += data

    def signal(self, payload: str) -> None:
        """Keep a status; the oldest gives way."""
        self._signals.append(payload)
        del self._signals[:-MAX_SIGNALS]

    def take_replies(self) -> bytes:
        """See ``Emulator``."""
        taken = bytes(self._replies)
        self._replies.clear()
        return taken

    def take_signals(self) -> list[str]:
        """See ``Emulator``."""
        taken, self._signals = self._signals, []
        return taken


def bounded_size(cols: int, rows: int) -> tuple[int, int]:
    """The size brought into what an emulator is given: 2 to ``MAX_COLS`` columns, 2 to ``MAX_ROWS`` rows."""
    return min(max(cols, 2), MAX_COLS), min(max(rows, 2), MAX_ROWS)


def new_emulator(cols: int = 80, rows: int = 1_000) -> Emulator:
    """The best emulator that is installed: ghostty where it has a wheel (Linux glibc, x86_64 and aarch64), else avt."""
    try:
        from jupyter_tasks.agentapi.ghostty import GhosttyEmulator
    except ImportError:
        from jupyter_tasks.agentapi.avt import AvtEmulator

        return AvtEmulator(cols, rows)
    return GhosttyEmulator(cols, rows)
