"""Globs of files as git writes them in ``.gitignore``, matched by ourselves.

Owns what such a pattern means, for projects without git and for what was asked by name. Where there is a repository,
git itself lists ignored files; the tests hold both to one answer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Globs"]

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": " \\t",
    "digit": "0-9",
    "lower": "a-z",
    "space": "\\s",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


@dataclass(frozen=True, slots=True)
class _Rule:
    takes: bool
    only_directories: bool
    pattern: re.Pattern[bytes]


class Globs:
    """Some patterns; the last one that matches a path decides."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._rules = [rule for rule in map(_rule, patterns) if rule is not None]

    def __bool__(self) -> bool:
        return bool(self._rules)

    def match(self, path: bytes, *, directory: bool = False) -> bool:
        """Whether the path (relative, no slash at its ends) is meant, by itself or with a directory above it."""
        parts = path.split(b"/")
        for depth in range(1, len(parts) + 1):
            decided = self._decide(b"/".join(parts[:depth]), directory or depth < len(parts))
            if decided and depth < len(parts):
                return True  # all that is in a directory that is meant
            if depth == len(parts):
                return bool(decided)
        return False

    def _decide(self, path: bytes, directory: bool) -> bool | None:
        for rule in reversed(self._rules):
            if (directory or not rule.only_directories) and rule.pattern.match(path):
                return rule.takes
        return None


def _rule(line: str) -> _Rule | None:
    line = line.rstrip("\r\n")
    if line.startswith("#"):
        return None
    line = _without_trailing_spaces(line)
    takes = not line.startswith("!")
    if not takes:
        line = line[1:]
    only_directories = line.endswith("/")
    if only_directories:
        line = line[:-1]
    anchored = "/" in line
    line = line.removeprefix("/")
    if not line:
        return None
    expression = _expression(os.fsencode(line).decode("latin-1"))
    if expression is None:
        return None
    before = "" if anchored else "(?:.*/)?"
    return _Rule(takes, only_directories, re.compile(f"{before}{expression}\\Z".encode("latin-1"), re.DOTALL))


def _without_trailing_spaces(line: str) -> str:
    while line.endswith(" "):
        before = line[:-1]
        if (len(before) - len(before.rstrip("\\"))) % 2:
            break  # the last one is escaped
        line = before
    return line


def _expression(glob: str) -> str | None:
    """The regular expression of one glob; None for one that matches nothing."""
    out: list[str] = []
    at = 0
    while at < len(glob):
        letter = glob[at]
        if letter == "*":
            end = at
            while end < len(glob) and glob[end] == "*":
                end += 1
            starts = at == 0 or glob[at - 1] == "/"
            if end - at == 2 and starts and end == len(glob):
                out.append(".*")
            elif end - at == 2 and starts and glob[end] == "/":
                out.append("(?:.*/)?")
                end += 1
            else:
                out.append("[^/]*")
            at = end
        elif letter == "?":
            out.append("[^/]")
            at += 1
        elif letter == "[":
            found = _set(glob, at)
            if found is None:
                return None
            out.append(found[0])
            at = found[1]
        else:
            if letter == "\\":
                at += 1
                if at == len(glob):
                    return None
            out.append(re.escape(glob[at]))
            at += 1
    return "".join(out)


def _set(glob: str, start: int) -> tuple[str, int] | None:
    """A bracket expression and where it ends; None where it never does."""
    at = start + 1
    inverted = glob[at : at + 1] in ("!", "^")
    at += inverted
    inner = ""
    first = True
    while at < len(glob) and (first or glob[at] != "]"):
        first = False
        if glob.startswith("[:", at) and (end := glob.find(":]", at)) > 0:
            inner += _CLASSES.get(glob[at + 2 : end], "")
            at = end + 2
            continue
        low, at = _letter(glob, at)
        if low is None:
            return None
        if glob[at : at + 1] == "-" and glob[at + 1 : at + 2] not in ("", "]"):
            high, at = _letter(glob, at + 1)
            if high is None:
                return None
            inner += f"{re.escape(low)}-{re.escape(high)}" if low <= high else ""
        else:
            inner += re.escape(low)
    if at >= len(glob):
        return None
    if not inner:
        return ("[^/]" if inverted else "(?!)"), at + 1
    return (f"(?!/)[^{inner}]" if inverted else f"(?!/)[{inner}]"), at + 1


def _letter(glob: str, at: int) -> tuple[str | None, int]:
    if glob[at] == "\\":
        at += 1
    return (glob[at], at + 1) if at < len(glob) else (None, at)
