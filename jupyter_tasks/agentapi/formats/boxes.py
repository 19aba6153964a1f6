"""Where an agent's input box begins and ends on the screen.

Owns the box rules that several formats share. A rule takes lines and returns those that are no box; unchanged lines
mean that there is no box.
"""

from __future__ import annotations

__all__ = ["generic_box", "has_border"]

_BORDERS = ("─" * 15, "╌" * 15)
_PROMPT_REACH = 6
_SLIM_REACH = 9
_SIDES = ("|", "│", "❯")


def has_border(line: str) -> bool:
    """Whether the line holds a horizontal border (15 dashes in a row)."""
    return any(border in line for border in _BORDERS)


def generic_box(lines: list[str]) -> list[str]:
    """A ``>`` in the last six lines, with the border above it; else border, side, border in the last nine."""
    for at in range(len(lines) - 1, max(len(lines) - 1 - _PROMPT_REACH, -1), -1):
        if ">" in lines[at]:
            return lines[: at - 1] if at and has_border(lines[at - 1]) else lines[:at]
    for at in range(len(lines) - 3, max(len(lines) - _SLIM_REACH, 0) - 1, -1):
        if has_border(lines[at]) and any(side in lines[at + 1] for side in _SIDES) and has_border(lines[at + 2]):
            return lines[:at]
    return lines
