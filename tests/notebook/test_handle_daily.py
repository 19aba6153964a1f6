"""``TaskHandle`` and ``%tasks`` at daily work: applying and undoing, answering, what it cost; nothing is lost."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from notebook_engine import NotebookEngine
from pydantic import SecretStr

from jupyter_tasks import TaskHandle, models
from jupyter_tasks.errors import Conflict, InvalidInput, LimitReached, NotFound

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)
A, B = (models.AppliedFile(path=path, action="modified") for path in ("a.py", "d/b.py"))
ENVRC = models.AppliedFile(path=".envrc", action="added", runnable="direnv")


def run(shell: InteractiveShell, code: str) -> Any:
    result = shell.run_cell(code)
    result.raise_error()
    return result.result


@pytest.fixture
def make(notebook_engine: NotebookEngine) -> Any:
    def make(*files: models.AppliedFile, name: str = "purple", **changes: Any) -> TaskHandle:
        task = notebook_engine.create(name, **changes)
        if files:
            notebook_engine.do(notebook_engine.service.set_changes, task, files)
        return TaskHandle(task, session=notebook_engine.session)

    return make


def last(engine: NotebookEngine, kind: str) -> Any:
    return next((call for call in reversed(engine.service.calls) if call[0] == kind), None)


# ---------------------------------------------------------------- the handle


def test_apply_and_undo(make: Any, notebook_engine: NotebookEngine, tmp_path: Path) -> None:
    handle = make(A, B)
    assert handle.unapplied == 2
    dry = handle.apply(dry_run=True)
    assert not dry.applied
    assert str(dry).startswith("Would apply 2 files to /project.\n  modified  a.py")
    done = handle.apply("d", branch="agent/x", message="X", target=tmp_path)
    assert done.applied
    assert (done.branch, done.target) == ("agent/x", str(tmp_path))
    request = last(notebook_engine, "apply")[3]
    assert (request.paths, request.message, request.accept_runnable) == (["d"], "X", False)
    assert "Committed 1 file on the new branch agent/x (012345678)" in str(done)
    assert handle.unapplied == 1
    back = handle.undo()
    assert back.undone
    assert "Took back 1 file" in str(back)
    with pytest.raises(Conflict):
        handle.undo()


def test_conflicts_are_shown_and_touch_nothing(make: Any) -> None:
    evil = models.AppliedFile(path="<b>x\x1b[2J\n", action="conflict", detail="You changed <i>it</i> too.")
    handle = make(A, evil)
    done = handle.apply()
    assert not done.applied
    text, html = str(done), done._repr_html_()
    assert text.startswith("Nothing was applied.")
    assert "conflict  <b>x" in text
    assert "\x1b" not in text
    assert "&lt;b&gt;x" in html
    assert "<b>" not in html
    assert "<i>" not in html
    assert handle.unapplied == 2


def test_runnable_files_have_to_be_accepted(make: Any) -> None:
    handle = make(ENVRC)
    held = handle.apply()
    assert not held.applied
    assert "would run by itself: direnv" in str(held)
    assert "accept_runnable=True" in str(held)
    assert handle.apply(accept_runnable=True).applied
    assert str(handle.apply()) == "Nothing to apply."


def test_delete_does_not_drop_what_was_not_applied(make: Any) -> None:
    handle = make(A)
    with pytest.raises(Conflict) as caught:
        handle.delete()
    assert "1 changed file of purple was not applied" in caught.value.message
    assert "force=True" in caught.value.hint
    handle.apply()
    handle.delete()
    with pytest.raises(NotFound):
        handle.refresh()
    other = make(A, name="green")
    other.delete(force=True)
    with pytest.raises(NotFound):
        other.refresh()


def test_delete_looks_where_nothing_is_known_yet(make: Any, notebook_engine: NotebookEngine) -> None:
    handle = make(unapplied=None, capabilities=models.Capabilities(diff=True))
    file = models.DiffFile(path="a.py", status="modified")
    notebook_engine.service.diffs[handle.id] = models.DiffResponse(files=[file], additions=1, deletions=0, patch="")
    with pytest.raises(Conflict) as caught:
        handle.delete()
    assert "1 changed file of purple was not applied" in caught.value.message

    async def unreadable(user: str, task: str) -> models.DiffResponse:
        raise LimitReached("The workspace has too many files.")

    diff, notebook_engine.service.diff = notebook_engine.service.diff, unreadable  # type: ignore[method-assign]
    with pytest.raises(Conflict) as caught:
        handle.delete()
    assert "too many files" in caught.value.detail
    notebook_engine.service.diff = diff  # type: ignore[method-assign]
    notebook_engine.service.diffs.clear()
    handle.delete()


@pytest.mark.parametrize("option", [2, "2", "no", "NO"])
def test_answer_by_number_words_or_id(make: Any, notebook_engine: NotebookEngine, option: str | int) -> None:
    options = [models.PermissionOption(id="yes", label="Yes"), models.PermissionOption(id="no", label="No")]
    handle = make(attention=models.Attention(kind="permission", text="May I?", options=options, since=NOW, id="q1"))
    for wrong in (0, -1, "0000000012", "9" * 5000, "²", ""):
        with pytest.raises(InvalidInput):
            handle.answer(wrong)
    with pytest.raises(InvalidInput) as caught:
        handle.answer(3)
    assert "[1] Yes, [2] No" in caught.value.hint
    handle.answer(option)
    assert last(notebook_engine, "answer")[3:] == ("no", "q1")
    with pytest.raises(Conflict):
        handle.answer(option)


def test_an_id_counts_before_a_number(make: Any, notebook_engine: NotebookEngine) -> None:
    options = [models.PermissionOption(id="2", label="Yes"), models.PermissionOption(id="1", label="No")]
    make(attention=models.Attention(kind="permission", text="?", options=options, since=NOW)).answer("1")
    assert last(notebook_engine, "answer")[3] == "1"


def test_what_it_cost_and_what_it_began_with(make: Any) -> None:
    plain = make(name="plain", project=None)
    assert (plain.cost, plain.usage, plain.project, plain.unapplied) == (None, None, None, None)
    info = models.ProjectInfo(kind="git", root="/w/app", files=1, bytes=2_000, branch="main\x1b[2J")
    usage = models.TokenUsage(input=3)
    handle = make(cost=models.Cost(amount="0.5"), usage=usage, project=info)
    assert (handle.cost.amount, handle.usage.input) == ("0.5", 3)
    assert "In the workspace: 1 file, 2.0 kB from /w/app (main" in str(handle.project)
    assert "\x1b" not in str(handle.project)


# ---------------------------------------------------------------- the magics


def test_a_task_takes_a_project(shell: InteractiveShell, notebook_engine: NotebookEngine) -> None:
    run(shell, "t = %task --project ~/app --files *.csv --files 'a b/**' --mount data --large --no-carry go\n")
    asked = notebook_engine.created()
    assert asked.input == "go"
    assert asked.project == str(Path.home() / "app")
    assert (asked.files, asked.mounts) == (["*.csv", "a b/**"], [str(Path.cwd() / "data")])
    assert (asked.large, asked.carry) == (True, [])
    run(shell, "t = %task --project none go")
    asked = notebook_engine.created()
    assert (asked.project, asked.carry, asked.large, asked.files) == ("none", None, False, [])


def test_apply_and_undo_by_magic(shell: InteractiveShell, notebook_engine: NotebookEngine, make: Any) -> None:
    make(A, models.AppliedFile(path="a b.py", action="added"), B)
    assert not run(shell, "%tasks apply --dry-run purple").applied
    assert run(shell, "%tasks apply purple a.py 'a b.py'").applied
    assert last(notebook_engine, "apply")[3].paths == ["a.py", "a b.py"]
    assert run(shell, "%tasks undo purple").undone
    assert run(shell, "%tasks apply --branch x -m 'a message' --target /moved purple").commit
    assert last(notebook_engine, "apply")[3].message == "a message"
    assert last(notebook_engine, "apply")[3].target == "/moved"
    with pytest.raises(InvalidInput):
        run(shell, "%tasks apply -m x purple")
    with pytest.raises(InvalidInput):
        run(shell, "%tasks apply purple 'x")


@pytest.mark.parametrize("answer", [True, False])
def test_what_would_run_is_asked_for(
    shell: InteractiveShell, make: Any, monkeypatch: pytest.MonkeyPatch, answer: bool
) -> None:
    questions: list[str] = []
    monkeypatch.setattr(shell, "ask_yes_no", lambda question, default: questions.append(question) or answer)
    make(ENVRC)
    assert run(shell, "%tasks apply purple").applied is answer
    assert "'.envrc'" in questions[0]
    if not answer:
        assert run(shell, "%tasks apply -y purple").applied
        assert len(questions) == 1


def test_delete_names_what_is_left(shell: InteractiveShell, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    questions: list[str] = []
    monkeypatch.setattr(shell, "ask_yes_no", lambda question, default: questions.append(question))
    make(A, B)
    run(shell, "%tasks delete purple")
    assert "purple (2 changed files not applied)" in questions[0]
    assert len(run(shell, "%tasks list")) == 1
    run(shell, "%tasks delete -y purple")
    assert run(shell, "%tasks list") == []


def test_answer_by_magic(
    shell: InteractiveShell, notebook_engine: NotebookEngine, make: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [models.PermissionOption(id="always", label="Yes, always")]
    make(attention=models.Attention(kind="permission", text="May I?", options=options, since=NOW))
    with pytest.raises(InvalidInput) as caught:
        run(shell, "%tasks answer purple")
    assert "purple asks: May I?" in caught.value.message
    assert "[1] Yes, always" in caught.value.hint
    run(shell, "%tasks answer purple Yes, always")
    assert last(notebook_engine, "answer")[3] == "always"
    assert "Answered purple." in capsys.readouterr().out


def test_keys_are_listed_and_never_typed_here(shell: InteractiveShell, notebook_engine: NotebookEngine) -> None:
    assert "jupyter tasks keys add" in str(run(shell, "%tasks keys"))
    request = models.PutKeyRequest(secret=SecretStr("sk-canary"))
    notebook_engine.do(notebook_engine.service.put_key, "anthropic", request)
    shown = run(shell, "%tasks keys list")
    assert "anthropic" in str(shown)
    assert "canary" not in str(shown) + shown._repr_html_()
    with pytest.raises(InvalidInput) as caught:
        run(shell, "%tasks keys add anthropic")
    assert "terminal" in caught.value.hint


def test_prune_by_magic(shell: InteractiveShell, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[bool] = []
    monkeypatch.setattr(shell, "ask_yes_no", lambda question, default: said.pop(0))
    make(status=models.TaskStatus.paused)
    make(A, name="green", status=models.TaskStatus.paused)
    assert "Would delete 1 task" in str(run(shell, "%tasks prune --dry-run --older-than 0"))
    said.append(False)
    assert run(shell, "%tasks prune --older-than 0").dry_run
    assert len(run(shell, "%tasks list")) == 2
    said.append(True)
    assert "Deleted 1 task (1.0 MB)." in str(run(shell, "%tasks prune --older-than 0"))
    assert [task.name for task in run(shell, "%tasks list")] == ["green"]
    assert str(run(shell, "%tasks prune -y")).endswith("Nothing to delete.")
    for days in ("-1", "x", "inf", "nan"):
        with pytest.raises(InvalidInput):
            run(shell, f"%tasks prune --older-than {days}")
