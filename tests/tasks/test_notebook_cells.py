"""A notebook is read, and written as it was."""

from __future__ import annotations

import contextlib
import json

import nbformat
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from jupyter_tasks.errors import InvalidInput
from jupyter_tasks.tasks import notebook_cells
from jupyter_tasks.tasks.notebook_cells import read_notebook, write_notebook


def _written(content: bytes) -> bytes:
    notebook = read_notebook(content)
    return write_notebook(notebook, [notebook.written(each) for each in notebook.cells], dict(notebook.metadata))


def _dumped(content: bytes) -> bytes:
    """Every cell written anew."""
    notebook = read_notebook(content)
    return write_notebook(notebook, [notebook.style.dump(each.value, 2) for each in notebook.cells])


def _notebook() -> dict[str, object]:
    cells = [
        new_markdown_cell("# Größe ✓\n\ntext", id="first"),
        new_code_cell("x = 1\nprint(x)\n", id="second", metadata={"tags": ["a"]}, execution_count=3),
        new_code_cell("", id="third"),
    ]
    found: dict[str, object] = json.loads(
        nbformat.writes(
            new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
        )
    )
    return found


JUPYTER = nbformat.writes(nbformat.from_dict(_notebook())).encode() + b"\n"
STYLES = {
    "jupyter": JUPYTER,
    "no newline at the end": JUPYTER[:-1],
    "two spaces": json.dumps(_notebook(), indent=2, ensure_ascii=False).encode(),
    "tabs": json.dumps(_notebook(), indent="\t").encode(),
    "escaped": json.dumps(_notebook(), indent=1).encode(),
    "one line": json.dumps(_notebook()).encode(),
    "compact": json.dumps(_notebook(), separators=(",", ":"), ensure_ascii=False).encode(),
    "crlf": JUPYTER.replace(b"\n", b"\r\n"),
    "order of its own": json.dumps(dict(reversed(_notebook().items())), indent=4).encode(),
    "byte order mark": b"\xef\xbb\xbf" + JUPYTER,
}


@pytest.mark.parametrize("content", STYLES.values(), ids=STYLES.keys())
def test_what_is_not_changed_keeps_its_bytes(content: bytes) -> None:
    assert _written(content) == content
    assert _dumped(content) == content


def test_odd_formatting_keeps_its_bytes_where_nothing_changed() -> None:
    cell = b'{"cell_type":"raw"\n,"source":"a"}'
    odd = b'{ "nbformat":4 , "metadata" : { "x" : 1.50e3 }, "cells":[ %b ],"nbformat_minor":4}' % cell
    assert _written(odd) == odd
    notebook = read_notebook(odd)
    changed = write_notebook(notebook, [notebook.written(notebook.cells[0])] * 2)
    assert changed.count(cell) == 2
    assert b"1.50e3" in changed


def test_source_as_string_or_list() -> None:
    text = '{"cells":[{"cell_type":"code","source":%s}],"metadata":{},"nbformat":4,"nbformat_minor":4}'
    listed, plain = (read_notebook((text % each).encode()) for each in ('["a\\n","b"]', '"a\\nb"'))
    assert listed.cells[0].source == plain.cells[0].source == "a\nb"
    assert listed.style.lines("c\nd") == ["c\n", "d"]
    assert plain.style.lines("c\nd") == "c\nd"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no valid JSON"),
        (b"[]", "no JSON object"),
        (b"{", "no valid JSON"),
        (b"\xff\xfe", "UTF-8"),
        (b'{"nbformat":4,"nbformat_minor":5,"metadata":{}}', "no list of cells"),
        (b'{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":{}}', "no list of cells"),
        (b'{"nbformat":4,"nbformat_minor":5,"cells":[]}', "no metadata"),
        (b'{"nbformat":3,"nbformat_minor":0,"metadata":{},"worksheets":[]}', "nbformat 3"),
        (b'{"nbformat":true,"nbformat_minor":0,"metadata":{},"cells":[]}', "which nbformat"),
        (b'{"nbformat":4,"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[]}', "twice"),
        (b'{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[]} x', "no valid JSON"),
        (b'{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[],}', "no valid JSON"),
        (b'{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[1]}', "cell of no known kind"),
        (b'{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[{"cell_type":"code","source":[1]}]}', "no text"),
        (b'{"nbformat":4,"nbformat_minor":5,"metadata":{"a":' + b"[" * 100_000, "nested too deeply"),
        (b'{"nbformat":4,"nbformat_minor":5,"metadata":{"a":' + b"9" * 10_000 + b'},"cells":[]}', "no valid JSON"),
    ],
)
def test_what_is_no_notebook_is_said_in_a_sentence(content: bytes, why: str) -> None:
    with pytest.raises(InvalidInput, match=why) as caught:
        read_notebook(content)
    assert caught.value.message.startswith("The notebook ")
    assert caught.value.message.endswith(".")


def test_size_and_number_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    many = ",".join(['{"cell_type":"raw","source":""}'] * (notebook_cells.MOST_CELLS + 1))
    with pytest.raises(InvalidInput, match="10,000 cells"):
        read_notebook(b'{"cells":[%b],"metadata":{},"nbformat":4,"nbformat_minor":4}' % many.encode())
    with pytest.raises(InvalidInput, match="too many values"):
        read_notebook(b"[" * (notebook_cells.MOST_VALUES + 1))
    with pytest.raises(InvalidInput, match="larger than"):
        read_notebook(bytes(notebook_cells.MOST_BYTES + 1))


def test_hostile_values_do_not_get_through() -> None:
    cells = (
        '{"cell_type":"code","id":"a","source":"x \\ud800 y","n":NaN},'
        '{"cell_type":"code","id":"a","source":"z"},{"cell_type":"code","id":"../b","source":""}'
    )
    notebook = read_notebook(f'{{"cells":[{cells}],"metadata":{{}},"nbformat":4,"nbformat_minor":5}}'.encode())
    assert [each.id for each in notebook.cells] == ["a", "", ""]
    assert notebook.cells[0].source == "x \ufffd y"
    assert notebook.cells[0].value["n"] is None
    notebook.style.dump(notebook.cells[0].value, 2).encode()
    with pytest.raises(InvalidInput, match="number"):
        notebook.style.dump(float("inf"), 2)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=8,
)


@settings(max_examples=examples(60))
@given(
    _JSON | st.fixed_dictionaries({"cells": _JSON, "metadata": _JSON, "nbformat": st.just(4), "nbformat_minor": _JSON})
)
def test_any_json_is_read_or_refused(value: object) -> None:
    content = json.dumps(value).encode()
    with contextlib.suppress(InvalidInput):
        assert _written(content) == content


@settings(max_examples=examples(100))
@given(st.data())
def test_damaged_bytes_are_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(JUPYTER)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.sampled_from(b'{}[]",:\\0aN\xff '))
    with contextlib.suppress(InvalidInput):
        assert _written(bytes(content)) == content
