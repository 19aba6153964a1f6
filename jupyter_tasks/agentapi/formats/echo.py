"""Removes, from the beginning of a piece of screen, the echo of what the user typed.

Owns the matching, which forgives wrapping, box drawing and a few foreign characters between those that were typed.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["EchoTail", "no_tail", "remove_user_input"]

_SPACE = " \t\n\r\f\v"
_PREFIX = 6
_WINDOW = 25
_WINDOW_LINES = 5
_SLACK = 6

EchoTail = Callable[[list[str], int], int]
"""Takes all lines and the index of the echo's last one; says how many more belong to the echo."""


def no_tail(lines: list[str], last: int) -> int:
    """Nothing follows the echo."""
    return 0


def remove_user_input(text: str, user: str, tail: EchoTail = no_tail) -> str:
    """``text`` from the line after the echo of ``user`` on; unchanged when there is none."""
    if not user:
        return text
    shown, shown_lines = _normalize(text)
    typed, typed_lines = _normalize(user)
    first_line = sum(1 for line in typed_lines if line == 0)
    prefix = typed[: min(_PREFIX, first_line)]
    if not prefix:
        return text
    window = min(max(_WINDOW, sum(1 for line in shown_lines if line <= _WINDOW_LINES)), len(shown))
    lines = text.split("\n")
    start = shown[:window].find(prefix)
    while start >= 0 and not _may_begin(shown, shown_lines, start):
        start = shown[:window].find(prefix, start + 1)
    if start < 0:
        return text
    last = shown_lines[_end_of_echo(shown, typed, start)]
    return "\n".join(lines[last + 1 + tail(lines, last) :])


def _may_begin(shown: str, lines: list[int], at: int) -> bool:
    """Whether typed text can begin here: at a line's start or after a prompt, not in the middle of a sentence."""
    return not at or lines[at - 1] != lines[at] or not shown[at - 1].isalnum()


def _end_of_echo(shown: str, typed: str, at: int) -> int:
    """Walks both side by side and returns the index, in ``shown``, of the last character that both have."""
    typed_at = 0
    while True:
        step = _next_pair(shown, typed, at, typed_at)
        if step is None:
            return at
        at, typed_at = step


def _next_pair(shown: str, typed: str, at: int, typed_at: int) -> tuple[int, int] | None:
    for i in range(1, _SLACK):
        for j in range(1, _SLACK):
            if typed_at + i >= len(typed) or at + j >= len(shown):
                return None
            if typed[typed_at + i] == shown[at + j]:
                return at + j, typed_at + i
    return None


def _normalize(text: str) -> tuple[str, list[int]]:
    """The text without white space, and for each character kept the line it was on."""
    kept: list[str] = []
    lines: list[int] = []
    line = 0
    for character in text:
        if character == "\n":
            line += 1
        if character not in _SPACE:
            kept.append(character)
            lines.append(line)
    return "".join(kept), lines
