"""What a prompt's braces become."""

from __future__ import annotations

import keyword
import sys
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_tasks.errors import InvalidInput
from jupyter_tasks.notebook.filling import EACH, IN_ALL, fill, names_in, text_of

NAMES = {"color": "purple", "n": 3, "zähler": "umlaut", "_x": "private", "empty": ""}


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("make it {color}", "make it purple"),
        ("{color}{n}{color}", "purple3purple"),
        ("{zähler} {_x}[{empty}]", "umlaut private[]"),
        ("{{color}}", "{color}"),
        ("{{{color}}}", "{purple}"),
        ("{{ }}", "{ }"),
        ("{{}}", "{}"),
        ('{{"a": {n}}}', '{"a": 3}'),
        ('{"a": {"b": 1}}', '{"a": {"b": 1}}'),
        ("{a.b} {1} {} { color } {color!r} {color:>9} {n+1}", "{a.b} {1} {} { color } {color!r} {color:>9} {n+1}"),
        ('{ "json": 1 }', '{ "json": 1 }'),
        ("$color ${color}", "$color $purple"),
        ("$HOME $$ \\{n}", "$HOME $$ \\3"),
        ("{if} {None}", "{if} {None}"),
        ("{{open", "{{open"),
        ("close}}", "close}}"),
        ('it\'s "quoted" \\n', 'it\'s "quoted" \\n'),
        ("", ""),
    ],
)
def test_braces(typed: str, sent: str) -> None:
    assert fill(typed, NAMES).text == sent


def test_a_missing_name_says_which_and_guesses() -> None:
    with pytest.raises(InvalidInput) as caught:
        fill("make it {colour}", NAMES)
    assert "{colour}" in caught.value.message
    assert "Did you mean {color}?" in caught.value.hint
    assert "{{colour}}" in caught.value.hint


def test_values_are_not_filled_again() -> None:
    assert fill("{a}", {"a": "{b} {{x}}", "b": "no"}).text == "{b} {{x}}"


def test_one_value_is_bounded_and_says_so() -> None:
    filled = fill("<{a}>", {"a": "x" * 10_000})
    assert len(filled.text) <= EACH + 2
    assert filled.text.endswith("of 10,000 characters]>")
    assert len(filled.cuts) == 1
    assert "{a} was cut after 3,9" in filled.cuts[0]


def test_all_values_together_are_bounded() -> None:
    names = {f"v{i}": "é" * 3_000 for i in range(9)}
    filled = fill("".join(f"{{v{i}}}" for i in range(9)), names)
    assert len(filled.text.encode()) <= IN_ALL
    assert any("together" in cut for cut in filled.cuts)


def test_a_long_prompt_itself_is_not_cut() -> None:
    prompt = "word " * 100_000
    assert fill(prompt, {}).text == prompt


def test_big_containers_are_bounded() -> None:
    text, cut = text_of("big", list(range(1_000_000)))
    assert text.startswith("[0, 1, 2")
    assert len(text) <= EACH
    assert "cut" in cut
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    assert len(text_of("nested", nested)[0]) <= EACH
    itself: list[object] = []
    itself += [itself, itself]
    assert text_of("itself", itself)[0] == "[[...], [...]]"
    wide = [itself] * 500
    tree: list[object] = wide
    for _ in range(50):
        tree = [tree] * 500
    assert len(text_of("tree", tree)[0]) <= EACH
    assert "bits" in text_of("long", 10**9_999)[0]


def test_a_big_container_of_a_class_of_its_own_is_bounded() -> None:
    counted = Counter(range(1_000_000))
    text, cut = text_of("counted", counted)
    assert text.startswith("Counter({0: 1, 1: 1")
    assert len(text) <= EACH
    assert cut


def test_a_value_that_fails_is_an_error_of_its_name() -> None:
    class Frame:
        shape = (1, 1)

        def head(self, rows: int) -> Frame:
            raise ValueError("no rows")

        def to_string(self) -> str:
            return ""

    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("no words")

    with pytest.raises(InvalidInput, match=r"'broken'.*ValueError"):
        text_of("broken", Frame())
    with pytest.raises(InvalidInput, match="RuntimeError"):
        text_of("broken", [Broken()])


def test_pandas_shows_head_and_size() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({f"column{i}": range(100) for i in range(60)})
    text, _ = text_of("frame", frame)
    assert "column0" in text
    small, cut = text_of("small", pandas.DataFrame({"city": ["Oslo", "Bern"], "sales": [1, 2]}))
    assert "Oslo" in small
    assert small.endswith("[2 rows x 2 columns]")
    assert cut == ""
    series, _ = text_of("series", pandas.Series(range(500), name="n"))
    assert series.endswith("[500 rows; the first are shown]")


def test_a_class_is_not_taken_for_a_table() -> None:
    class Frame:
        shape = (1, 1)

        def head(self, rows: int) -> Frame:
            return self

        def to_string(self) -> str:
            return "cells"

    assert text_of("f", Frame())[0] == "cells\n[1 rows x 1 columns]"
    assert "Frame" in text_of("f", Frame)[0]


def test_pandas_is_not_imported() -> None:
    if "pandas" not in sys.modules:
        fill("{n}", {"n": [1, 2]})
        assert "pandas" not in sys.modules


identifiers = st.from_regex(r"\A[^\W\d]\w{0,8}\Z").filter(lambda w: w.isidentifier() and not keyword.iskeyword(w))


@given(st.text())
def test_no_names_no_pairs_no_change(prompt: str) -> None:
    if not names_in(prompt) and "{{" not in prompt:
        assert fill(prompt, {}).text == prompt


@given(st.text(alphabet="{}ab1 .$\\'\""))
def test_braces_never_raise_but_for_missing_names(prompt: str) -> None:
    names: Mapping[str, object] = dict.fromkeys(names_in(prompt), "V")
    out = fill(prompt, names).text
    assert (out.count("V") > 0) == bool(names)
    assert out.count("V") <= sum(prompt.count(f"{{{n}}}") for n in names)


@given(st.text())
def test_doubling_every_brace_is_the_way_to_say_anything(text: str) -> None:
    """Text in which braces are balanced survives being doubled."""
    balanced = "{" + text.replace("{", "").replace("}", "") + "}"
    assert fill(balanced.replace("{", "{{").replace("}", "}}"), {}).text == balanced


@given(identifiers, st.text(), st.text(alphabet="abc ${}.1"))
def test_a_name_is_filled_once_with_its_text(name: str, value: str, around: str) -> None:
    import unicodedata

    around = around.replace("{", "").replace("}", "")
    out = fill(f"{around}{{{name}}}{around}", {unicodedata.normalize("NFKC", name): value}).text
    assert out == f"{around}{value}{around}"


@given(st.lists(st.text(max_size=300), max_size=6), st.integers(100, 400), st.integers(0, 900))
def test_bounds_hold(values: list[str], each: int, in_all: int) -> None:
    names = {f"v{i}": value for i, value in enumerate(values)}
    filled = fill("".join(f"{{{n}}}" for n in names), names, each=each, in_all=in_all)
    assert len(filled.text.encode("utf-8", "replace")) <= in_all
    whole = sum(len(v.encode("utf-8", "replace")) for v in values) <= in_all and all(len(v) <= each for v in values)
    assert whole == (not filled.cuts)


@given(
    st.recursive(
        st.none() | st.integers() | st.text() | st.binary() | st.floats(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
        max_leaves=40,
    )
)
def test_any_value_has_bounded_text(value: object) -> None:
    text, cut = text_of("v", value, 200)
    assert len(text) <= 200
    if not cut:
        assert text == (value if isinstance(value, str) else repr(value))
    else:
        assert text.endswith("characters]")
