"""What Claude Code says, without what it shows while it works (seen with 2.1.330).

Owns the reading of its blocks: ``●`` begins words or a tool call, ``⎿`` what a tool gave (or what went wrong), ``✻``
and its like a line about progress. Where none of these is found, as in a version to come, the text is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from jupyter_tasks.agentapi.formats.dialogs import marked_dialog
from jupyter_tasks.agentapi.formats.prose import joined

__all__ = ["claude_words"]

_BULLET = re.compile(r"^[●⏺](?:\s|$)")
_PROGRESS = re.compile(r"^[*·✢✳✶✻✽✦]\s")
_RETRY = re.compile(r"^[*·✢✳✶✻✽✦]\s+(.*\S) · retrying in \S+ · attempt \d+/\d+")
_GIVEN = re.compile(r"^ {1,3}⎿\s*")
_ECHO = re.compile(r"^❯ ")
_RULE = re.compile(r"^[─▔]{15}")
_NOTE = re.compile(r"^\s{20,}\S")
_RUNNING = re.compile(r"^[●⏺]\s+\w+ing\b.*…(\s+\(.*\))?$")
_DONE = re.compile(
    r"^  (?:Ran|Read|Searched for|Listed|Found|Fetched|Recalled|Loaded|Wrote|Edited|Updated) \d+ [\w ]+(?:, .*)?$"
    r"|^  Called [\w.-]+(?: \d+ times)?(?:, .*)?$"
)
"""Calls that were folded into a line of their own, blank lines around it."""
_INTERRUPTED = "Interrupted"


def claude_words(text: str, width: int) -> str:
    """See ``Format.words``."""
    rows = text.split("\n")
    dialog = marked_dialog(rows)
    if dialog is not None:
        rows = rows[: dialog.first]
    cut = next((at for at, row in enumerate(rows) if _RULE.match(row)), len(rows))
    blocks = _blocks(rows[:cut])
    if not blocks:
        return "\n".join(rows[:cut]) if dialog is None and cut == len(rows) else ""
    told = [joined(words, width) for words in (_words(block) for block in blocks) if words]
    return "\n\n".join("\n".join(words) for words in told)


def _blocks(rows: Sequence[str]) -> list[list[str]]:
    """Rows in blocks that begin with a sign; what is in front of the first one is no part of the reply."""
    blocks: list[list[str]] = []
    alone = True  # what a ``⎿`` belongs to has not begun
    for row in rows:
        begins = _BULLET.match(row) or _PROGRESS.match(row) or _ECHO.match(row)
        if begins or (alone and _GIVEN.match(row)):
            blocks.append([row])
            alone = False
        elif blocks:
            blocks[-1].append(row)
    return blocks


def _words(block: list[str]) -> list[str]:
    first = block[0]
    again = _RETRY.match(first)
    if again:
        return [f"{again[1]} (trying again)"]
    if _PROGRESS.match(first) or _ECHO.match(first):
        return []
    if _GIVEN.match(first):  # an error, or the answer to a command of the user's
        return _trimmed([_GIVEN.sub("", first), *(row.removeprefix("     ") for row in block[1:])])
    if _RUNNING.match(first):
        return []
    given = next((at for at, row in enumerate(block) if _GIVEN.match(row)), -1)
    if given >= 0:
        if not _GIVEN.sub("", block[given]).startswith(_INTERRUPTED):
            return []
        block = [*block[:given], "", "  Interrupted."]
    rows = [row.removeprefix("  ") for row in _folded(block)]
    rows[0] = first[1:].lstrip()
    return _trimmed([row for row in rows if not _NOTE.match(row)])


def _folded(block: list[str]) -> list[str]:
    """The block up to where folded tool calls begin."""
    for at in range(1, len(block)):
        blank = not block[at - 1].strip() and (at + 1 == len(block) or not block[at + 1].strip())
        if blank and _DONE.match(block[at]):
            return block[:at]
    return block


def _trimmed(rows: list[str]) -> list[str]:
    while rows and not rows[-1].strip():
        rows.pop()
    while rows and not rows[0].strip():
        rows.pop(0)
    return rows
