"""OpenCode: a block-drawn box at the bottom, a header that changes on its own."""

from __future__ import annotations

import re

from jupyter_tasks.agentapi.formats.base import ESC, Format, Rule

__all__ = ["FORMAT", "opencode_box"]

_EDGE = "╹" + "▀" * 17
_BOX_ROWS = 4
_HEADER_ROWS = 3


def opencode_box(lines: list[str]) -> list[str]:
    """Everything from four lines above the box's lower edge on goes."""
    for at in range(len(lines) - 1, _BOX_ROWS - 1, -1):
        if lines[at].strip().startswith(_EDGE):
            return lines[: at - _BOX_ROWS]
    return lines


def _tail(lines: list[str], last: int) -> int:
    return 2 if last + 2 < len(lines) else 0


def _steady(lines: list[str]) -> list[str]:
    """The header shows tokens and cost."""
    return lines[_HEADER_ROWS:]


FORMAT = Format(
    name="opencode",
    box=opencode_box,
    echo_tail=_tail,
    markers=(
        Rule(re.compile(r"Permission required"), "blocked"),
        Rule(re.compile(r"\besc (to )?interrupt\b"), "working"),
    ),
    transient=re.compile(r"\besc (to )?interrupt\b"),
    interrupt=ESC + ESC,
    steady=_steady,
)
