"""Reading usage out of an answer while it passes, in bounded memory.

Owns the two framings (one JSON document, server-sent events) and their bounds. It is given copies of what was sent on
already, so it delays nothing; and it never raises, whatever passes.
"""

from __future__ import annotations

import json
import re
from typing import Any

from jupyter_tasks.metering.credentials_providers import Wire
from jupyter_tasks.metering.llm_usage import Usage, read

__all__ = ["Tee"]

MOST_DOCUMENT = 4 << 20
MOST_EVENT = 4 << 20
_TELLING = re.compile(rb'"(?:usage|usageMetadata|error)"\s*:\s*\{|"type"\s*:\s*"error"')
"""In an event that is worth decoding. A quotation mark within text is escaped, so words of the model do not match."""


class Tee:
    """``feed`` it every piece of an answer's body, then ``finish``; ``usage`` is filled meanwhile."""

    def __init__(self, wire: Wire, content_type: str, content_encoding: str = "") -> None:
        self.usage = Usage()
        self._wire: Wire = wire
        self._events = content_type.lower().startswith("text/event-stream")
        self._readable = content_encoding.lower() in ("", "identity")
        self._line = bytearray()
        self._event: list[bytes] = []
        self._size = 0
        self._skipping = False  # the rest of a line that is too long
        self.lost = "" if self._readable else "The answer was compressed, so what it used could not be read."

    def feed(self, piece: bytes) -> None:
        """Take a copy of what went on."""
        if not self._readable:
            return
        if self._events:
            self._feed_events(piece)
        elif len(self._line) + len(piece) <= MOST_DOCUMENT:
            self._line += piece
        else:
            self._give_up("The answer was too long for what it used to be read.")

    def finish(self) -> Usage:
        """The answer has ended, well or not."""
        if self._readable and self._events:
            self._take_line(bytes(self._line))
            self._dispatch()
        elif self._readable:
            self._decode(bytes(self._line))
        self._line.clear()
        return self.usage

    # ------------------------------------------------------------ server-sent events

    def _feed_events(self, piece: bytes) -> None:
        between = not (self._line or self._event or self._skipping or self._size)
        if between and piece.endswith(b"\n\n") and not _TELLING.search(piece):
            return  # whole events that say nothing of use: nearly every piece
        newline = piece.rfind(b"\n")
        if newline < 0:
            self._hold(piece)
            return
        whole, rest = piece[:newline], piece[newline + 1 :]
        first, *lines = whole.split(b"\n")
        if self._skipping:
            self._skipping = False
        elif len(self._line) + len(first) > MOST_EVENT:
            self._too_long()
        else:
            self._take_line(bytes(self._line) + first)
        self._line.clear()
        for line in lines:
            self._take_line(line)
        self._hold(rest)

    def _hold(self, piece: bytes) -> None:
        """The beginning of a line."""
        if self._skipping or not piece:
            return
        if len(self._line) + len(piece) > MOST_EVENT:
            self._line.clear()
            self._skipping = True
            self._too_long()
            return
        self._line += piece

    def _take_line(self, line: bytes) -> None:
        line = line[:-1] if line.endswith(b"\r") else line
        if not line:
            self._dispatch()
        elif line.startswith(b"data:"):
            self._size += len(line)
            if self._size > MOST_EVENT:
                self._too_long()
            else:
                self._event.append(line[6:] if line.startswith(b"data: ") else line[5:])

    def _too_long(self) -> None:
        self._event.clear()
        self._size = MOST_EVENT + 1  # what is left of this event does not count either
        self.lost = "An event of the answer was too long for what it used to be read."

    def _dispatch(self) -> None:
        data = self._event[0] if len(self._event) == 1 else b"\n".join(self._event)
        self._event.clear()
        self._size = 0
        if data and _TELLING.search(data):
            self._decode(data)

    # ------------------------------------------------------------ both

    def _decode(self, data: bytes) -> None:
        try:
            value: Any = json.loads(data)
        except (ValueError, RecursionError):
            return
        read(self._wire, value, self.usage)

    def _give_up(self, why: str) -> None:
        self._readable = False
        self._line.clear()
        self.lost = why
