"""Removes, from the beginning of a piece of screen, the echo of what the user typed.

Owns the matching, which forgives wrapping, box drawing and a few foreign characters between those that were typed.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["EchoTail", "no_tail", "remove_user_input"]

_VISIBLE = re.compile(r"\n|[^ \t\n\r\f\v]")
_PREFIX = 6
_WINDOW = 25
_WINDOW_LINES = 5
_SLACK = 6

EchoTail = Callable[[list[str], int], int]
"""Takes all lines and the index of the echo's last one; says how many more belong to the echo."""


def no_tail(lines: list[str], last: int) -> int:
    """Nothing follows the echo."""
    return 0


class _Characters:
    """The characters of a text that are no white space, read only as far as they are asked for, with their lines."""

    def __init__(self, text: str) -> None:
        self._found = _VISIBLE.finditer(text)
        self._line = 0
        self.read: list[str] = []
        self.lines: list[int] = []

    def has(self, at: int) -> bool:
        """Whether there are more than ``at`` of them."""
        while len(self.read) <= at:
            found = next(self._found, None)
            if found is None:
                return False
            if found.group() == "\n":
                self._line += 1
            else:
                self.read.append(found.group())
                self.lines.append(self._line)
        return True


def remove_user_input(text: str, user: str, tail: EchoTail = no_tail) -> str:
    """``text`` from the line after the echo of ``user`` on; unchanged when there is none."""
    if not user:
        return text
    typed = _Characters(user.partition("\n")[0])
    typed.has(_PREFIX - 1)
    prefix = "".join(typed.read[:_PREFIX])
    shown = _Characters(text)
    start = _start_of_echo(shown, prefix) if prefix else -1
    if start < 0:
        return text
    lines = text.split("\n")
    last = shown.lines[_end_of_echo(shown, _Characters(user), start)]
    return "\n".join(lines[last + 1 + tail(lines, last) :])


def _start_of_echo(shown: _Characters, prefix: str) -> int:
    """Where the first characters of what was typed stand, near the beginning; -1 when nowhere.

    Typed text begins at a line's start or after a prompt, not in the middle of a sentence.
    """
    size = 0
    while shown.has(size) and (size < _WINDOW or shown.lines[size] <= _WINDOW_LINES):
        size += 1
    window = "".join(shown.read[:size])
    start = window.find(prefix)
    while start > 0 and shown.lines[start - 1] == shown.lines[start] and shown.read[start - 1].isalnum():
        start = window.find(prefix, start + 1)
    return start


def _end_of_echo(shown: _Characters, typed: _Characters, at: int) -> int:
    """Walks both side by side and returns the index, in ``shown``, of the last character that both have."""
    typed_at = 0
    typed.has(0)
    while True:
        step = _next_pair(shown, typed, at, typed_at)
        if step is None:
            return at
        at, typed_at = step


def _next_pair(shown: _Characters, typed: _Characters, at: int, typed_at: int) -> tuple[int, int] | None:
    for i in range(1, _SLACK):
        for j in range(1, _SLACK):
            if not typed.has(typed_at + i) or not shown.has(at + j):
                return None
            if typed.read[typed_at + i] == shown.read[at + j]:
                return at + j, typed_at + i
    return None
