"""``Emulator`` over pyghostty (libghostty-vt): it answers nearly every query itself.

Owns the binding's calls, nothing else. Importing it raises ImportError where pyghostty has no wheel.
"""

from __future__ import annotations

import pyghostty

from jupyter_tasks.agentapi.emulator import (
    HISTORY_ROWS,
    MAX_SIGNAL_BYTES,
    MAX_TITLE,
    PROGRAM_STATUS,
    Outbox,
    bounded_size,
)

__all__ = ["GhosttyEmulator"]

_HISTORY_BYTES = 2 << 20
"""The library's own default holds 600 to 900 rows; it frees history in pages, so some rows below the limit go too."""
_FOREGROUND, _BACKGROUND = (0xD8, 0xD8, 0xD8), (0x18, 0x18, 0x18)


class GhosttyEmulator:
    """See ``Emulator``."""

    def __init__(self, cols: int = 80, rows: int = 1_000) -> None:
        cols, rows = bounded_size(cols, rows)
        # The colours are answers to OSC 10 and 11: without them an agent waits for its own timeout.
        self._terminal = pyghostty.Terminal(cols, rows, scrollback=HISTORY_ROWS, fg=_FOREGROUND, bg=_BACKGROUND)
        size = pyghostty.ffi.new("size_t*", _HISTORY_BYTES)
        option = pyghostty.lib.GHOSTTY_TERMINAL_OPT_SCROLLBACK_MAX_BYTES
        pyghostty.core.check(pyghostty.lib.ghostty_terminal_set(self._terminal._t[0], option, size), "set history")
        self._outbox = Outbox()
        self._terminal.on_reply(self._outbox.reply)
        self._terminal.on_unknown_sequence(self._unknown, max_bytes=MAX_SIGNAL_BYTES)

    def feed(self, data: bytes) -> None:
        self._terminal.feed(data)

    def rows(self) -> list[str]:
        return self._text(0, self.size[1])

    def lines(self) -> list[str]:
        above = min(int(self._terminal.get("scrollback_rows", "size_t")), HISTORY_ROWS)
        return self._text(above, self.size[1])

    @property
    def title(self) -> str:
        found = self._terminal.get("title", "GhosttyString")
        if not found.len:
            return ""
        return bytes(pyghostty.ffi.buffer(found.ptr, found.len)).decode("utf-8", "replace")[:MAX_TITLE]

    @property
    def cursor(self) -> tuple[int, int]:
        col, row = self._terminal.cursor
        return int(col), int(row)

    @property
    def size(self) -> tuple[int, int]:
        cols, rows = self._terminal.size
        return int(cols), int(rows)

    def resize(self, cols: int, rows: int) -> None:
        self._terminal.resize(*bounded_size(cols, rows))

    def take_replies(self) -> bytes:
        return self._outbox.take_replies()

    def take_signals(self) -> list[str]:
        return self._outbox.take_signals()

    def _text(self, above: int, rows: int) -> list[str]:
        """The last ``above`` rows of history and the screen. Soft-wrapped rows stay rows, as box drawing needs them."""
        terminal = self._terminal
        selection = pyghostty.core.init_sized("GhosttySelection")
        first = int(terminal.get("scrollback_rows", "size_t")) - above
        selection.start = terminal.ref(0, first, tag="screen")[0]
        selection.end = terminal.ref(self.size[0] - 1, rows - 1)[0]
        found = [row.rstrip() for row in terminal._format_sel(selection).split("\n")]
        found += [""] * (above + rows - len(found))
        return found[: above + rows]

    def _unknown(self, sequence: pyghostty.UnknownSequence) -> None:
        number, _, payload = sequence.content.partition(b";")
        if sequence.kind != "osc" or number != PROGRAM_STATUS or sequence.truncated:
            return
        if payload.startswith(b"?"):
            end = b"\x07" if sequence.terminator == "bel" else b"\x1b\\"
            self._outbox.reply(b"\x1b]" + PROGRAM_STATUS + b";?" + end)
            return
        self._outbox.signal(payload.decode("utf-8", "replace"))
