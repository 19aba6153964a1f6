"""Three versions of a notebook become one, by cell."""

from __future__ import annotations

import itertools
import json
import logging
from typing import Any

import nbformat
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_tasks.tasks import notebook_merge
from jupyter_tasks.tasks.notebook_cells import read_notebook
from jupyter_tasks.tasks.notebook_lines import MOST_EDITS, common, merge_lines, rising
from jupyter_tasks.tasks.notebook_merge import merge_notebooks

HELLO = {"output_type": "stream", "name": "stdout", "text": ["hello\n"]}
WORLD = {"output_type": "display_data", "data": {"text/plain": "world"}, "metadata": {}}
LINES = "a = 1\nb = 2\nc = 3\nd = 4\ne = 5"


def code(id_: str | None, source: str, *outputs: Any, count: int | None = None, **metadata: Any) -> dict[str, Any]:
    named = {} if id_ is None else {"id": id_}
    return {
        "cell_type": "code",
        "execution_count": count,
        **named,
        "metadata": metadata,
        "outputs": list(outputs),
        "source": source.splitlines(keepends=True),
    }


def text(id_: str, source: str, **more: Any) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": id_, "metadata": {}, "source": source.splitlines(keepends=True), **more}


def notebook(*cells: dict[str, Any], minor: int = 5, **metadata: Any) -> bytes:
    value = {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": minor}
    return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"


def merged(base: bytes | None, ours: bytes, theirs: bytes) -> dict[str, Any]:
    result = merge_notebooks(base, ours, theirs)
    assert result.conflicts == ()
    assert result.content is not None
    value: dict[str, Any] = json.loads(result.content)
    nbformat.validate(nbformat.from_dict(value))
    ids = [each["id"] for each in value["cells"] if "id" in each]
    assert len(set(ids)) == len(ids)
    return value


def conflicts(base: bytes | None, ours: bytes, theirs: bytes) -> str:
    result = merge_notebooks(base, ours, theirs)
    assert result.content is None
    assert result.conflicts
    return " ".join(result.conflicts)


def sources(value: dict[str, Any]) -> list[str]:
    return ["".join(each["source"]) for each in value["cells"]]


BASE = notebook(code("a", "x = 1"), code("b", LINES), text("c", "# words"))


def test_what_only_one_side_changed_is_taken() -> None:
    changed = notebook(code("a", "x = 2", HELLO, count=1), code("b", LINES), text("c", "# words"))
    assert merged(BASE, BASE, changed) == json.loads(changed)
    assert merge_notebooks(BASE, changed, BASE).content == changed
    assert merge_notebooks(BASE, changed, changed).content == changed


def test_the_notebook_that_launched_the_task_has_gone_on() -> None:
    base = notebook(code("a", "x = 1"), code("b", "%%task\nPlot x", count=1))
    ours = notebook(
        code("a", "x = 1", HELLO, count=4),
        code("b", "%%task\nPlot x", WORLD, count=5),
        code("n", "%%task\nNow y", count=6),
    )
    theirs = notebook(code("a", "x = 1"), code("t", "plot(x)", WORLD, count=2), code("b", "%%task\nPlot x", count=1))
    value = merged(base, ours, theirs)
    assert sources(value) == ["x = 1", "plot(x)", "%%task\nPlot x", "%%task\nNow y"]
    assert [each["execution_count"] for each in value["cells"]] == [4, 2, 5, 6]
    assert value["cells"][0]["outputs"] == [HELLO]
    content = merge_notebooks(base, ours, theirs).content or b""
    untouched = json.dumps(code("n", "%%task\nNow y", count=6), indent=1).replace("\n", "\n  ").encode()
    assert untouched in content, "what did not change keeps its bytes"


def test_both_added_keeps_both_ours_first() -> None:
    base = notebook(code("a", "1"), code("z", "9"))
    ours = notebook(code("a", "1"), code("o", "mine"), code("z", "9"), code("p", "mine too"))
    theirs = notebook(code("s", "at the top"), code("a", "1"), code("t", "its"), code("u", "more"), code("z", "9"))
    assert sources(merged(base, ours, theirs)) == ["at the top", "1", "mine", "its", "more", "9", "mine too"]
    alike = notebook(code("a", "1"), code("q", "mine"), code("z", "9"))
    assert sources(merged(base, ours, alike)) == ["1", "mine", "9", "mine too"]


def test_moves() -> None:
    base = notebook(*(code(each, f"{each} = 1") for each in "abcd"))
    theirs = notebook(*(code(each, f"{each} = 1") for each in "bcda"))
    ours = notebook(code("a", "a = 2"), *(code(each, f"{each} = 1") for each in "bcd"))
    assert sources(merged(base, ours, theirs)) == ["b = 1", "c = 1", "d = 1", "a = 2"]
    mine = notebook(*(code(each, f"{each} = 1") for each in "bacd"))
    assert sorted(sources(merged(base, mine, theirs))) == ["a = 1", "b = 1", "c = 1", "d = 1"]


def test_deletions() -> None:
    without = notebook(code("b", LINES), text("c", "# words"))
    ran = notebook(code("a", "x = 1", HELLO, count=3), code("b", LINES), text("c", "# more words"))
    assert sources(merged(BASE, without, ran)) == [LINES, "# more words"]
    assert sources(merged(BASE, ran, without)) == [LINES, "# more words"]
    changed = notebook(code("a", "x = 2"), code("b", LINES), text("c", "# words"))
    assert conflicts(BASE, without, changed) == 'Cell 1 ("x = 2") was deleted here and changed by the agent.'
    assert conflicts(BASE, changed, without) == 'Cell 1 ("x = 2") was changed here and deleted by the agent.'


def test_a_source_changed_on_both_sides_is_merged_by_line() -> None:
    ours = notebook(code("a", "x = 1"), code("b", "a = 0\nb = 2\nc = 3\nd = 4\ne = 5", HELLO, count=7), text("c", "#"))
    theirs = notebook(code("a", "x = 1"), code("b", LINES + "\nf = 6", WORLD, count=8), text("c", "# words"))
    value = merged(BASE, ours, theirs)
    assert sources(value)[1] == "a = 0\nb = 2\nc = 3\nd = 4\ne = 5\nf = 6"
    assert value["cells"][1]["outputs"] == []
    assert value["cells"][1]["execution_count"] is None
    clash = notebook(code("a", "x = 1"), code("b", LINES.replace("a = 1", "a = 9")), text("c", "# words"))
    assert conflicts(BASE, ours, clash) == 'Cell 2 ("a = 0") was changed in the same lines here and by the agent.'


def test_outputs_belong_to_the_source() -> None:
    ours = notebook(code("a", "x = 1", HELLO, count=1), code("b", LINES, count=2), text("c", "# words"))
    theirs = notebook(code("a", "x = 1", WORLD, count=9), code("b", "new", WORLD, count=8), text("c", "# words"))
    value = merged(BASE, ours, theirs)
    assert (value["cells"][0]["outputs"], value["cells"][0]["execution_count"]) == ([HELLO], 1), "both ran it"
    assert (value["cells"][1]["outputs"], value["cells"][1]["execution_count"]) == ([WORLD], 8)
    elsewhere = notebook(code("a", "x = 1"), code("b", LINES), text("c", "# other words"))
    only_theirs = merged(BASE, elsewhere, theirs)
    assert only_theirs["cells"][0]["outputs"] == [WORLD], "only the agent ran it"


def test_a_cell_of_another_kind() -> None:
    theirs = notebook(code("a", "x = 1"), text("b", LINES), code("c", "# words", HELLO))
    ours = notebook(code("a", "x = 2"), code("b", LINES, HELLO, count=1), text("c", "# words"))
    value = merged(BASE, ours, theirs)
    assert [each["cell_type"] for each in value["cells"]] == ["code", "markdown", "code"]
    assert "outputs" not in value["cells"][1]
    assert value["cells"][2]["outputs"] == [HELLO]


def test_metadata_by_key() -> None:
    kernel = {"name": "python3", "display_name": "Python 3"}
    base = notebook(code("a", "1", tags=["x"]), kernelspec=kernel, title="one")
    ours = notebook(code("a", "1", tags=["x", "y"], collapsed=True), kernelspec={**kernel, "name": "mine"}, title="one")
    theirs = notebook(
        code("a", "1", tags=["z"], collapsed=False, slide={"kind": "sub"}),
        kernelspec={**kernel, "name": "its"},
        title="two",
        widgets={"state": {"a": 1}},
    )
    value = merged(base, ours, theirs)
    assert value["metadata"] == {
        "kernelspec": {**kernel, "name": "mine"},
        "title": "two",
        "widgets": {"state": {"a": 1}},
    }
    assert value["cells"][0]["metadata"] == {"tags": ["y", "z"], "collapsed": True, "slide": {"kind": "sub"}}
    told = conflicts(base, notebook(code("a", "1", tags=["x"]), title="mine"), theirs)
    assert told == '"title" in the notebook\'s metadata was changed here and by the agent.'
    nested = [notebook(code("a", "1", slide={"kind": each})) for each in ("one", "two", "{three}")]
    assert '"slide.kind" in the metadata of Cell 1 ("1")' in conflicts(nested[0], nested[1], nested[2])


def test_nothing_vouches_for_the_result() -> None:
    theirs = notebook(code("a", "x = 2", trusted=True), code("b", LINES, trusted=True), signature="sha256:1")
    ours = notebook(code("a", "x = 1"), code("b", LINES), text("c", "# mine"), code("n", "", trusted=True))
    base = notebook(code("a", "x = 1"), code("b", LINES))
    result = merge_notebooks(base, ours, theirs)
    assert result.content is not None
    assert b"trusted" not in result.content
    assert b"signature" not in result.content


def test_attachments() -> None:
    base = notebook(text("c", "![](a)", attachments={"a": {"image/png": "AA"}}))
    ours = notebook(text("c", "![](a)", attachments={"a": {"image/png": "BB"}}))
    theirs = notebook(text("c", "![](b)", attachments={"a": {"image/png": "AA"}, "b": {"image/png": "CC"}}))
    value = merged(base, ours, theirs)
    assert value["cells"][0]["attachments"] == {"a": {"image/png": "BB"}, "b": {"image/png": "CC"}}
    other = notebook(text("c", "![](a)", attachments={"a": {"image/png": "DD"}}))
    assert 'The file "a.image/png" in Cell 1' in conflicts(base, ours, other)


def test_without_ids_and_across_versions() -> None:
    base = notebook(code(None, "x = 1"), code(None, "y = 1"), minor=4)
    ours = notebook(code(None, "x = 1", HELLO, count=1), code(None, "y = 1"), code(None, "mine"), minor=4)
    theirs = notebook(code("p", "x = 1"), code("q", "y = 2"), code("r", "its"))
    value = merged(base, ours, theirs)
    assert value["nbformat_minor"] == 5
    assert sources(value) == ["x = 1", "y = 2", "mine", "its"]
    assert [each["id"] for each in value["cells"]][:2] == ["p", "q"]
    older = notebook(code(None, "x = 3"), code(None, "y = 1"), minor=4)
    value = merged(base, ours, older)
    assert value["nbformat_minor"] == 4
    assert not any("id" in each for each in value["cells"])
    future = merged(base, ours, notebook(code("p", "x = 1"), code("q", "y = 2"), minor=99))
    assert future["nbformat_minor"] == 5


def test_without_a_base() -> None:
    ours = notebook(code("a", "x = 1", HELLO), code("o", "mine"))
    theirs = notebook(code("a", "x = 1"), code("t", "its"))
    assert sources(merged(None, ours, theirs)) == ["x = 1", "mine", "its"]
    assert "Cell 1" in conflicts(None, ours, notebook(code("a", "x = 2")))


def test_what_the_agent_wrote_is_made_valid() -> None:
    bad = {"output_type": "stream", "name": 1, "text": {}}
    odd = {
        "cell_type": "code",
        "id": "a",
        "source": "new",
        "metadata": {"tags": "no", "collapsed": 1, "kept": 1},
        "outputs": [bad, HELLO, 3, {"output_type": "pyout"}, {"output_type": "display_data", "data": {}}],
        "evil": 1,
        "execution_count": -1,
    }
    bare = [{"cell_type": "code", "source": "bare", "id": "a"}, {"cell_type": "markdown", "outputs": [], "id": "!"}]
    ours = notebook(code("a", "x = 1"), code("b", LINES), text("c", "# my words"))
    theirs = notebook(odd, *bare, code("b", LINES), text("c", "# words"), kernelspec=7, language_info={"version": "3"})
    value = merged(BASE, ours, theirs)
    assert value["cells"][0]["outputs"] == [HELLO, {"output_type": "display_data", "data": {}, "metadata": {}}]
    assert value["cells"][0]["metadata"] == {"kept": 1}
    assert sources(value) == ["new", "bare", "", LINES, "# my words"]
    assert value["metadata"] == {}


@pytest.mark.parametrize(
    ("theirs", "why"),
    [
        (b"<<<<<<< ours", "The notebook of the agent is no JSON object."),
        (b'{"cells":' + b"[" * 200_000, "The notebook of the agent is nested too deeply."),
        (notebook(code("a", "x", slide=1))[:-3], "The notebook of the agent is no valid JSON."),
    ],
)
def test_what_cannot_be_read_is_a_conflict(theirs: bytes, why: str) -> None:
    ours = notebook(code("a", "x = 3"))
    assert conflicts(BASE, ours, theirs) == why
    assert "The notebook of yours" in conflicts(BASE, b"{}", BASE + b" ")


def test_deep_values_and_infinity_are_conflicts_not_crashes() -> None:
    deep = notebook(code("a", "x = 2", slide="@")).replace(b'"@"', b"[" * 600 + b"]" * 600)
    ours = notebook(code("a", "x = 1"), code("b", LINES), text("c", "# mine"))
    result = merge_notebooks(BASE, ours, deep)
    assert result.content is None or read_notebook(result.content)
    endless = notebook(code("a", "x = 2", slide="@"), code("b", LINES), text("c", "# words")).replace(b'"@"', b"1e999")
    assert "a number that JSON cannot hold" in conflicts(BASE, ours, endless)


def test_many_conflicts_are_cut() -> None:
    count = notebook_merge.MOST_CONFLICTS + 5
    versions = [notebook(*(code(f"c{n}", f"{word} {n}") for n in range(count))) for word in ("a", "b", "c")]
    result = merge_notebooks(versions[0], versions[1], versions[2])
    assert len(result.conflicts) == notebook_merge.MOST_CONFLICTS + 1
    assert result.conflicts[-1] == "And 5 more."


# ---------------------------------------------------------------- lines


@given(st.lists(st.integers(0, 4), max_size=12), st.lists(st.integers(0, 4), max_size=12))
def test_common_is_a_longest_common_subsequence(old: list[int], new: list[int]) -> None:
    pairs = common(old, new)
    assert all(old[a] == new[b] for a, b in pairs)
    assert all(x[0] < y[0] and x[1] < y[1] for x, y in itertools.pairwise(pairs))
    table = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i, a in enumerate(old):
        for j, b in enumerate(new):
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
    assert len(pairs) == table[-1][-1]


def test_common_gives_up_in_time() -> None:
    many = 20 * MOST_EDITS
    assert common([*range(many), -1], [*range(many, 2 * many), -1]) == [(many, many)]


@given(st.permutations(range(8)))
def test_rising_keeps_as_many_as_can_be(numbers: list[int]) -> None:
    kept = [each for each in numbers if each in rising(numbers)]
    assert kept == sorted(kept)
    best = max(len(run) for run in _runs(numbers))
    assert len(kept) == best


def _runs(numbers: list[int]) -> list[list[int]]:
    found: list[list[int]] = [[]]
    for each in numbers:
        found += [[*run, each] for run in found if not run or run[-1] < each]
    return found


LINE = st.sampled_from(["a", "b", "c", "d", ""])


@given(st.lists(LINE, max_size=6), st.lists(LINE, max_size=6), st.lists(LINE, max_size=6))
def test_lines_merge_alike_from_either_side(old: list[str], here: list[str], there: list[str]) -> None:
    base, ours, theirs = ("\n".join(each) for each in (old, here, there))
    assert merge_lines(base, ours, theirs) == merge_lines(base, theirs, ours)
    assert merge_lines(base, ours, base) == ours
    assert merge_lines(base, base, theirs) == theirs
    assert merge_lines(base, ours, ours) == ours


# ---------------------------------------------------------------- anything


@st.composite
def edited(draw: st.DrawFn, cells: list[tuple[str, str]], side: str, kinds: list[str]) -> list[tuple[str, str]]:
    """Some cells after a few edits of a person or an agent."""
    found = list(cells)
    for number in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(found) - 1)))
        match draw(st.sampled_from(kinds)):
            case "insert":
                name = f"n{side}{number}"
                found.insert(at, (name, f"{draw(SOURCE)}\n# {name}"))
            case "delete" if found:
                del found[at]
            case "change" if found:
                lines = found[at][1].split("\n")
                lines[draw(st.integers(0, len(lines) - 1))] = draw(st.sampled_from(["edited", "other", "third"]))
                found[at] = (found[at][0], "\n".join(lines))
            case "append" if found:
                found[at] = (found[at][0], found[at][1] + "\n" + draw(SOURCE))
            case "move" if found:
                found.insert(draw(st.integers(0, len(found) - 1)), found.pop(at))
    return found


SOURCE = st.lists(
    st.sampled_from(["import numpy", "x = 1", "y = 2", "print(x)", "# why", ""]), min_size=1, max_size=6
).map("\n".join)
CELLS = st.lists(SOURCE, min_size=1, max_size=6).map(lambda found: [(f"c{n}", each) for n, each in enumerate(found)])
EDITS = ["insert", "delete", "change", "append"]


def versions_with(kinds: list[str]) -> st.SearchStrategy[Any]:
    """A notebook's cells: as they were, the user's and the agent's."""
    return CELLS.flatmap(lambda cells: st.tuples(st.just(cells), edited(cells, "o", kinds), edited(cells, "t", kinds)))


def _written(cells: list[tuple[str, str]], minor: int = 5) -> bytes:
    return notebook(*(code(name if minor >= 5 else None, source) for name, source in cells), minor=minor)


@settings(max_examples=examples(150))
@given(versions_with([*EDITS, "move"]), st.sampled_from([4, 5]))
def test_any_merge_is_valid_or_says_why(versions: Any, minor: int) -> None:
    base, ours, theirs = (_written(each, minor) for each in versions)
    result = merge_notebooks(base, ours, theirs)
    assert (result.content is None) == bool(result.conflicts)
    if result.content is not None:
        value = merged(base, ours, theirs)
        assert "<<<<" not in result.content.decode()
        found = "\n".join(sources(value))
        for name, source in (*versions[1], *versions[2]):  # nothing that either side added is lost
            if f"# {name}" in source:
                assert f"# {name}" in found


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=6,
)
_OUTPUT = st.fixed_dictionaries(
    {"output_type": st.sampled_from(["stream", "error", "display_data", "execute_result", "x"])},
    optional=dict.fromkeys(("name", "text", "data", "metadata", "execution_count", "ename", "more"), _JSON),
)
_CELL = st.fixed_dictionaries(
    {
        "cell_type": st.sampled_from(["code", "markdown", "raw"]),
        "source": st.text(max_size=5) | st.lists(st.text(max_size=4)),
    },
    optional={
        "id": st.sampled_from(["a", "b", "c", "!", "", 3]),
        "metadata": _JSON | st.dictionaries(st.sampled_from(["tags", "name", "jupyter", "trusted", "scrolled"]), _JSON),
        "outputs": st.lists(_OUTPUT, max_size=2) | _JSON,
        "execution_count": _JSON,
        "attachments": _JSON,
    },
)


@settings(max_examples=examples(200))
@given(
    st.lists(_CELL, max_size=5),
    st.dictionaries(st.sampled_from(["kernelspec", "title", "authors", "x"]), _JSON),
    st.sampled_from([4, 5, 7]),
)
def test_whatever_the_agent_wrote_the_result_is_valid(cells: list[Any], metadata: dict[str, Any], minor: int) -> None:
    ours = notebook(code("a", "x = 1"), code("b", LINES), text("c", "# mine"))
    result = merge_notebooks(BASE, ours, notebook(*cells, minor=minor, **metadata).replace(b"Infinity", b"1e999"))
    if result.content is not None:
        merged(BASE, ours, notebook(*cells, minor=minor, **metadata))


def test_where_nbdime_merges_so_do_we() -> None:
    pytest.importorskip("nbdime")
    from nbdime.merging.notebooks import apply_decisions, decide_notebook_merge

    logging.getLogger("nbdime").setLevel(logging.CRITICAL)

    @settings(max_examples=examples(60))
    @given(versions_with(EDITS))  # it knows no moves: it drops or doubles a cell that was moved and changed
    def compare(versions: Any) -> None:
        base, ours, theirs = (_written(each) for each in versions)
        read = [nbformat.reads(each.decode(), as_version=4) for each in (base, ours, theirs)]
        decisions = decide_notebook_merge(*read)
        if not any(each.conflict for each in decisions):
            expected = [each["source"] for each in apply_decisions(read[0], decisions)["cells"]]
            assert sources(merged(base, ours, theirs)) == expected

    compare()
