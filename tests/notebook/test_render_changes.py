"""Words for amounts, projects and changes: by cell, bounded, and nothing foreign gets out of its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from test_render import ALLOWED, Tags

from jupyter_tasks import models
from jupyter_tasks.notebook import amounts, project_words, render, render_changes
from jupyter_tasks.notebook.cell_lines import cell_lines, without
from jupyter_tasks.notebook.render_views import Applied, Diff, Keys, Project, Pruned, Undone


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (9_949, "9.9 kB"), (9_990, "10 kB"), (12_345_678, "12 MB"),
        (999_400, "999 kB"), (999_999, "1.0 MB"), (5 * 10**9, "5.0 GB"), (7 * 10**15, "7,000 TB"),
    ],
)  # fmt: skip
def test_sizes(number: int, words: str) -> None:
    assert amounts.size(number) == words


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
        ("0.01234", "USD", "$0.0123"), ("1234.5", "USD", "$1,234.50"), ("0", "USD", "$0.0000"),
        ("2", "EUR", "2.00 EUR"), ("much", "USD", ""), ("NaN", "USD", ""), ("Infinity", "USD", ""),
    ],
)  # fmt: skip
def test_money(amount: str, currency: str, words: str) -> None:
    assert amounts.money(models.Cost(amount=amount, currency=currency)) == words


def test_nothing_known_is_nothing_said() -> None:
    assert (amounts.money(None), amounts.tokens(None), amounts.tokens(models.TokenUsage())) == ("", "", "")
    assert amounts.tokens(models.TokenUsage(input=1, cache_read=2, cache_write=1_000, output=4)) == "1,003 in, 4 out"


def test_a_project_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert project_words.home_short("/home/ada") == "~"
    assert project_words.home_short("/home/adam/x") == "/home/adam/x"
    info = models.ProjectInfo(kind="git", root="/home/ada/app", head="0123456789abcdef", files=1, bytes=10)
    assert project_words.summary(info) == "1 file, 10 B from ~/app (detached at 012345678)"
    assert project_words.lines(models.ProjectInfo()) == ["In the workspace: no files of yours"]
    left = [models.LeftOut(path=f"f{number}", reason="") for number in range(9)]
    told = project_words.lines(info.model_copy(update={"left_out": left, "left_out_count": 1_200}))
    assert told[1] == "Left out: f0, f1, f2, f3, f4 … (1,200)"


# ---------------------------------------------------------------- by cell


def change(**more: Any) -> models.CellChange:
    return models.CellChange.model_validate({"id": "a", "kind": "modified", "cell_type": "code", **more})


def test_cells_as_lines() -> None:
    notebook = models.NotebookDiff(
        path="n.ipynb",
        cells=[
            change(kind="added", new_index=0, new_source="x = 1\ny = 2"),
            change(kind="deleted", old_index=4, old_source="old"),
            change(kind="moved", old_index=1, new_index=2, cell_type="markdown"),
            change(old_index=5, new_index=6, old_source="a\nb", new_source="a\nc", outputs_changed=True),
        ],
        outputs_only=1,
    )
    assert list(cell_lines(notebook)) == [
        ("file", "notebook n.ipynb"),
        ("cell", "cell 1 · code · added"),
        ("added", "+x = 1"),
        ("added", "+y = 2"),
        ("cell", "cell 5 · code · deleted"),
        ("deleted", "-old"),
        ("cell", "cell 2 → 3 · markdown · moved"),
        ("cell", "cell 7 · code · modified"),
        ("at", "@@ -1,2 +1,2 @@"),
        ("same", " a"),
        ("deleted", "-b"),
        ("added", "+c"),
        ("note", "outputs changed"),
        ("note", "only the outputs of 1 cell changed"),
    ]


def test_a_huge_cell_is_not_compared_line_by_line() -> None:
    cell = change(old_index=0, new_index=0, old_source="a\n" * 50_000, new_source="b\n" * 50_000)
    kinds = [kind for kind, _ in cell_lines(models.NotebookDiff(path="n", cells=[cell]))]
    assert kinds.count("deleted") == kinds.count("added") == 50_001


PART = "diff --git a/{0} b/{0}\n--- a/{0}\n+++ b/{0}\n@@ -1 +1 @@\n-1\n+2\n"


def test_notebooks_are_taken_out_of_a_patch() -> None:
    one, two, three = (PART.format(name) for name in ("a.py", "d/n.ipynb", "z.py"))
    assert without(one + two + three, ["d/n.ipynb"]) == one + three
    assert without(two, ["d/n.ipynb"]) == ""
    assert without(one + two, []) == one + two
    assert without(one + two, ["n.ipynb", "py"]) == one + two
    gone = "diff --git a/n.ipynb b/n.ipynb\ndeleted file mode 100644\n--- a/n.ipynb\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n"
    assert without(gone, ["n.ipynb"]) == ""


def test_names_that_git_quotes() -> None:
    quoted = '"a/\\303\\266 \\"x\\"\\n\\t\\\\.ipynb"'
    patch = f"diff --git {quoted} {quoted}\n--- {quoted}\n+++ {quoted.replace('a/', 'b/')}\n@@ -1 +1 @@\n-1\n+2\n"
    assert without(patch, ['ö "x"\n\t\\.ipynb']) == ""
    assert without(patch, ["x.ipynb"]) == patch


def test_content_cannot_pose_as_a_header() -> None:
    patch = PART.format("a.py") + " diff --git a/n.ipynb b/n.ipynb\n+--- a/n.ipynb\n++++ b/n.ipynb\n"
    assert without(patch, ["n.ipynb"]) == patch


@given(st.text(alphabet='ab/+-"\\\n@ 01', max_size=80))
@settings(max_examples=examples(300))
def test_any_patch_can_be_read_and_loses_nothing_unasked(text: str) -> None:
    patch = f"diff --git a/x b/x\n{text}\ndiff --git a/y b/y\n{text}\n"
    assert without(patch, []) == patch
    assert without(patch, ["not in it"]) == patch


# ---------------------------------------------------------------- everything is escaped


def hostile(text: str) -> list[Any]:
    file = models.AppliedFile(path=text, action="conflict", detail=text, runnable=text)
    taken = models.AppliedFile(path=text, action="added")
    cell = change(old_index=0, new_index=0, old_source="a", new_source=text, cell_type=text)
    notebooks = [
        models.NotebookDiff(path=text, cells=[cell], metadata_changed=True),
        models.NotebookDiff(path=text, error=text),
    ]
    pruned = models.PrunedTask(id="1", name="a", action="delete", reason=text, bytes=1)
    key = models.Key(provider=text, kind="api_key", source="file", variable=text, base_url=text)
    diffs = Diff(files=[], additions=0, deletions=0, patch=text, notebooks=notebooks)
    return [
        diffs,
        Applied(applied=False, target=text, files=[file, taken]),
        Applied(applied=True, target=text, files=[taken], branch=text, commit=text),
        Undone(undone=True, target=text, files=[file]),
        Project(kind="git", root=text, branch=text, files=1, notes=[text], mounts=[text], carried=[text]),
        Pruned(dry_run=True, tasks=[pruned]),
        Keys([key]),
    ]


@given(st.text() | st.just("<script>alert(1)</script>\x1b[2J\r\u202e\x9b&'\""))
def test_nothing_foreign_becomes_an_element_or_a_control(text: str) -> None:
    for face in hostile(text):
        html = face._repr_html_()
        if html is not None:
            found = Tags(html)
            assert found.tags <= ALLOWED
            assert found.attributes <= {"style", "scope"}
        words = str(face)
        assert not {c for c in words if ord(c) < 32} - {"\n", "\t"}
        assert not {"\x7f", "\x9b", "\u202e"} & set(words)


def test_a_diff_shows_cells_instead_of_json() -> None:
    cell = change(old_index=0, new_index=0, old_source="a", new_source="b")
    files = [models.DiffFile(path=name, status="modified", additions=1, deletions=1) for name in ("a.py", "n.ipynb")]
    patch = PART.format("a.py") + PART.format("n.ipynb").replace("+2", '+"cells"')
    diff = Diff(
        files=files,
        additions=2,
        deletions=2,
        patch=patch,
        notebooks=[models.NotebookDiff(path="n.ipynb", cells=[cell])],
    )
    assert '"cells"' not in str(diff)
    assert str(diff).endswith("+2\nnotebook n.ipynb\ncell 1 · code · modified\n@@ -1 +1 @@\n-a\n+b")
    html = str(diff._repr_html_())
    assert 'background:rgba(46,160,67,.18);display:block">+b<' in html
    broken = diff.model_copy(update={"notebooks": [models.NotebookDiff(path="n.ipynb", error="It is no JSON.")]})
    assert '"cells"' in str(broken)
    assert "n.ipynb is shown as text: It is no JSON." in str(broken)


def test_a_long_diff_is_cut() -> None:
    cell = change(kind="added", new_index=0, new_source="x" * 150_000)
    notebooks = [models.NotebookDiff(path=f"{n}.ipynb", cells=[cell]) for n in range(3)]
    diff = models.DiffResponse(files=[], additions=0, deletions=0, patch="+y" * 20_000, notebooks=notebooks)
    text = render_changes.diff_text(diff)
    assert len(text) < 250_000
    assert text.endswith("[there is more than what is shown]")


def test_usage_has_tokens_where_there_are_any() -> None:
    from datetime import datetime, timezone

    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    usage = models.UsageResponse(actual=1, included=2, period=models.Period(start=now, end=now))
    assert "Tokens" not in render.usage_text(usage)
    spent = {"tokens": models.TokenUsage(input=5, output=6), "cost": models.Cost(amount="3")}
    assert "Tokens: 5 in, 6 out · $3.00." in render.usage_text(usage.model_copy(update=spent))


def test_home_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    assert project_words.home_short(str(Path.home() / "x")) == "~/x"
