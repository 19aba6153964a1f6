"""The commands of daily work against a real engine socket: what they print, what they ask, their exit codes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from shell_engine import Shell

from jupyter_tasks import models

EVIL = "\x1b[2Jevil\nname"
APP = models.ProjectInfo(
    kind="git",
    root="/w/app",
    subdirectory="notebooks",
    head="0123456789abcdef",
    branch="main",
    files=1204,
    bytes=12_345_678,
    left_out=[models.LeftOut(path=".env", reason="may hold a secret"), models.LeftOut(path=EVIL, reason="a FIFO")],
    left_out_count=2,
    mounts=["/data/big"],
    carried=["CLAUDE.md", "skills"],
    notes=["A merge is in progress."],
)


def changed(path: str, action: Any = "modified", **more: Any) -> models.AppliedFile:
    return models.AppliedFile(path=path, action=action, **more)


@pytest.fixture
def purple(shell: Shell) -> Callable[..., models.Task]:
    def make(*files: models.AppliedFile, **changes: Any) -> models.Task:
        task = shell.create(**changes)
        return shell.do(shell.service.set_changes, task, files) if files else task  # type: ignore[no-any-return]

    return make


def last(shell: Shell, kind: str) -> Any:
    return next((call for call in reversed(shell.service.calls) if call[0] == kind), None)


# ---------------------------------------------------------------- create, project


def test_create_says_what_goes_in(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = (
        "create", "x", "--project", "sub/app", "--files", "*.csv", "--files", "data/**", "--mount", "big",
        "--carry", "skills", "--large",
    )  # fmt: skip
    assert shell.run(*words).code == 0
    asked = last(shell, "create")[2]
    assert asked.directory == str(tmp_path)
    assert (asked.project, asked.mounts) == (str(tmp_path / "sub/app"), [str(tmp_path / "big")])
    assert (asked.files, asked.carry, asked.large) == (["*.csv", "data/**"], ["skills"], True)
    assert shell.run("create", "x", "--project", "none", "--no-carry").code == 0
    asked = last(shell, "create")[2]
    assert (asked.project, asked.carry, asked.large) == ("none", [], False)
    assert shell.run("create", "x").code == 0
    asked = last(shell, "create")[2]
    assert (asked.project, asked.carry, asked.files) == (None, None, [])
    wrong = shell.run("create", "x", "--carry", "skills", "--no-carry")
    assert (wrong.code, "exclude each other" in wrong.err) == (2, True)


def test_follow_tells_what_went_in(shell: Shell) -> None:
    async def part(task: models.Task) -> None:
        await shell.service.followed.wait()
        shell.service.become(task, "idle", capabilities=models.Capabilities(diff=True, apply=True))

    shell.service.project = APP
    shell.service.on_create = part
    done = shell.run("create", "x", "--follow", "--name", "purple")
    assert done.code == 0, done
    assert "In the workspace: 1,204 files, 12 MB from /w/app (main)\n" in done.out
    assert "Left out: .env, evil?name (2)\n" in done.out
    assert "Note: A merge is in progress.\n" in done.out
    assert "\x1b" not in done.out
    assert "`jupyter tasks apply purple` takes this over" in done.err


def test_project_is_a_table(shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", "/w")
    monkeypatch.chdir(tmp_path)
    shell.service.project = APP
    done = shell.run("project", "app", "--files", "*.csv", "--left-out")
    assert done.code == 0, done
    request = last(shell, "survey")[1]
    assert (request.project, request.files) == (str(tmp_path / "app"), ["*.csv"])
    rows = dict(line.split("  ", 1) for line in done.out.split("\n\n")[0].splitlines() if not line.startswith(" "))
    assert {key: value.strip() for key, value in rows.items()} == {
        "kind": "git repository",
        "root": "~/app",
        "starts in": "notebooks",
        "branch": "main",
        "files": "1,204",
        "size": "12 MB",
        "left out": "2: .env, evil",
        "read-only": "/data/big",
        "set-up": "CLAUDE.md, skills",
        "notes": "A merge is in progress.",
    }
    assert "may hold a secret" in done.out
    assert "\x1b" not in done.out
    assert json.loads(shell.run("project", "--json").out)["files"] == 1204
    assert shell.run("project", "none").out == "kind  no files of yours\n"


# ---------------------------------------------------------------- apply


def test_apply_shows_each_file(shell: Shell, purple: Any) -> None:
    purple(changed("a.py"), changed("b.py", "added"), changed("n.ipynb", "merged"), changed("same", "unchanged"))
    done = shell.run("apply", "purple")
    assert done.code == 0, done
    assert done.out.endswith("Applied 3 files to /project.\n")
    assert "  modified  a.py\n  added     b.py\n  merged    n.ipynb\n" in done.out
    assert "same" not in done.out


def test_apply_takes_the_paths_and_can_be_undone(shell: Shell, purple: Any) -> None:
    task = purple(changed("src/a.py"), changed("b.py", "deleted"), project=APP)
    done = shell.run("apply", "purple", "./src/")
    assert (done.code, done.out) == (0, "  modified  src/a.py\nApplied 1 file to /project.\n"), done
    assert "apply purple --undo" in done.err
    request = last(shell, "apply")[3]
    assert (request.paths, request.accept_runnable, request.dry_run) == (["src"], False, False)
    assert shell.run("status", "purple", "-c", "unapplied").out == "UNAPPLIED\n1\n"
    back = shell.run("apply", "purple", "--undo")
    assert (back.code, back.out) == (0, "  modified  src/a.py\nTook back 1 file in /project.\n")
    assert last(shell, "undo")[2] == task.id
    assert shell.run("apply", "purple", "--undo").code == 5
    assert shell.run("apply", "purple", "/w/app/b.py").code == 0
    assert last(shell, "apply")[3].paths == ["b.py"]
    elsewhere = shell.run("apply", "purple", "/w/other/b.py")
    assert (elsewhere.code, "is not in the project of purple" in elsewhere.err) == (2, True)


def test_apply_to_a_branch(shell: Shell, purple: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    purple(changed("a.py"))
    monkeypatch.chdir(tmp_path)
    done = shell.run("apply", "purple", "--branch", "agent/purple", "-m", "Purple", "--target", "moved")
    assert done.code == 0, done
    request = last(shell, "apply")[3]
    assert (request.branch, request.message, request.target) == ("agent/purple", "Purple", str(tmp_path / "moved"))
    assert "Committed 1 file on the new branch agent/purple (012345678); no file was touched." in done.out


def test_apply_that_conflicts_applies_nothing(shell: Shell, purple: Any) -> None:
    purple(
        changed("a.py", "conflict", detail="You changed it too."),
        changed(f"l{EVIL}", "refused", detail="A link that leaves the project."),
        changed("b.py"),
    )
    for words in ((), ("--dry-run",)):
        done = shell.run("apply", "purple", *words)
        assert done.code == 1, done
        assert "  conflict  a.py: You changed it too.\n" in done.err
        assert "  refused   levil?name: A link that leaves the project.\n" in done.err
        assert "Nothing w" in done.err
        assert "Applied" not in done.out
        assert "\x1b" not in done.out + done.err
    shown = shell.run("apply", "purple", "--json")
    assert (shown.code, json.loads(shown.out)["applied"]) == (1, False)


def test_files_that_would_run_are_asked_for(shell: Shell, purple: Any) -> None:
    purple(changed(".envrc", "added", runnable="direnv"), changed("a.py"))
    done = shell.run("apply", "purple")
    assert done.code == 1
    assert "  .envrc (direnv)\n" in done.err
    assert "--yes" in done.err
    assert shell.service._find("purple").unapplied == 2
    dry = shell.run("apply", "purple", "-n")
    assert (dry.code, "Would apply 2 files" in dry.out, ".envrc (direnv)" in dry.err) == (0, True, True)
    assert shell.run("apply", "purple", "-o", "json").code == 1
    done = shell.run("apply", "purple", "--yes")
    assert (done.code, last(shell, "apply")[3].accept_runnable) == (0, True)
    assert shell.run("apply", "purple").err == "Nothing to apply.\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--undo", "a.py"), "as a whole"),
        (("--undo", "--dry-run"), "as a whole"),
        (("-m", "x"), "goes with --branch"),
    ],
)
def test_wrong_applies_are_refused(shell: Shell, purple: Any, words: tuple[str, ...], sentence: str) -> None:
    purple(changed("a.py"))
    done = shell.run("apply", "purple", *words)
    assert (done.code, sentence in done.err, last(shell, "apply")) == (2, True, None), done


def test_delete_names_what_was_not_applied(shell: Shell, purple: Any) -> None:
    purple(changed("a.py"), changed("b.py"))
    done = shell.run("delete", "purple")
    assert done.code == 2
    assert "purple: 2 changed files were not applied" in done.err
    assert "`jupyter tasks apply purple`" in done.err
    assert shell.service._tasks
    assert shell.run("delete", "purple", "--yes").code == 0
    assert not shell.service._tasks


# ---------------------------------------------------------------- diff


def notebooks() -> models.DiffResponse:
    patch = (
        "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-1\n+2\n"
        'diff --git a/n.ipynb b/n.ipynb\n--- a/n.ipynb\n+++ b/n.ipynb\n@@ -1 +1 @@\n-{}\n+{"cells"}\n'
    )
    cells = [
        models.CellChange(
            id="x", kind="modified", cell_type="code", old_index=2, new_index=2,
            old_source="a = 1\nb = 2", new_source="a = 1\nb = 3\x1b[2J", outputs_changed=True,
        ),
        models.CellChange(id="y", kind="moved", cell_type="markdown", old_index=0, new_index=4),
    ]  # fmt: skip
    return models.DiffResponse(
        files=[models.DiffFile(path=name, status="modified", additions=1, deletions=1) for name in ("a.py", "n.ipynb")],
        additions=2,
        deletions=2,
        patch=patch,
        notebooks=[models.NotebookDiff(path="n.ipynb", cells=cells, outputs_only=3, metadata_changed=True)],
    )


def test_diff_shows_notebooks_by_cell(shell: Shell) -> None:
    async def diff(user: str, task: str) -> models.DiffResponse:
        return notebooks()

    shell.create()
    shell.service.diff = diff  # type: ignore[method-assign]
    done = shell.run("diff", "purple", "--notebooks", "cells")
    assert done.code == 0, done
    assert "+++ b/a.py" in done.out
    assert '{"cells"}' not in done.out
    assert (
        "notebook n.ipynb\ncell 3 · code · modified\n@@ -1,2 +1,2 @@\n a = 1\n-b = 2\n+b = 3\n  outputs changed\n"
        "cell 1 → 5 · markdown · moved\n  only the outputs of 3 cells changed\n  the notebook's metadata changed\n"
    ) in done.out
    assert "\x1b" not in done.out
    for words in ((), ("--raw",), ("--notebooks", "text")):
        assert shell.run("diff", "purple", *words).out == notebooks().patch
    assert shell.run("diff", "purple", "--raw", "--notebooks", "cells").code == 2


# ---------------------------------------------------------------- status, answer, list, usage, templates


def question(*labels: str) -> models.Attention:
    options = [models.PermissionOption(id=f"o{number}", label=label) for number, label in enumerate(labels)]
    return models.Attention(
        kind="permission", text="May I run rm?", options=options, since=datetime.now(timezone.utc), id="q1"
    )


@pytest.mark.parametrize("word", ["2", "o1", "no"])
def test_status_shows_the_options_and_answer_takes_one(shell: Shell, purple: Any, word: str) -> None:
    task = purple(attention=question("Yes", "No"))
    status = shell.run("status", "purple")
    assert "needs you: May I run rm?\n  [1] Yes\n  [2] No\n" in status.err
    assert "`jupyter tasks answer purple 1`" in status.err
    done = shell.run("answer", "purple", word)
    assert (done.code, done.out) == (0, "Answered purple.\n")
    assert last(shell, "answer")[2:] == (task.id, "o1", "q1")
    assert shell.run("answer", "purple", word).code == 5
    assert "needs you" not in shell.run("status", "purple").err


def test_a_wrong_answer_names_the_options(shell: Shell, purple: Any) -> None:
    purple(attention=question("Yes", "No"))
    done = shell.run("answer", "purple", "3")
    assert (done.code, "[1] Yes, [2] No" in done.err, last(shell, "answer")) == (2, True, None)
    purple(name="green", attention=question())
    words = shell.run("answer", "green", "1")
    assert (words.code, "asks for words" in words.err) == (5, True)
    assert 'send green "…"' in shell.run("status", "green").err


def test_a_list_has_money_tokens_and_what_is_not_applied(shell: Shell, purple: Any) -> None:
    usage = models.TokenUsage(input=1000, output=20, cache_read=300, cache_write=5)
    purple(changed("a.py"), cost=models.Cost(amount="0.01234"), usage=usage, project=APP)
    purple(name="plain")
    out = shell.run("list", "-c", "name,cost,tokens,unapplied,branch,project").out.splitlines()
    rows = {line.split()[0]: line for line in out}
    assert "$0.0123" in rows["purple"]
    assert "1,305 in, 20 out  1" in rows["purple"]
    assert rows["purple"].endswith("main    /w/app")
    assert rows["plain"] == "plain"


def test_usage_shows_tokens_where_there_are_any(shell: Shell) -> None:
    assert "TOKENS" not in shell.run("usage").out
    plain = shell.portal.call(shell.service.usage)

    async def usage() -> models.UsageResponse:
        spent = {"tokens": models.TokenUsage(input=5, output=7), "cost": models.Cost(amount="1234.5")}
        return plain.model_copy(update=spent)

    shell.service.usage = usage  # type: ignore[method-assign]
    out = shell.run("usage").out
    assert "TOKENS" in out
    assert "5 in, 7 out" in out
    assert "$1,234.50" in out
    assert shell.run("usage", "-c", "actual").out == "ACTUAL\n0\n"


def test_a_broken_template_is_marked(shell: Shell) -> None:
    one = shell.portal.call(shell.service.templates).templates[0]

    async def templates() -> models.TemplatesResponse:
        broken = one.model_copy(update={"name": "broken", "error": "main.tf:3: no closing brace\x1b[2J"})
        return models.TemplatesResponse(templates=[broken, one])

    shell.service.templates = templates  # type: ignore[method-assign]
    done = shell.run("templates", "list")
    assert done.err == "broken cannot be used: main.tf:3: no closing brace\n"
    assert shell.run("create", "x").code == 0
    assert last(shell, "create")[2].template == "quickstart"


# ---------------------------------------------------------------- prune


def test_prune_shows_and_asks(shell: Shell, purple: Any) -> None:
    purple(status=models.TaskStatus.paused)
    purple(changed("a.py"), name="green", status=models.TaskStatus.paused)
    asked = shell.run("prune", "--older-than", "0")
    assert asked.code == 2
    assert "--yes" in asked.err
    assert "purple  delete  1.0 MB" in asked.out
    assert len(shell.service._tasks) == 2
    dry = shell.run("prune", "--older-than", "0", "--dry-run")
    assert (dry.code, dry.out.splitlines()[-1]) == (0, "Would delete 1 task (1.0 MB).")
    done = shell.run("prune", "--older-than", "0", "--yes")
    assert (done.code, done.out.splitlines()[-1]) == (0, "Deleted 1 task; 1.0 MB freed.")
    assert [task.name for task in shell.service._tasks.values()] == ["green"]
    nothing = shell.run("prune", "--older-than", "0", "--yes")
    assert (nothing.code, nothing.err) == (0, "Nothing to delete.\n")
    gone = shell.run("prune", "--older-than", "0", "--include-unapplied", "--yes", "--json")
    assert json.loads(gone.out)["dry_run"] is False
    assert not shell.service._tasks
    assert shell.run("prune", "--older-than", "-1").code == 2


def test_nobodys_directory_is_no_traceback(shell: Shell, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    try:
        gone.rmdir()
        done = shell.run("create", "x")
    finally:
        os.chdir(tmp_path)
    assert done.code == 0, done
    assert last(shell, "create")[2].directory is None
