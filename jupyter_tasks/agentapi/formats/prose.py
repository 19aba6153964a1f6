"""Rows of a terminal as the paragraphs that they were before the agent wrapped them.

Owns the joining. A row is joined to the one before where a program that fills its lines must have broken it: the next
word did not fit. Code, tables and lists keep their lines.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

__all__ = ["columns", "joined"]

_MARGIN = 4
"""Columns that agents leave free at the right."""
_LEAST = 30
"""A terminal narrower than this wraps everything: nothing is joined."""
_ITEM = re.compile(r"(\s*)((?:[-*•◦▪]|\d{1,3}[.)])\s+)?")
_BEGINS = re.compile(r"\s*(?:[-*•◦▪#>│┃|┌├└╭╰─╌]|\d{1,3}[.)]\s|```)")
_CODE = re.compile(r"[{};:\\|&=]\s*$|^\s*(def|class|import|from|return|if|for|while|const|let|var|fn|func)\b.*[(:{;]")


def columns(text: str) -> int:
    """How many columns a terminal needs for it."""
    return sum(0 if unicodedata.combining(c) else 2 if _wide(c) else 1 for c in text)


def joined(rows: Sequence[str], width: int) -> list[str]:
    """The rows, those that were wrapped at ``width`` columns joined."""
    if width < _LEAST:
        return list(rows)
    out: list[str] = []
    last = ""  # the screen's row that ``out`` ends with
    for row in rows:
        if out and _continues(out[-1], last, row, width):
            glue = "" if _wide(last[-1]) and _wide(row.lstrip()[0]) else " "
            out[-1] += glue + row.lstrip()
        else:
            out.append(row)
        last = row
    return out


def _continues(paragraph: str, last: str, row: str, width: int) -> bool:
    if not last.strip() or not row.strip() or " " not in last.strip() or _BEGINS.match(row):
        return False
    found = _ITEM.match(paragraph)
    hanging = columns(found[0]) if found else 0
    if len(row) - len(row.lstrip()) != hanging or _CODE.search(last):
        return False
    word = row.split()[0]
    return columns(last) + 1 + columns(word) > width - _MARGIN


def _wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"
