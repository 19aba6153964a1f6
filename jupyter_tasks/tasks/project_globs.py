"""Globs of files as git writes them in ``.gitignore``, matched by ourselves.

Owns what such a pattern means, for projects without git and for what was asked by name. Where there is a repository,
git itself lists ignored files; the tests hold both to one answer. Matching takes steps of (pattern x path), never more.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Globs"]

_SLASH = 0x2F
_ANY = frozenset(range(256))
_NO_SLASH = _ANY - {_SLASH}
_CLASSES = {
    b"alnum": b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    b"alpha": b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    b"blank": b" \t",
    b"digit": b"0123456789",
    b"lower": b"abcdefghijklmnopqrstuvwxyz",
    b"space": b" \t\n\r\v\f",
    b"upper": b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    b"xdigit": b"0123456789ABCDEFabcdef",
}


@dataclass(frozen=True, slots=True)
class _Step:
    """One byte of ``letters``; ``many``: any number of them. ``skips``: or on behind the next two steps."""

    letters: frozenset[int]
    many: bool = False
    skips: bool = False


@dataclass(frozen=True, slots=True)
class _Rule:
    takes: bool
    only_directories: bool
    whole_path: bool
    steps: tuple[_Step, ...]

    def match(self, path: bytes) -> bool:
        here = self._with_skipped({0})
        for letter in path if self.whole_path else path.rpartition(b"/")[2]:
            after = set()
            for at in here:
                if at < len(self.steps) and letter in self.steps[at].letters:
                    after.add(at if self.steps[at].many else at + 1)
            if not after:
                return False
            here = self._with_skipped(after)
        return len(self.steps) in here

    def _with_skipped(self, here: set[int]) -> set[int]:
        wanted = list(here)
        while wanted:
            at = wanted.pop()
            if at < len(self.steps):
                step = self.steps[at]
                more = ([at + 1] if step.many else []) + ([at + 3] if step.skips else [])
                wanted += [each for each in more if each not in here]
                here.update(more)
        return here


class Globs:
    """Some patterns; the last one that matches a path decides."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._rules = [rule for rule in map(_rule, patterns) if rule is not None]

    def __bool__(self) -> bool:
        return bool(self._rules)

    def match(self, path: bytes, *, directory: bool = False) -> bool:
        """Whether the path (relative, no slash at its ends) is meant, by itself or with a directory above it."""
        if not self._rules:
            return False
        end = path.find(b"/")
        while end >= 0:
            if self._decide(path[:end], directory=True):
                return True  # all that is in a directory that is meant
            end = path.find(b"/", end + 1)
        return bool(self._decide(path, directory=directory))

    def _decide(self, path: bytes, *, directory: bool) -> bool | None:
        for rule in reversed(self._rules):
            if (directory or not rule.only_directories) and rule.match(path):
                return rule.takes
        return None


def _rule(text: str) -> _Rule | None:
    line = _without_trailing_spaces(os.fsencode(text).rstrip(b"\r\n"))
    if line.startswith(b"#"):
        return None
    takes = not line.startswith(b"!")
    line = line.removeprefix(b"!") if not takes else line
    only_directories = line.endswith(b"/")
    if only_directories:
        line = line[:-1]
    whole_path = b"/" in line
    line = line.removeprefix(b"/")
    steps = _steps(line)
    return _Rule(takes, only_directories, whole_path, steps) if steps else None


def _without_trailing_spaces(line: bytes) -> bytes:
    while line.endswith(b" "):
        before = line[:-1]
        if (len(before) - len(before.rstrip(b"\\"))) % 2:
            break  # the last one is escaped
        line = before
    return line


def _steps(glob: bytes) -> tuple[_Step, ...] | None:
    """What one glob wants, in order; None for one that matches nothing."""
    steps: list[_Step] = []
    at = 0
    while at < len(glob):
        letter = glob[at : at + 1]
        if letter == b"*":
            end = at
            while glob[end : end + 1] == b"*":
                end += 1
            deep = end - at > 1 and (at == 0 or glob[at - 1] == _SLASH) and glob[end : end + 1] in (b"", b"/")
            if deep and end < len(glob):
                steps.append(_Step(frozenset(), many=True, skips=True))
            steps.append(_Step(_ANY if deep else _NO_SLASH, many=True))
            at = end
        elif letter == b"?":
            steps.append(_Step(_NO_SLASH))
            at += 1
        elif letter == b"[":
            found = _set(glob, at)
            if found is None:
                return None
            steps.append(_Step(found[0] - {_SLASH}))
            at = found[1]
        else:
            at += letter == b"\\"
            if at == len(glob):
                return None
            steps.append(_Step(frozenset({glob[at]})))
            at += 1
    return tuple(steps)


def _set(glob: bytes, start: int) -> tuple[frozenset[int], int] | None:
    """The letters of a bracket expression and where it ends; None where it never does."""
    at = start + 1
    inverted = glob[at : at + 1] in (b"!", b"^")
    at += inverted
    letters: set[int] = set()
    first = True
    while first or glob[at : at + 1] != b"]":
        first = False
        if glob.startswith(b"[:", at) and (end := glob.find(b":]", at)) > 0:
            letters.update(_CLASSES.get(glob[at + 2 : end], b""))
            at = end + 2
        else:
            low, at = _letter(glob, at)
            high = low
            if glob[at : at + 1] == b"-" and glob[at + 1 : at + 2] not in (b"", b"]"):
                high, at = _letter(glob, at + 1)
            if low is None or high is None:
                return None
            letters.update(range(low, high + 1))
        if at >= len(glob):
            return None
    return frozenset(_ANY - letters if inverted else letters), at + 1


def _letter(glob: bytes, at: int) -> tuple[int | None, int]:
    at += glob[at : at + 1] == b"\\"
    return (glob[at], at + 1) if at < len(glob) else (None, at)
