"""What is new on a screen: order counts, scrolling and moved rows do not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_tasks.agentapi.diff import appended, collapse_blank, continued, trim_end

CASES = {
    "nothing new": ("abc", "abc", ""),
    "appended": ("abc", "abcde", "de"),
    "first screen": ("", "abc", "abc"),
    "scrolled": ("abcdef", "cdefgh", "gh"),
    "scrolled with a fixed header": ("Habcdef", "Hcdefgh", "gh"),
    "a line seen before begins the reply": ("abc", "abcaz", "az"),
    "the whole screen again": ("abc", "abcabc", "abc"),
    "a changed header": ("1abc", "2abcde", "de"),
    "a status row that moved down": ("abS", "abcdS", "cd"),
    "a status row in place of the reply's": ("abS", "abcS", "c"),
    "another screen altogether": ("abc", "xyz", "xyz"),
    "cleared": ("abc", "", ""),
}


@pytest.mark.parametrize(("old", "new", "expected"), CASES.values(), ids=CASES.keys())
def test_appended(old: str, new: str, expected: str) -> None:
    rows, _ = appended(list(old), list(new))
    assert "".join(rows) == expected


def test_rows_of_the_box_that_stayed_are_not_new() -> None:
    assert appended(["a"], ["a", "> ", "reply", "> "], ["> "]) == (["reply", "> "], True)


def test_found_tells_whether_the_anchor_is_there() -> None:
    assert appended(["a"], ["a", "b"])[1]
    assert not appended(["a"], ["x"])[1]
    assert not appended(["", " "], ["x"])[1]


def test_a_growing_text_that_scrolls_keeps_its_beginning() -> None:
    shown = [f"line {n}" for n in range(100)]
    text: list[str] = []
    for end in range(5, 101, 5):
        text = continued(text, shown[max(0, end - 20) : end])
    assert text == shown


def test_a_growing_text_is_not_continued_by_something_else() -> None:
    assert continued(["a", "b"], ["x", "y"]) == ["x", "y"]


def test_blank_runs_collapse() -> None:
    assert collapse_blank("a\n\nb\n\n\nc" + "\n" * 900 + "d\n\n") == "a\n\nb\n\n\nc\n\nd"


_rows = st.lists(st.sampled_from(["", " ", "a", "b", "c", "─" * 20, "> x"]), max_size=30)


@given(_rows, _rows)
def test_what_is_appended_is_found(old: list[str], new: list[str]) -> None:
    """The answer always ends where the new screen ends, but for rows that closed the old one too."""
    rows, found = appended(old, new)
    whole = trim_end(new)
    assert any(whole[at : at + len(rows)] == rows for at in range(len(whole) + 1))
    if not found:
        assert rows == whole


@given(st.lists(st.text("xyz", min_size=1, max_size=8), unique=True, min_size=2, max_size=40), st.integers(1, 39))
def test_distinct_rows_are_split_exactly(rows: list[str], cut: int) -> None:
    cut = min(cut, len(rows) - 1)
    assert appended(rows[:cut], rows) == (rows[cut:], True)


def test_hostile_screens_cost_little() -> None:
    same, turns = ["x"] * 4_000, [str(n % 7) for n in range(4_000)]
    distinct = [str(n) for n in range(4_000)]
    began = time.process_time()
    for old in (same, turns, distinct, distinct[::-1]):
        for new in (same, turns, distinct, distinct[::-1]):
            appended(old, new)
            continued(old, new)
    assert time.process_time() - began < 2
