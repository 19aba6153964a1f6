"""``%task``, ``%%task`` and ``%tasks`` in a real shell, against a real HTTP engine."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from notebook_engine import NotebookEngine

from jupyter_tasks import TaskHandle, models
from jupyter_tasks.errors import Conflict, InvalidInput, NotFound
from jupyter_tasks.notebook import magics
from jupyter_tasks.notebook.magics_complete import complete
from jupyter_tasks.notebook.magics_options import TASK_OPTIONS, parse


def run(shell: InteractiveShell, code: str) -> Any:
    """The value of a cell."""
    result = shell.run_cell(code, store_history=True)
    result.raise_error()
    return result.result


# ---------------------------------------------------------------- making tasks


def test_a_cell_makes_a_task(shell: InteractiveShell, notebook_engine: NotebookEngine) -> None:
    code = "%%task -t quickstart -p fast --parameter a=1 --parameter 'b=x y' --name purple -o t\nmake it\npurple?\n"
    handle = run(shell, code)
    assert isinstance(handle, TaskHandle)
    assert shell.user_ns["_"] is handle
    assert shell.user_ns["t"] is handle
    asked = notebook_engine.created()
    assert asked.input == "make it\npurple?"
    assert (asked.template, asked.preset, asked.name) == ("quickstart", "fast", "purple")
    assert asked.parameters == {"a": "1", "b": "x y"}
    assert asked.python_env == sys.prefix
    assert asked.directory == str(Path.cwd())
    assert asked.path
    assert asked.idempotency_key


def test_a_line_makes_a_task(shell: InteractiveShell, notebook_engine: NotebookEngine) -> None:
    run(shell, 'n = 3\nt = %task --name one do {n} "things" in C:\\temp, don\'t {{ask}} $HOME {a.b}?')
    assert isinstance(shell.user_ns["t"], TaskHandle)
    assert notebook_engine.created().input == 'do 3 "things" in C:\\temp, don\'t {ask} $HOME {a.b}?'


@pytest.mark.parametrize("prompt", ["list", "list all files", "status", "delete everything", "help", "send"])
def test_a_prompt_is_never_a_verb(shell: InteractiveShell, notebook_engine: NotebookEngine, prompt: str) -> None:
    run(shell, f"t = %task {prompt}")
    assert notebook_engine.created().input == prompt


def test_double_dash_ends_the_options(shell: InteractiveShell, notebook_engine: NotebookEngine) -> None:
    run(shell, "t = %task -t quickstart -- --wait is part of this")
    assert notebook_engine.created().input == "--wait is part of this"
    run(shell, "t = %task - a list item")
    assert notebook_engine.created().input == "- a list item"


def test_raw_fills_nothing(shell: InteractiveShell, notebook_engine: NotebookEngine) -> None:
    run(shell, "%%task --raw\n{missing} {{x}}")
    assert notebook_engine.created().input == "{missing} {{x}}"


def test_a_long_prompt_goes_through(shell: InteractiveShell, notebook_engine: NotebookEngine) -> None:
    prompt = "\n".join(f"line {i} of it" for i in range(10_000))
    run(shell, f"%%task\n{prompt}")
    assert notebook_engine.created().input == prompt


def test_a_cut_value_is_said(
    shell: InteractiveShell, notebook_engine: NotebookEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "big = 'x' * 9000\n")
    run(shell, "%%task\nsee {big}")
    assert "{big} was cut after" in capsys.readouterr().err
    assert len(notebook_engine.created().input) < 4_100


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("%%task -t quickstart\n  \n", "empty input"),
        ("%task", "empty input"),
        ("%%task\nmake {colour}", "no variable 'colour'"),
        ("%task -x do it", "no option -x"),
        ("%task --templat quickstart do it", "Did you mean --template?"),
        ("%task --template", "--template needs a value"),
        ("%task --name 'a b do it", "quote that is not closed"),
        ("%task --name a --name b do it", "given twice"),
        ("%task --raw=1 do it", "takes no value"),
        ("%task --parameter size do it", "not of the form name=value"),
        ("%task -o 9x do it", "not a name for a variable"),
        ("%%task fix it\nnow", "'fix it' is not an option"),
        ("%tasks lst", "Did you mean list?"),
        ("%tasks make me a task", "no verb 'make'"),
        ("%tasks send purple", "What should be sent"),
        ("%tasks delete", "Which task"),
        ("%tasks diff a b", "One task at a time"),
        ("%tasks status", "None was made in this kernel"),
        ("%tasks wait --timeout soon", "not a number"),
        ("%%tasks list\nx", "takes no cell"),
    ],
)
def test_mistakes_are_one_sentence_and_start_nothing(
    shell: InteractiveShell,
    notebook_engine: NotebookEngine,
    capsys: pytest.CaptureFixture[str],
    code: str,
    words: str,
) -> None:
    result = shell.run_cell(code)
    assert isinstance(result.error_in_exec, InvalidInput)
    shown = capsys.readouterr()
    assert words in shown.out + shown.err
    assert "Traceback" not in shown.out + shown.err
    assert not [call for call in notebook_engine.service.calls if call[0] == "create"]


def test_errors_of_the_engine_keep_their_class(shell: InteractiveShell, notebook_engine: NotebookEngine) -> None:
    notebook_engine.create("purple")
    assert isinstance(shell.run_cell("%task --name purple again").error_in_exec, Conflict)
    assert isinstance(shell.run_cell("%tasks diff nowhere").error_in_exec, NotFound)


def test_wait_shows_the_card_then_waits(
    shell: InteractiveShell, notebook_engine: NotebookEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    """The service settles each new task from its own thread while the cell waits."""
    create = notebook_engine.service.create

    async def create_and_settle(user: str, request: models.CreateTaskRequest) -> models.Task:
        import asyncio

        task = await create(user, request)
        asyncio.get_running_loop().call_later(0.1, notebook_engine.service.set_state, task, models.TaskState.idle)
        return task

    notebook_engine.service.create = create_and_settle  # type: ignore[method-assign]
    assert run(shell, "%%task --wait --name purple\ngo") is None
    assert "Task purple" in capsys.readouterr().out
    assert shell.user_ns["_"].state == "idle"
    assert run(shell, "x = %task --wait --name red go\nx.snapshot.status.value") == "active"


def test_help(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    run(shell, "%task --help")
    assert "--preset PRESET" in capsys.readouterr().out
    run(shell, "%tasks")
    assert "interrupt [TASK]" in capsys.readouterr().out
    run(shell, "%tasks logs -h")
    assert "--kind KIND" in capsys.readouterr().out


# ---------------------------------------------------------------- verbs


def test_verbs_that_show(shell: InteractiveShell, notebook_engine: NotebookEngine) -> None:
    task = notebook_engine.create("purple")
    notebook_engine.create("red", status=models.TaskStatus.paused)
    notebook_engine.do(notebook_engine.service.send, "me", task.id, "hello <b>")
    table = run(shell, "%tasks list")
    assert {t.name for t in table} == {"purple", "red"}
    assert "NAME" in str(table)
    data, _ = shell.display_formatter.format(table)
    assert data["text/plain"].startswith("NAME")
    assert "<td" in data["text/html"]
    run(shell, "%tasks ls --status paused")
    assert notebook_engine.service.calls[-1] == ("list", "status:paused")
    assert [t.name for t in run(shell, "%tasks status red purple")] == ["red", "purple"]
    assert run(shell, "%tasks show red").name == "red"
    assert str(run(shell, "%tasks messages purple")) == "you: hello <b>"
    assert str(run(shell, "%tasks logs --kind chat purple")) == "input: hello <b>"
    assert str(run(shell, "%tasks diff purple")) == "no files changed"
    assert run(shell, "%tasks usage").actual == 2
    assert "quickstart" in str(run(shell, "%tasks templates"))


def test_verbs_that_do(
    shell: InteractiveShell, notebook_engine: NotebookEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "t = %task --name purple go")
    run(shell, '%tasks send purple why "so" {x} dark?')
    assert notebook_engine.service.calls[-1][3] == 'why "so" {x} dark?'
    run(shell, "%%tasks send purple\nline one\nline two\n")
    assert notebook_engine.service.calls[-1][3] == "line one\nline two"
    run(shell, "%tasks interrupt")
    assert "was not working" in capsys.readouterr().out
    run(shell, "%tasks pause")
    assert shell.user_ns["t"].status == "paused"
    run(shell, "%tasks resume purple")
    assert shell.user_ns["t"].status == "initializing"
    run(shell, "%tasks rm -y purple")
    assert "Deleted task purple." in capsys.readouterr().out
    with pytest.raises(NotFound):
        _ = shell.user_ns["t"].status


@pytest.mark.parametrize(("answer", "left"), [(True, []), (False, ["purple"])])
def test_delete_asks(
    shell: InteractiveShell,
    notebook_engine: NotebookEngine,
    monkeypatch: pytest.MonkeyPatch,
    answer: bool,
    left: list[str],
) -> None:
    notebook_engine.create("purple")
    monkeypatch.setattr(shell, "ask_yes_no", lambda question, default: answer)
    run(shell, "%tasks delete purple")
    assert [t.name for t in run(shell, "%tasks list")] == left


def test_delete_where_nobody_can_be_asked(shell: InteractiveShell, notebook_engine: NotebookEngine) -> None:
    notebook_engine.create("purple")
    error = shell.run_cell("%tasks delete purple").error_in_exec  # pytest's stdin cannot be read
    assert isinstance(error, InvalidInput | OSError)
    assert len(run(shell, "%tasks list")) == 1


# ---------------------------------------------------------------- hooks


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("%tasks ", {"list", "send", "diff", "help"}),
        ("%tasks li", {"list"}),
        ("%tasks logs --k", {"--kind"}),
        ("%%task --te", {"--template"}),
        ("%task -t quickstart --pr", {"--preset"}),
    ],
)
def test_completion(shell: InteractiveShell, text: str, offered: set[str]) -> None:
    assert offered <= set(complete(text))
    with provisionalcompleter():
        found = list(shell.Completer.completions(text, len(text)))
    assert offered <= {one.text.split()[-1] for one in found}


@pytest.mark.parametrize("text", ["%task do --te", "%task -t ", "%task -t quickstart fix --", "%tasks nope --"])
def test_no_completion_inside_a_prompt(text: str) -> None:
    assert complete(text) == []


def test_unload_leaves_nothing(shell: InteractiveShell) -> None:
    magics.load(shell)
    magics.unload(shell)
    assert "task" not in shell.magics_manager.magics["line"]
    assert "tasks" not in shell.magics_manager.magics["cell"]
    assert "%tasks" not in shell.Completer.custom_completers.strs
    magics.unload(shell)


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\n\r")))
def test_what_follows_the_options_is_as_typed(prompt: str) -> None:
    asked = parse(f"--name x -- {prompt}", TASK_OPTIONS, where="%task")
    assert asked.rest == prompt
    assert asked.one("name") == "x"
    if prompt.strip() and not prompt.lstrip().startswith("-"):
        assert parse(f"-t 'a b' --raw {prompt}", TASK_OPTIONS, where="%task").rest == prompt.strip()


@given(st.text())
def test_any_line_is_read_or_refused(line: str) -> None:
    try:
        asked = parse(line, TASK_OPTIONS, where="%task")
    except InvalidInput:
        return
    assert line.rstrip().endswith(asked.rest.rstrip())


@pytest.mark.timeout(150)
@pytest.mark.slow
def test_the_kernel_imports_nothing_of_the_server(notebook_engine: NotebookEngine) -> None:
    """A fresh Python loads the extension, makes a task, shows it and waits; then its modules are looked at."""
    code = f"""
        import sys
        from pathlib import Path
        from IPython.core.interactiveshell import InteractiveShell
        from jupyter_tasks.notebook.discovery import Connection
        shell = InteractiveShell.instance()
        shell.run_line_magic("load_ext", "jupyter_tasks")
        early = set(sys.modules)
        from jupyter_tasks.notebook.handle_session import Session
        magics = shell.magics_manager.registry["TaskMagics"]
        path = Path({str(notebook_engine.connection.socket)!r})
        magics._session = Session(Connection("socket", "http://engine/", socket=path))
        shell.run_cell("t = %task --name purple go").raise_error()
        shell.run_cell("t; t.messages(); t.diff(); t.widget; t._repr_mimebundle_()").raise_error()
        ours = ("server", "tasks", "store", "workspaces", "templates", "metering", "agentapi", "cli", "testing")
        bad = [m for m in list(sys.modules) if m.startswith(tuple(f"jupyter_tasks.{{part}}" for part in ours))]
        bad += [m for m in ("sqlalchemy", "alembic", "jupyter_server", "docker", "hcl2") if m in sys.modules]
        heavy = [m for m in ("pydantic", "httpx", "anywidget", "ipywidgets") if m in early]
        print("BAD", bad, heavy)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=100, check=False
    )
    assert "BAD [] []" in done.stdout, done.stdout + done.stderr
