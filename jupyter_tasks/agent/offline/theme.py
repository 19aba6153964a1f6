"""Changes the primary colour of a web project: custom properties first, else the literal that is used most.

Owns finding what carries the theme, and the edit with all its shades; not what the user meant (``request``).
"""

from __future__ import annotations

import os
import re
from collections import Counter
from typing import NamedTuple

from .colours import Colour, shade_like
from .project import read_text, walk, write_text

__all__ = ["Change", "Theme", "apply", "find_theme"]

_SUFFIXES = (".css", ".scss", ".sass", ".less", ".html", ".htm", ".svg", ".jinja", ".j2")
_DECLARED = re.compile(
    r"(?P<name>--[\w-]*(?:primary|accent|brand|theme)[\w-]*)(?P<gap>\s*:\s*)(?P<value>#(?:[0-9a-f]{6}|[0-9a-f]{3}))\b",
    re.IGNORECASE,
)
_LITERAL = re.compile(r"#(?:[0-9a-f]{6}|[0-9a-f]{3})\b", re.IGNORECASE)
_PREFERRED = ("primary", "accent", "brand", "theme")
_SHADES = ("dark", "light", "hover", "active", "soft", "muted", "strong", "weak", "bg", "contrast", "text", "on-")


class Change(NamedTuple):
    """One line that was changed; ``line`` counts from 1."""

    file: str
    line: int
    before: str
    after: str


class Theme(NamedTuple):
    """Where the theme is kept: ``base`` is the colour that the shades derive from, ``name`` its property (or "")."""

    base: str
    name: str
    files: list[str]


def find_theme(root: str) -> Theme | None:
    """The theme of the project at ``root``; None when no stylesheet or page has a colour that could be it."""
    declared: dict[str, str] = {}
    literals: Counter[str] = Counter()
    files: list[str] = []
    for file, text in _sheets(root):
        names = [(match["name"].lower(), match["value"].lower()) for match in _DECLARED.finditer(text)]
        for name, value in names:
            declared.setdefault(name, value)
        colours = [value.lower() for value in _LITERAL.findall(text) if not _is_grey(value)]
        literals.update(colours)
        if names or colours:
            files.append(file)
    name = _base_name(list(declared))
    if name:
        return Theme(declared[name], name, files)
    if literals:
        return Theme(literals.most_common(1)[0][0], "", files)
    return None


def apply(root: str, theme: Theme, colour: Colour) -> list[Change]:
    """Give the theme this colour, its shades kept in proportion.

    Args:
        root: the project.
        theme: what ``find_theme`` found.
        colour: the new one.

    Returns: the lines that were changed, in order. Raises: OSError.
    """
    changes: list[Change] = []
    for file in theme.files:
        path = os.path.join(root, file)
        text = read_text(path)
        if text is None:
            continue
        lines = text.split("\n")
        for at, line in enumerate(lines):
            new = _new_line(line, theme, colour)
            if new != line:
                changes.append(Change(file, at + 1, line.strip(), new.strip()))
                lines[at] = new
        changed = "\n".join(lines)
        if changed != text:
            write_text(path, changed)
    return changes


def _new_line(line: str, theme: Theme, colour: Colour) -> str:
    def declared(match: re.Match[str]) -> str:
        return match["name"] + match["gap"] + shade_like(match["value"], theme.base, colour.value)

    def literal(match: re.Match[str]) -> str:
        return colour.value if match.group().lower() == theme.base else match.group()

    if not theme.name:
        return _LITERAL.sub(literal, line)
    family = theme.name.split("-")
    return _DECLARED.sub(
        lambda match: declared(match) if _same_family(match["name"].lower(), family) else match.group(), line
    )


def _same_family(name: str, family: list[str]) -> bool:
    return any(word in name for word in family if word in _PREFERRED)


def _base_name(names: list[str]) -> str:
    """The property that the others are shades of: ``--primary`` before ``--primary-dark``, primary before accent."""

    def rank(name: str) -> tuple[int, int, int]:
        word = next(at for at, preferred in enumerate(_PREFERRED) if preferred in name)
        return word, sum(shade in name for shade in _SHADES), len(name)

    return min(names, key=rank, default="")


def _sheets(root: str) -> list[tuple[str, str]]:
    found = []
    for directory, _, files in walk(root):
        for name in files:
            if name.lower().endswith(_SUFFIXES):
                file = os.path.normpath(os.path.join(directory, name))
                text = read_text(os.path.join(root, file))
                if text is not None:
                    found.append((file, text))
    return found


def _is_grey(value: str) -> bool:
    digits = value.lstrip("#")
    step = len(digits) // 3
    parts = [int(digits[at : at + step] * (3 - step), 16) for at in range(0, len(digits), step)]
    return max(parts) - min(parts) < 24
