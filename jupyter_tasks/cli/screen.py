"""What of an agent's terminal may reach the user's own.

Owns a filter for bytes that a program in a workspace wrote: hostile. Text, colours, cursor movement and screen modes go
through. What makes a terminal answer, act or change for good is dropped: an answer would be typed into the agent as if
the user had (and the engine's emulator has answered already); OSC and DCS strings reach the clipboard, the title …
"""

from __future__ import annotations

import re

__all__ = ["Filter"]

# whatever mode an agent's program may have left on: attributes, mouse, paste, focus, cursor, scroll region (whose reset
# moves the cursor: saved and restored around it)
_RESET = (
    b"\x1b[!p\x1b[0m\x1b[?1l\x1b>\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1005l\x1b[?1006l\x1b[?1015l"
    b"\x1b[?1004l\x1b[?2004l\x1b[?2026l\x1b7\x1b[r\x1b8"
)
_LEAVE = b"\x1b[?1049l"  # the alternate screen, and the cursor where it was before
_BOTTOM = b"\x1b[999;1H"
_LONGEST = 64 * 1024  # bytes of an unfinished sequence that are waited for

_WHOLE = re.compile(
    rb"\x1b\[(?P<csi>[0-?]*[ -/]*[@-~])"
    rb"|\x1b[\]PX^_](?P<string>[^\x07\x1b]*)(?:\x07|\x1b\\|(?=\x1b[^\\]))"
    rb"|\x1b(?P<short>[ -/]*[0-OQ-WYZ\\`-~])",
    re.DOTALL,
)
# reports (c n t q x p R), keyboard protocols (u, > m), rectangles that copy (y z { | })
_ACTS = re.compile(rb"[0-?]*(?:[cntqxupyz{|}]|\$[a-z]|[>?][0-9;]*m|[ ]?q)\Z")
_ALTERNATE = re.compile(rb"\x1b\[\?(?:47|1047|1049)([hl])\Z")
_STYLE = re.compile(rb"[0-6]? q\Z")  # the shape of the cursor


class Filter:
    """Bytes in, harmless bytes out; sequences may come in pieces."""

    def __init__(self) -> None:
        self._rest = b""
        self._alternate = False

    def reset(self) -> bytes:
        """What puts the user's terminal in order again, the cursor below what was drawn."""
        return _RESET + (_LEAVE if self._alternate else _BOTTOM)

    def feed(self, data: bytes) -> bytes:
        """What of ``data`` (and of what was held back) may be shown now."""
        data = self._rest + data
        self._rest = b""
        out: list[bytes] = []
        at = 0
        while (start := data.find(b"\x1b", at)) >= 0:
            out.append(data[at:start])
            found = _WHOLE.match(data, start)
            if found is None:
                if _may_go_on(data, start):
                    self._rest = data[start:]
                    break
                at = start + 1  # an escape that begins nothing
                continue
            if _harmless(found):
                out.append(found.group())
                if switch := _ALTERNATE.match(found.group()):
                    self._alternate = switch[1] == b"h"
            at = found.end()
        else:
            out.append(data[at:])
        # an answer to ENQ would be typed; C1 controls in one byte are no UTF-8 anyway
        return b"".join(out).replace(b"\x05", b"")


def _may_go_on(data: bytes, start: int) -> bool:
    """Whether the sequence at ``start`` is only not finished yet."""
    if len(data) - start > _LONGEST:
        return False
    head = data[start + 1 : start + 2]
    if head in b"]PX^_":  # also for nothing yet
        return True
    if head == b"[":
        return re.fullmatch(rb"[0-?]*[ -/]*", data[start + 2 :]) is not None
    return re.fullmatch(rb"[ -/]*", data[start + 1 :]) is not None


def _harmless(found: re.Match[bytes]) -> bool:
    if found["string"] is not None:
        return False
    if found["csi"] is not None:
        return _STYLE.match(found["csi"]) is not None or _ACTS.match(found["csi"]) is None
    return found["short"] != b"Z"  # DECID
