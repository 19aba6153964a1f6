"""Questions that an agent draws over its input box: what is asked, and the numbered answers.

Owns the finding of a menu at the foot of the screen. Not when it matters: ``board`` asks when the agent says it is
blocked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Dialog", "find_dialog", "marked_dialog", "option_kind"]

_MENU_LINE = re.compile(r"^[\s│┃|]*(?:[❯›>→●○•*]\s*)?(\d{1,2})[.)]\s+(\S.*?)[\s│┃|]*$")
_MARKED = re.compile(r"^[\s│┃|]*[❯›]\s*\d{1,2}[.)]\s")
_REACH = 60
_BELOW = 5
"""Rows with text below a marked menu, at most."""
_ABOVE = 40
_BORDER = re.compile(r"[\s│┃|]*[─▔━╭╮╰╯]{10,}[\s│┃|]*")
_RULE = re.compile(r"[─▔━]{15}")
"""How the row begins that closes the conversation above a dialog."""
_INNER = " \t│┃|╭╮╰╯─╌┄"
_COLUMNS = re.compile(r"\s{2,}(?=\S)")
"""Between an answer and what is said about it."""
_TIP = re.compile(r"^(Tip|Hint): ")
_MAX_LABEL = 200
_MAX_TEXT = 1_000


@dataclass(frozen=True)
class Dialog:
    """``first`` is the row where it begins; ``options`` are (number, label); ``text`` is what is asked, on one line."""

    first: int
    text: str
    options: tuple[tuple[str, str], ...]


def find_dialog(rows: Sequence[str]) -> Dialog | None:
    """The menu that closes the screen, with what it asks; None when there is none.

    A rule above it closes the conversation; where there is none, it begins at the question.
    """
    end = len(rows)
    while end and not rows[end - 1].strip():
        end -= 1
    first, options = _options(rows, end)
    if not options:
        return None
    top = max(first - _ABOVE, 0)
    begin = next((at for at in range(first - 1, top - 1, -1) if _RULE.match(rows[at])), -1)
    if begin < 0:
        begin = next((at for at in range(first - 1, top - 1, -1) if rows[at].rstrip(_INNER).endswith("?")), -1)
    if begin < 0:
        above = [at for at in range(max(first - 6, 0), first) if rows[at].strip(_INNER)]
        begin = above[-1] if above else first
    told = [row.strip(_INNER) for row in rows[begin:first] if not _BORDER.fullmatch(row)]
    text = " ".join(" ".join(row.split()) for row in told if row and not _TIP.match(row))
    return Dialog(begin, text[:_MAX_TEXT], tuple(options))


def marked_dialog(rows: Sequence[str]) -> Dialog | None:
    """The same where one of the answers is marked with ``❯`` or ``›``: a numbered list in a text is no question."""
    found = find_dialog(rows)
    if found is None:
        return None
    lines = [at for at in range(found.first, len(rows)) if _MENU_LINE.match(rows[at])]
    below = sum(bool(row.strip()) for row in rows[lines[-1] + 1 :])
    return found if below <= _BELOW and any(_MARKED.match(rows[at]) for at in lines) else None


def option_kind(label: str) -> str:
    """What an answer does, in ACP's words; "" when its label does not say."""
    word = label.lower()
    if word.startswith(("no", "cancel", "deny")):
        return "reject_once"
    if not word.startswith(("yes", "allow", "always allow")):
        return ""
    lasting = ("don't ask again", "always", "switch to", "allow all", "for this session", "remember")
    return "allow_always" if any(text in word for text in lasting) else "allow_once"


def _options(rows: Sequence[str], end: int) -> tuple[int, list[tuple[str, str]]]:
    """(row of the first, the options), [] when the screen does not end in a menu. A wrapped label is joined."""
    options: list[tuple[str, str]] = []
    rest: list[str] = []
    for at in range(end - 1, max(end - 1 - _REACH, -1), -1):
        found = _MENU_LINE.match(rows[at])
        if not found:
            rest = [rows[at].strip(_INNER), *rest] if rows[at].startswith("    ") and rows[at].strip() else []
            continue
        if options and int(found[1]) != int(options[0][0]) - 1:
            break
        options.insert(0, (found[1], _COLUMNS.sub(": ", " ".join([found[2], *rest]), 1)[:_MAX_LABEL]))
        rest = []
        if found[1] == "1":
            return (at, options) if len(options) > 1 else (at, [])
    return end, []
