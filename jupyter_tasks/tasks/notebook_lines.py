"""Sequences compared and merged, within bounds however hostile they are.

Owns the longest common subsequence (Myers' O(ND), given up on beyond ``MOST_EDITS``) and the three-way merge of lines
that ``notebook_merge`` does within a cell; not what the sequences mean.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence

__all__ = ["common", "merge_lines", "rising"]

MOST_EDITS = 600

Pairs = list[tuple[int, int]]


def common(old: Sequence[Hashable], new: Sequence[Hashable]) -> Pairs:
    """What both have in the same order.

    Returns: index pairs, rising in both. Where they differ in more than ``MOST_EDITS`` places only the common
    beginning and end.
    """
    head = 0
    shorter = min(len(old), len(new))
    while head < shorter and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < shorter - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    middle = _myers(old[head : len(old) - tail], new[head : len(new) - tail])
    pairs = [(each, each) for each in range(head)]
    pairs += [(head + a, head + b) for a, b in middle]
    return pairs + [(len(old) - each, len(new) - each) for each in range(tail, 0, -1)]


def _myers(old: Sequence[Hashable], new: Sequence[Hashable]) -> Pairs:
    if not old or not new:
        return []
    reach = {1: 0}
    trace: list[dict[int, int]] = []
    for edits in range(min(len(old) + len(new), MOST_EDITS) + 1):
        trace.append(dict(reach))
        for k in range(-edits, edits + 1, 2):
            down = k == -edits or (k != edits and reach[k - 1] < reach[k + 1])
            a = reach[k + 1] if down else reach[k - 1] + 1
            b = a - k
            while a < len(old) and b < len(new) and old[a] == new[b]:
                a, b = a + 1, b + 1
            reach[k] = a
            if a >= len(old) and b >= len(new):
                return _back(trace, a, b)
    return []


def _back(trace: Sequence[dict[int, int]], a: int, b: int) -> Pairs:
    pairs: Pairs = []
    for edits in range(len(trace) - 1, -1, -1):
        reach, k = trace[edits], a - b
        down = k == -edits or (k != edits and reach[k - 1] < reach[k + 1])
        before = k + 1 if down else k - 1
        start_a = reach[before] if edits else 0
        start_b = start_a - before if edits else 0
        while a > start_a and b > start_b:
            a, b = a - 1, b - 1
            pairs.append((a, b))
        a, b = start_a, start_b
    pairs.reverse()
    return pairs


def merge_lines(base: str, ours: str, theirs: str) -> str | None:
    """Text that was changed on both sides, merged by line as git does it. Returns: None for a conflict."""
    old, here, there = (text.split("\n") for text in (base, ours, theirs))
    to_here, to_there = dict(common(old, here)), dict(common(old, there))
    anchors = [
        (each, to_here[each], to_there[each]) for each in range(len(old)) if each in to_here and each in to_there
    ]
    merged: list[str] = []
    at = (0, 0, 0)
    for stop in (*anchors, (len(old), len(here), len(there))):
        chunks = old[at[0] : stop[0]], here[at[1] : stop[1]], there[at[2] : stop[2]]
        chosen = _choose(*chunks)
        if chosen is None:
            return None
        merged += chosen
        if stop[0] < len(old):
            merged.append(old[stop[0]])
        at = (stop[0] + 1, stop[1] + 1, stop[2] + 1)
    return "\n".join(merged)


def _choose(old: list[str], here: list[str], there: list[str]) -> list[str] | None:
    if there in (old, here):
        return here
    return there if here == old else None


def rising(numbers: Sequence[int]) -> set[int]:
    """The members of a longest rising run of these (different) numbers: what need not move."""
    ends: list[int] = []
    before: dict[int, int | None] = {}
    for each in numbers:
        at = bisect_left(ends, each)
        before[each] = ends[at - 1] if at else None
        ends[at : at + 1] = [each]
    kept: set[int] = set()
    last = ends[-1] if ends else None
    while last is not None:
        kept.add(last)
        last = before[last]
    return kept
