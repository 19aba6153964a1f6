"""OpenCode: a block-drawn box at the bottom, a header that changes on its own."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jupyter_tasks.agentapi.formats.base import ESC, Format, Rule
from jupyter_tasks.agentapi.formats.dialogs import Dialog
from jupyter_tasks.agentapi.formats.prose import joined

__all__ = ["FORMAT", "opencode_box", "opencode_dialog", "opencode_words"]

_EDGE = "╹" + "▀" * 17
_BOX_ROWS = 4
_HEADER_ROWS = 3
_ASKS = re.compile(r"^\s*┃\s*△ (Permission required)")
_BUTTONS = re.compile(r"^\s*┃\s*Allow once\s+Allow always\s+Reject\b")
_REACH = 60
_TOOLS = (
    r"→ (?:Read|List|Skill|Asked|Loaded)\b",
    r"← (?:Write|Edit|Patch)\b",
    r"✱ (?:Glob|Grep)\b",
    r"% (?:WebFetch|Patch)\b",
    r"⚙ \w+ ?(?:\[|$)",
    r"[◇◈◉] ",
    r"~ .*\.\.\.$",
)
"""A tool call in one row; the model's own words may begin with these signs too. Longer ones are framed."""
_NOT_SAID = re.compile(
    rf"^\s*(?:[┃╹]|▣ |{'|'.join(_TOOLS)}|tab agents\b|~/.* \d+\.\d+\.\d+$|[▄█▀ ]+$)",
)
"""Rows that are no words: what is framed, the model's line, tool calls, the logo, the last rows."""


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


def opencode_dialog(rows: Sequence[str]) -> Dialog | None:
    """The permission that is asked for at the foot of the screen.

    Its answers stand side by side without numbers, and the first one is chosen when it is drawn: only that one can be
    given by a key (Enter) whose effect does not depend on what was chosen before.
    """
    end = next((at for at in range(len(rows) - 1, -1, -1) if _BUTTONS.match(rows[at])), -1)
    first = next((at for at in range(end - 1, max(end - _REACH, -1), -1) if _ASKS.match(rows[at])), -1)
    if first < 0:
        return None
    told = [" ".join(row.strip(" ┃△").split()) for row in rows[first:end]]
    return Dialog(first, " ".join(row for row in told if row)[:1_000], (("1", "Allow once"),))


def opencode_words(text: str, width: int) -> str:
    """See ``Format.words``."""
    rows = [row for row in text.split("\n") if not _NOT_SAID.match(row)]
    return "\n".join(joined([row.removeprefix("     ") for row in rows], width - 8)).strip("\n")


FORMAT = Format(
    name="opencode",
    dialog=opencode_dialog,
    words=opencode_words,
    noisy_start=True,
    answer=lambda option: b"\r",
    box=opencode_box,
    echo_tail=_tail,
    markers=(
        Rule(_BUTTONS, "blocked"),
        Rule(re.compile(r"Permission required"), "blocked"),
        Rule(re.compile(r"\besc (to )?interrupt\b"), "working"),
    ),
    transient=re.compile(r"\besc (to )?interrupt\b"),
    interrupt=(ESC, ESC),
    steady=_steady,
)
