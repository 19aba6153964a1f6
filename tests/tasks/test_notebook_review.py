"""Changed notebooks are in a review once more, by cell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_tasks.clock import SystemClock
from jupyter_tasks.tasks import review_notebooks
from jupyter_tasks.tasks.review import Review


def notebook(**sources: str) -> str:
    cells = [
        {"cell_type": "code", "id": name, "metadata": {}, "source": source, "outputs": [], "execution_count": None}
        for name, source in sources.items()
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "workspaces" / "w" / "project"
    top.mkdir(parents=True)
    return top


@pytest.fixture
def review(tmp_path: Path) -> Review:
    return Review(tmp_path / "reviews" / "w.git", SystemClock())


@pytest.mark.anyio
async def test_each_changed_notebook_by_cell(review: Review, tree: Path) -> None:
    long = {f"c{number}": f"value = {number}" for number in range(20)}
    (tree / "a.ipynb").write_text(notebook(a="1", b="2"))
    (tree / "gone.ipynb").write_text(notebook(a="x"))
    (tree / "old.ipynb").write_text(notebook(**long))
    (tree / "same.ipynb").write_text(notebook(a="1"))
    (tree / "turns.ipynb").write_text(notebook(a="turns"))
    (tree / "text.txt").write_text("1")
    await review.take_base(tree)
    assert (await review.diff(tree)).notebooks == []
    (tree / "text.txt").write_text("2")
    assert (await review.diff(tree)).notebooks == []
    (tree / "a.ipynb").write_text(notebook(a="1", b="3"))
    (tree / "gone.ipynb").unlink()
    (tree / "old.ipynb").unlink()
    (tree / "new.ipynb").write_text(notebook(**{**long, "c3": "other"}))
    (tree / "bad.ipynb").write_text("<<<<<<< ours")
    (tree / "turns.ipynb").unlink()
    (tree / "turns.ipynb").symlink_to("same.ipynb")
    found = {each.path: each for each in (await review.diff(tree)).notebooks}
    assert {path: [(cell.kind, cell.id) for cell in each.cells] for path, each in found.items()} == {
        "a.ipynb": [("modified", "b")],
        "bad.ipynb": [],
        "gone.ipynb": [("deleted", "a")],
        "new.ipynb": [("modified", "c3")],
        "turns.ipynb": [("deleted", "a")],
    }
    assert found["bad.ipynb"].error == "The newer notebook is no JSON object."
    assert (found["a.ipynb"].cells[0].old_source, found["a.ipynb"].cells[0].new_source) == ("2", "3")


@pytest.mark.anyio
async def test_number_and_size_are_bounded(review: Review, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await review.take_base(tree)
    for number in range(review_notebooks.MOST_NOTEBOOKS + 3):
        (tree / f"{number:02}.ipynb").write_text(notebook(a=str(number)))
    monkeypatch.setattr(review_notebooks, "MOST_BYTES", 1 << 10)
    (tree / "00.ipynb").write_text(notebook(a="x" * (2 << 10)))
    (tree / "01.ipynb").write_bytes(b" " * (33 << 20))
    found = (await review.diff(tree)).notebooks
    assert len(found) == review_notebooks.MOST_NOTEBOOKS
    assert [each.error for each in found[:3]] == ["The notebook is larger than 20 MB."] * 2 + [None]
