"""What the user asks for, by rules.

Owns the reading of a message; it says only what it is sure of.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .colours import Colour, find_colours

__all__ = ["Request", "understand"]

_LOOKED_AT = 20_000
_THEME = re.compile(r"\b(theme|colou?rs?|accent|palette|brand(?:ing)?|primary|look)\b", re.IGNORECASE)
_VERB = re.compile(
    r"\b(change|make|set|turn|switch|use|update|paint|give|convert|recolou?r|replace|prefer|want)\b", re.IGNORECASE
)
_STRUCTURE = re.compile(
    r"\b(document|describe|explain|write|outline|summari[sz]e|map|list|show)\b.{0,80}\b(structure|layout|tree|architecture|organi[sz]ation|files)\b"
    r"|\bstructure\.md\b",
    re.IGNORECASE | re.DOTALL,
)
_HELP = re.compile(r"^\s*(help|hi|hello|hey|what can you do|who are you)\b", re.IGNORECASE)
_TARGET = re.compile(r"\b(?:to|into|as|in|with|be)\b\s*(?:a |an |the )?(?:\w+ ){0,2}$", re.IGNORECASE)


class Request(NamedTuple):
    """``kind`` is "theme" (with its colour, or None where none was understood), "structure", "help" or "unknown"."""

    kind: str
    colour: Colour | None = None


def understand(text: str) -> Request:
    """What this message asks for."""
    text = text[:_LOOKED_AT]
    if _STRUCTURE.search(text):
        return Request("structure")
    colours = find_colours(text)
    if _THEME.search(text) and (_VERB.search(text) or colours):
        return Request("theme", _wanted(text))
    if colours and _VERB.search(text):
        return Request("theme", _wanted(text))
    return Request("help" if _HELP.search(text) else "unknown")


def _wanted(text: str) -> Colour | None:
    """The colour to change to: the one after "to" (from blue *to* purple), else the last one that is named."""
    colours = find_colours(text)
    aimed = [colour for at, colour in colours if _TARGET.search(text[:at])]
    if aimed:
        return aimed[-1]
    return colours[-1][1] if colours else None
