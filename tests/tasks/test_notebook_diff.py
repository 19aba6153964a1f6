"""What changed in a notebook, by cell."""

from __future__ import annotations

import json
from typing import Any

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_tasks import models
from jupyter_tasks.tasks.notebook_cells import read_notebook
from jupyter_tasks.tasks.notebook_diff import MOST_SHOWN, diff_notebooks, match

HELLO = {"output_type": "stream", "name": "stdout", "text": ["a\n", "b"]}


def cell(id_: str, source: str, *outputs: Any, kind: str = "code", **metadata: Any) -> dict[str, Any]:
    named = {"id": id_} if id_ else {}
    return {"cell_type": kind, "metadata": metadata, "source": source, "outputs": list(outputs), **named}


def notebook(*cells: dict[str, Any], **metadata: Any) -> bytes:
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}).encode()


def told(found: models.NotebookDiff) -> list[tuple[Any, ...]]:
    assert found.error is None
    return [
        (each.kind, each.id, each.old_index, each.new_index, each.old_source, each.new_source) for each in found.cells
    ]


def test_each_kind_of_change() -> None:
    old = notebook(cell("a", "1"), cell("b", "2"), cell("c", "3"), cell("d", "4"), cell("e", "5"))
    new = notebook(cell("a", "1"), cell("n", "new"), cell("c", "33", HELLO), cell("e", "5"), cell("d", "4"))
    found = diff_notebooks("x.ipynb", old, new)
    assert told(found) == [
        ("added", "n", None, 1, None, "new"),
        ("deleted", "b", 1, None, "2", None),
        ("modified", "c", 2, 2, "3", "33"),
        ("moved", "d", 3, 4, "4", "4"),
    ]
    assert [each.outputs_changed for each in found.cells] == [False, False, True, False]
    assert (found.path, found.metadata_changed, found.outputs_only) == ("x.ipynb", False, 0)


def test_outputs_are_counted_not_listed() -> None:
    same = {**HELLO, "text": "a\nb"}
    old = notebook(cell("a", "1", HELLO), cell("b", "2"), cell("c", "3"))
    new = notebook(cell("a", "1", same), cell("b", "2", HELLO), {**cell("c", "3"), "execution_count": 4})
    found = diff_notebooks("x", old, new)
    assert (told(found), found.outputs_only) == ([], 2)


def test_metadata() -> None:
    old = notebook(cell("a", "1"), cell("b", "2"), kernelspec={"name": "a"})
    new = notebook(cell("a", "1", tags=["x"]), cell("b", "2", kind="markdown"), kernelspec={"name": "b"})
    found = diff_notebooks("x", old, new)
    assert found.metadata_changed
    assert [(each.kind, each.cell_type) for each in found.cells] == [("modified", "code"), ("modified", "markdown")]


def test_one_side_only() -> None:
    one = notebook(cell("a", "1"), cell("b", "2"), title="x")
    assert [each.kind for each in diff_notebooks("x", None, one).cells] == ["added", "added"]
    gone = diff_notebooks("x", one, None)
    assert [(each.kind, each.old_index) for each in gone.cells] == [("deleted", 0), ("deleted", 1)]
    assert not gone.metadata_changed
    assert told(diff_notebooks("x", None, None)) == []


def test_without_ids_cells_are_known_by_what_they_say() -> None:
    loop = "for each in everything:\n    print(each)\n    total += each"
    old = notebook(cell("", "import numpy"), cell("", loop), cell("", "done"))
    new = notebook(
        cell("", "import numpy"), cell("", "# first\nx = 1"), cell("", loop + "\nprint(total)"), cell("", "done")
    )
    assert [each[0] for each in told(diff_notebooks("x", old, new))] == ["added", "modified"]
    renamed = notebook(cell("p", "import numpy"), cell("q", loop + "\nprint(total)"), cell("r", "done"))
    ids = notebook(cell("a", "import numpy"), cell("b", loop), cell("c", "done"))
    assert [each[:2] for each in told(diff_notebooks("x", ids, renamed))] == [("modified", "q")]


@pytest.mark.parametrize(
    "bad", [b"{", b"\xff", b'{"a":' * 2000, b'{"cells":[],"metadata":{},"nbformat":3,"nbformat_minor":0}']
)
def test_what_cannot_be_read_is_said(bad: bytes) -> None:
    good = notebook(cell("a", "1"))
    found = diff_notebooks("x", good, bad)
    assert found.cells == []
    assert (found.error or "").startswith("The newer notebook ")
    assert (diff_notebooks("x", bad, good).error or "").startswith("The older notebook ")


def test_what_is_shown_is_bounded() -> None:
    found = diff_notebooks("x", None, notebook(cell("a", "x" * (MOST_SHOWN + 1))))
    assert found.cells == []
    assert found.error == "More has changed in the notebook than can be shown by cell."


def test_half_a_character_can_be_sent() -> None:
    found = diff_notebooks("x", None, notebook(cell("a", "\ud800!")))
    assert found.cells[0].new_source == "\ufffd!"
    assert found.model_dump_json()


SOURCES = st.lists(
    st.tuples(st.sampled_from(["", "a", "b", "c", "d"]), st.sampled_from(["", "x = 1", "y", "x = 1\ny"])), max_size=7
)


@settings(max_examples=examples(200))
@given(SOURCES, SOURCES)
def test_a_match_is_one_to_one_and_the_diff_complete(old: list[tuple[str, str]], new: list[tuple[str, str]]) -> None:
    before, after = (notebook(*(cell(*each) for each in side)) for side in (old, new))
    pairs = match(read_notebook(before).cells, read_notebook(after).cells)
    assert len(set(pairs.values())) == len(pairs)
    found = diff_notebooks("x", before, after)
    assert sum(each.kind == "added" for each in found.cells) == len(new) - len(pairs)
    assert sum(each.kind == "deleted" for each in found.cells) == len(old) - len(pairs)
    assert all(each.old_source != each.new_source for each in found.cells if each.kind == "modified")
    assert diff_notebooks("x", before, before).cells == []
