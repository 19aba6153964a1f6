"""Finds, in a terminal stream, what an emulator that only draws leaves out: queries, titles, program status.

Owns the cutting of the stream into text that the emulator draws and sequences that concern us, with bounded memory
however long a sequence claims to be; and the answers. Not the screen.

Strings (OSC, DCS, APC, PM, SOS) never reach the emulator: it draws none of them.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from jupyter_tasks.agentapi.emulator import MAX_SIGNAL_BYTES

__all__ = ["Control", "StreamCutter", "answer"]

_CSI_LIMIT = 256
_EIGHT_BIT = re.compile(r"[\x80-\x9f]")  # C1 controls: no program of today sends them in UTF-8
_STRING_END = re.compile(r"[\x07\x18\x1a\x1b]")
_STRINGS = "PX]^_"
_FIXED = {
    "c": b"\x1b[?62;22c",
    "0c": b"\x1b[?62;22c",
    ">c": b"\x1b[>1;0;0c",
    ">0c": b"\x1b[>1;0;0c",
    "5n": b"\x1b[0n",
    ">q": b"\x1bP>|jupyter-tasks\x1b\\",
    ">0q": b"\x1bP>|jupyter-tasks\x1b\\",
    "?u": b"\x1b[?0u",
}
_COLOURS = {"10;?": b"\x1b]10;rgb:d8d8/d8d8/d8d8", "11;?": b"\x1b]11;rgb:1818/1818/1818"}
_MODE_QUERY = re.compile(r"\?(\d{1,5})\$p")


_Pieces = Generator["str | Control", None, int]
"""Yields what it completes and returns where it stopped."""


@dataclass(frozen=True)
class Control:
    """A whole sequence: ``kind`` "csi" (``text`` is parameters and final byte) or "osc" (``text`` is its payload)."""

    kind: str
    text: str
    end: str = ""
    """How the OSC was ended: BEL or ST."""


class StreamCutter:
    """Cuts decoded text, fed in any pieces, into runs to draw (``str``) and ``Control``s, in stream order.

    CSI sequences are handed on to be drawn *and* named as ``Control``; strings are only named, OSC alone.
    """

    def __init__(self) -> None:
        self._held = ""  # an unfinished escape or CSI sequence
        self._string = ""  # introducer of the string we are in, "" when in none
        self._payload: list[str] = []
        self._size = 0
        self._overflow = False

    def cut(self, text: str) -> Iterator[str | Control]:
        """Yield what ``text`` completes."""
        text, self._held = self._held + _EIGHT_BIT.sub("", text), ""
        at = 0
        while at < len(text):
            if self._string:
                at = yield from self._in_string(text, at)
                continue
            found = text.find("\x1b", at)
            if found < 0:
                yield text[at:]
                return
            if found > at:
                yield text[at:found]
            at = yield from self._escape(text, found)

    def _escape(self, text: str, at: int) -> _Pieces:
        if at + 1 == len(text):
            self._held = text[at:]
            return len(text)
        kind, body = text[at + 1], at + 2
        if kind in _STRINGS:
            self._string, self._payload, self._size, self._overflow = kind, [], 0, False
            return body
        if kind == "[":
            return (yield from self._csi(text, at, body))
        if kind == "\x1b":  # the second begins anew
            return at + 1
        yield text[at:body]
        return body

    def _csi(self, text: str, at: int, body: int) -> _Pieces:
        end = body
        while end < len(text) and "\x20" <= text[end] <= "\x3f":
            end += 1
        if end == len(text):
            if end - at <= _CSI_LIMIT:
                self._held = text[at:]
            return end  # longer than any real one: dropped
        if not "\x40" <= text[end] <= "\x7e":  # a control character inside: the emulator knows what to do with it
            yield text[at:end]
            return end
        if end - at <= _CSI_LIMIT:
            yield text[at : end + 1]
            yield Control("csi", text[body : end + 1])
        return end + 1

    def _in_string(self, text: str, at: int) -> _Pieces:
        found = _STRING_END.search(text, at)
        end = found.start() if found else len(text)
        self._size += end - at
        self._overflow |= self._size > MAX_SIGNAL_BYTES
        if not self._overflow and self._string == "]":
            self._payload.append(text[at:end])
        if found is None:
            return end
        last = text[end]
        if last == "\x1b" and end + 1 == len(text):
            self._held = last
            return end + 1
        if last == "\x07" and self._string != "]":
            return end + 1  # BEL ends an OSC only
        finished = last == "\x07" or (last == "\x1b" and text[end + 1] == "\\")
        if finished and self._string == "]" and not self._overflow:
            yield Control("osc", "".join(self._payload), "\x07" if last == "\x07" else "\x1b\\")
        self._string, self._payload = "", []
        if not finished:  # cancelled (CAN, SUB), or ESC begins the next sequence
            return end + 1 if last in "\x18\x1a" else end
        return end + (2 if last == "\x1b" else 1)


def answer(control: Control, cursor: tuple[int, int], size: tuple[int, int]) -> bytes:
    """What a terminal answers to this sequence, b"" for what is no query.

    Args:
        control: the sequence.
        cursor: column and row from 0, as they are when the query arrives.
        size: columns and rows.
    """
    text = control.text
    if control.kind == "osc":
        if text.startswith("7501;?"):
            return b"\x1b]7501;?" + control.end.encode()
        return _COLOURS[text] + control.end.encode() if text in _COLOURS else b""
    if text in _FIXED:
        return _FIXED[text]
    if text in ("6n", "?6n"):
        return b"\x1b[%s%d;%dR" % (b"?" if text[0] == "?" else b"", cursor[1] + 1, cursor[0] + 1)
    if text == "18t":
        return b"\x1b[8;%d;%dt" % (size[1], size[0])
    asked = _MODE_QUERY.fullmatch(text)
    if asked:  # 2: known and off. Synchronized output is only a hint to us, so we may claim it.
        return b"\x1b[?%s;%d$y" % (asked[1].encode(), 2 if asked[1] in ("2026", "2004", "1049") else 0)
    return b""
