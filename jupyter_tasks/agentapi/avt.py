"""``Emulator`` over pyavt (asciinema's terminal): it draws; ``queries`` answers, and hears titles and program status.

Owns the binding's calls and the decoding of bytes. Importing it raises ImportError where pyavt is not installed.
"""

from __future__ import annotations

import codecs

from avt._avt import Vt

from jupyter_tasks.agentapi.emulator import HISTORY_ROWS, MAX_TITLE, Outbox, bounded_size
from jupyter_tasks.agentapi.queries import Control, StreamCutter, answer

__all__ = ["AvtEmulator"]


class AvtEmulator:
    """See ``Emulator``."""

    def __init__(self, cols: int = 80, rows: int = 1_000) -> None:
        self._size = bounded_size(cols, rows)
        self._vt = Vt(self._size[0], self._size[1], HISTORY_ROWS)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._cutter = StreamCutter()
        self._title = ""
        self._outbox = Outbox()

    def feed(self, data: bytes) -> None:
        for piece in self._cutter.cut(self._decoder.decode(data)):
            if isinstance(piece, Control):
                self._control(piece)
            elif piece:
                self._vt.feed_str(piece)

    def rows(self) -> list[str]:
        return [line.text.rstrip() for line in self._vt.view()]

    def lines(self) -> list[str]:
        return [line.text.rstrip() for line in self._vt.lines()[-(HISTORY_ROWS + self._size[1]) :]]

    @property
    def title(self) -> str:
        return self._title

    @property
    def cursor(self) -> tuple[int, int]:
        at = self._vt.cursor
        return min(int(at.col), self._size[0] - 1), int(at.row)

    @property
    def size(self) -> tuple[int, int]:
        return self._size

    def resize(self, cols: int, rows: int) -> None:
        self._size = bounded_size(cols, rows)
        self._vt.resize(*self._size)

    def take_replies(self) -> bytes:
        return self._outbox.take_replies()

    def take_signals(self) -> list[str]:
        return self._outbox.take_signals()

    def _control(self, control: Control) -> None:
        reply = answer(control, self.cursor, self._size)
        if reply:
            self._outbox.reply(reply)
        elif control.kind == "osc":
            number, _, payload = control.text.partition(";")
            if number in ("0", "2"):
                self._title = payload[:MAX_TITLE]
            elif number == "7501":
                self._outbox.signal(payload)
