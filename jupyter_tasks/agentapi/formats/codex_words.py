"""What Codex says, without what it shows while it works (seen with 0.169).

Owns the reading of its blocks: ``•`` begins words or a tool call, ``■`` an error, ``└`` what a tool gave. Where none of
these is found, as in a version to come, the text is left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from jupyter_tasks.agentapi.formats.dialogs import marked_dialog
from jupyter_tasks.agentapi.formats.prose import joined

__all__ = ["codex_words"]

_BEGINS = re.compile(r"^[•◦■⚠›✔✘✗](?:\s|$)")
_WORKING = re.compile(r"^[•◦]\s.*\besc to interrupt\b")
_AGAIN = re.compile(r"^[•◦]\s+Reconnecting")
_GIVEN = re.compile(r"^  └\s*")
_TIP = re.compile(r"^  └\s*Tip: ")
_MORE = re.compile(r"^    \+ Show details$")
_TOOL = re.compile(
    r"^[•◦]\s+(?:(?:Added|Edited|Deleted|Updated|Moved) .*\(\+\d+ -\d+\)$|Ran\b|Running\b|Called\b|Calling\b|Explored\b"
    r"|Exploring\b|Read\b|Searched\b|Searching\b|You ran\b|Updated Plan\b|Viewed Image\b|Waited\b|Waiting\b)"
)
_CLOSING = re.compile(r"^(?:  |─ )Worked for \S+.*$")
_LOWEST = re.compile(r"^  (?:\? for shortcuts|\S.* · .*(?:/|~).*|← for agents.*)$")
_INTERRUPTED = "Conversation interrupted"


def codex_words(text: str, width: int) -> str:
    """See ``Format.words``."""
    rows = text.split("\n")
    dialog = marked_dialog(rows)
    if dialog is not None:
        rows = rows[: dialog.first]
    while rows and (not rows[-1].strip() or _LOWEST.match(rows[-1])):
        rows = rows[:-1]
    blocks = _blocks(rows)
    if not blocks:
        return "\n".join(rows) if dialog is None else ""
    told = [words for words in (_words(block, width) for block in blocks) if words]
    return "\n\n".join("\n".join(words) for words in told)


def _blocks(rows: Sequence[str]) -> list[list[str]]:
    """Rows in blocks that begin with a sign; what is in front of the first one is no part of the reply."""
    blocks: list[list[str]] = []
    for row in rows:
        if _BEGINS.match(row):
            blocks.append([row])
        elif blocks:
            blocks[-1].append(row)
    return blocks


def _words(block: list[str], width: int) -> list[str]:
    first = block[0]
    given = next((at for at, row in enumerate(block) if _GIVEN.match(row)), -1)
    if _AGAIN.match(first) and given >= 0:
        rows = [_GIVEN.sub("", block[given]), *(row.strip() for row in block[given + 1 :] if row.strip())]
        return [" ".join(rows) + " (trying again)"]
    if first.startswith("›") or _WORKING.match(first):
        return []
    block = [row for row in block if not _TIP.match(row) and not _CLOSING.match(row)]
    used = given >= 0 or any(_MORE.match(row) for row in block) or (_TOOL.match(first) is not None and len(block) == 1)
    if _TOOL.match(first) and (used or first.rstrip().endswith(")")):
        return []
    rows = [row.removeprefix("  ") for row in block]
    rows[0] = first[1:].lstrip()
    while rows and not rows[-1].strip():
        rows.pop()
    if first.startswith("■"):
        if rows[0].startswith(_INTERRUPTED):
            return ["Interrupted."]
        return [_vendor_words(" ".join(row.strip() for row in rows if row.strip()))]
    return joined(rows, width)


def _vendor_words(text: str) -> str:
    """The sentence in an error that is shown as JSON."""
    begin = text.find('{"')
    try:
        found = json.loads(text[begin:]) if begin >= 0 else None
    except ValueError:
        return text
    error = found.get("error") if isinstance(found, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return f"{text[:begin]}{message}" if isinstance(message, str) and message else text
