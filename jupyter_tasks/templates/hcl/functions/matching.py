"""Runs a pattern over a text, within a bound on time.

Owns what counts as a match (Go's rules), Go's ``$name`` in replacements, and the bound: RE2 is linear, Python's ``re``
backtracks. Where the worst case is small, the match is made here; else in a Python process of its own, which is ended
when it takes too long (``re`` itself cannot be interrupted).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jupyter_tasks.templates.hcl.functions.registry import FunctionProblem

__all__ = ["Match", "find", "replace"]

_LONGEST_TEXT = 256 * 1024
_SECONDS = 1.0
_CHEAP = 10_000_000
_SKIPPED = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_REPEAT = re.compile(r"[*+]|\{\d*,\}")
_NESTED = re.compile(r"\)(?:[*+]|\{\d+(?:,\d*)?\})")
_HELPER = """
import json, re, sys
pattern, flags, text, most = json.load(sys.stdin)
made = []
for found in re.compile(pattern, flags).finditer(text):
    made.append([found.span(group) for group in range(found.re.groups + 1)])
    if len(made) == most:
        break
json.dump(made, sys.stdout)
"""


@dataclass(frozen=True, slots=True)
class Match:
    """Where a pattern matched: the spans of the whole and of each group, (-1, -1) for a group that took no part."""

    text: str
    spans: tuple[tuple[int, int], ...]
    names: Mapping[str, int]

    @property
    def start(self) -> int:
        """Where the match begins."""
        return self.spans[0][0]

    @property
    def end(self) -> int:
        """Where the match ends."""
        return self.spans[0][1]

    def group(self, number: int) -> str | None:
        """The text of a group; 0 is the whole match."""
        start, end = self.spans[number]
        return self.text[start:end] if start >= 0 else None


def find(pattern: re.Pattern[str], text: str, *, most: int = 0) -> list[Match]:
    """The matches from left to right, at most ``most`` of them (0: all).

    An empty match right behind another is none, as in Go. Raises: FunctionProblem when it takes too long.
    """
    if len(text) > _LONGEST_TEXT:
        raise FunctionProblem(f"the text has more than {_LONGEST_TEXT} characters.")
    spans = _here(pattern, text, most) if _is_cheap(pattern.pattern, len(text)) else _apart(pattern, text, most)
    made: list[Match] = []
    last = -1
    for found in spans:
        start, end = found[0]
        if end != start or start != last:
            made.append(Match(text, tuple((begin, stop) for begin, stop in found), pattern.groupindex))
        last = end
    return made


def replace(pattern: re.Pattern[str], new: str, text: str) -> str:
    """``text`` with every match replaced by what ``new`` makes of it. Raises: FunctionProblem."""
    made: list[str] = []
    at = 0
    for found in find(pattern, text):
        made += [text[at : found.start], _expand(new, found)]
        at = found.end
    return "".join([*made, text[at:]])


_REFERENCE = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))", re.ASCII)


def _expand(template: str, found: Match) -> str:
    """Go's replacement text: ``$1``, ``$name``, ``${name}``, ``$$``; the longest name counts, unknown is empty."""

    def group(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        number = int(name) if name.isdigit() and len(name) < 6 else found.names.get(name, -1)
        return (found.group(number) or "") if 0 <= number < len(found.spans) else ""

    return _REFERENCE.sub(group, template)


def _is_cheap(pattern: str, length: int) -> bool:
    """Whether even the worst backtracking takes few steps: n to the number of repeats, 2 to the n for nested ones."""
    bare = _SKIPPED.sub("x", pattern)
    if _NESTED.search(bare):
        return length <= 20
    return bool((length + 1) ** (len(_REPEAT.findall(bare)) + 1) <= _CHEAP)


def _here(pattern: re.Pattern[str], text: str, most: int) -> Iterable[list[tuple[int, int]]]:
    made: list[list[tuple[int, int]]] = []
    for found in pattern.finditer(text):
        made.append([found.span(group) for group in range(pattern.groups + 1)])
        if len(made) == most:
            break
    return made


def _apart(pattern: re.Pattern[str], text: str, most: int) -> Iterable[list[tuple[int, int]]]:
    import subprocess

    work = json.dumps([pattern.pattern, pattern.flags, text, most])
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _HELPER],
            input=work,
            capture_output=True,
            encoding="utf-8",
            timeout=_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise FunctionProblem(f"the pattern takes more than {_SECONDS:g} second on this text.") from None
    except (OSError, subprocess.CalledProcessError):
        raise FunctionProblem("the pattern could not be run.") from None
    found: list[list[tuple[int, int]]] = json.loads(done.stdout)
    return found
