"""Which rows of a screen are new since an earlier look at it.

Owns the comparison: order-aware, anchored at the earlier screen, tolerant of scrolling, of a changing header and of
status rows that moved down. Not what the rows mean.

It takes time proportional to the number of rows, whatever is in them: a workspace may draw anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["appended", "collapse_blank", "continued", "trim_end"]

_CANDIDATES = 3
_OVERLAP = 2
"""Rows with text that must agree before an older look is taken for the beginning of a newer one."""


@dataclass(frozen=True)
class _Run:
    """``new[start:end]`` equals ``old[start + shift : end + shift]``; ``score`` of these rows have text."""

    shift: int
    start: int
    end: int
    score: int


def trim_end(rows: Sequence[str]) -> list[str]:
    """Without blank rows at the end."""
    end = len(rows)
    while end and not rows[end - 1].strip():
        end -= 1
    return list(rows[:end])


def appended(old: Sequence[str], new: Sequence[str], box: Sequence[str] = ()) -> tuple[list[str], bool]:
    """The rows of ``new`` that follow what ``old`` showed.

    Rows that close both screens (a status row that moved down) are no part of it, nor are the rows of the input box
    that was below ``old``, where they are still there.

    Returns: the rows, and whether anything of ``old`` was found in ``new``; if not, the rows are all of ``new``.
    """
    old, new = trim_end(old), trim_end(new)
    if not any(row.strip() for row in old):
        return new, False
    run = _alignment(old, new)
    if run is None:
        return new, False
    rest, left = new[run.end :], old[run.end + run.shift :]
    if not left:
        same = 0
        while same < min(len(rest), len(box)) and rest[same] == box[same]:
            same += 1
        rest = rest[same:]
    while rest and left and rest[-1] == left[-1]:
        rest.pop()
        left.pop()
    return rest, True


def continued(before: Sequence[str], rows: Sequence[str]) -> list[str]:
    """``rows`` with what scrolled off put back in front; ``before`` is an earlier look at the same growing text."""
    rows = trim_end(rows)
    run = _alignment(list(before), rows)
    if run is None or run.shift <= 0 or run.score < _OVERLAP:
        return rows
    return [*before[: run.start + run.shift], *rows[run.start :]]


def collapse_blank(text: str) -> str:
    """Runs of three and more blank lines become one: full-screen programs fill the screen with them."""
    kept: list[str] = []
    blanks = 0
    for line in text.split("\n"):
        if line.strip():
            kept += [""] * (blanks if blanks < 3 else 1)
            kept.append(line)
            blanks = 0
        else:
            blanks += 1
    return "\n".join(kept)


def _alignment(old: list[str], new: list[str]) -> _Run | None:
    """The shift between both at which most rows from the first agreeing one on are equal, one after the other."""
    in_old, in_new = _unique(old), _unique(new)
    votes = Counter(at - in_new[row] for row, at in in_old.items() if row in in_new)
    shifts = {0, *(shift for shift, _ in votes.most_common(_CANDIDATES))}
    runs = [run for run in (_run(old, new, shift) for shift in shifts) if run.score]
    return max(runs, key=lambda run: (run.score, -abs(run.shift)), default=None)


def _unique(rows: list[str]) -> dict[str, int]:
    counts = Counter(rows)
    return {row: at for at, row in enumerate(rows) if counts[row] == 1 and row.strip()}


def _run(old: list[str], new: list[str], shift: int) -> _Run:
    """The first run of equal rows at this shift; blank rows in front of it belong to it."""
    at, last = max(0, -shift), min(len(new), len(old) - shift)
    while at < last and (new[at] != old[at + shift] or not new[at].strip()):
        at += 1
    start, score = at, 0
    while at < last and new[at] == old[at + shift]:
        score += bool(new[at].strip())
        at += 1
    return _Run(shift, start, at, score)
