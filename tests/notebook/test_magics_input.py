"""A prompt reaches the magic as it was typed, in a real IPython shell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import no_var_expand

from jupyter_tasks.notebook import magics_input


class Heard:
    """What a stand-in for the magics was called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str | None]] = []

    def magic(self, name: str) -> Any:
        @no_var_expand
        def heard(line: str, cell: str | None = None) -> str:
            self.calls.append((name, line, cell))
            return f"handle {len(self.calls)}"

        return heard


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def shell(heard: Heard) -> Iterator[InteractiveShell]:
    shell = InteractiveShell()
    for name in ("task", "tasks"):
        shell.register_magic_function(heard.magic(name), "line_cell", name)
    magics_input.install(shell)
    yield shell
    magics_input.uninstall(shell)
    InteractiveShell.clear_instance()


@pytest.mark.parametrize(
    "prompt",
    [
        "why does it fail?",
        "what??",
        "don't touch \"config.py\" or it's over",
        "keep C:\\temp\\new and \\n as typed",
        "use {a.b}, {1} and {{x}} at $HOME ${y}",
        "fix (this",
        "explain '''",
        "a = b = c",
        "50% of %task # not a comment",
        "ünïcode → ✓",
        "trailing backslash \\",
        "; !ls",
    ],
)
@pytest.mark.parametrize("left", ["", "t = ", "if True:\n    t = ", "t['a=b'] = "])
def test_a_line_stays_as_typed(shell: InteractiveShell, heard: Heard, left: str, prompt: str) -> None:
    shell.user_ns["t"] = {}
    shell.run_cell(f"{left}%task {prompt}").raise_error()
    assert heard.calls == [("task", prompt, None)]


@pytest.mark.parametrize(
    "body",
    [
        "why?\n",
        ">>> print(1)\nthen ... this\n",
        "    indented\n  less\n",
        "In [3]: x\nOut[3]: y\n",
        "%%task nested\n%task\n!ls {x}\n",
        "it's '''quoted\\\n",
        "a\x0bb\u2028c\n",
    ],
)
def test_a_cell_stays_as_typed(shell: InteractiveShell, heard: Heard, body: str) -> None:
    shell.run_cell(f"%%task -t quickstart\n{body}").raise_error()
    assert heard.calls == [("task", "-t quickstart", body)]


def test_several_lines_in_one_cell(shell: InteractiveShell, heard: Heard) -> None:
    shell.run_cell("a = %task one?\nb = %task two (\n%tasks send x why?\ntext = '''\n%task no\n'''").raise_error()
    assert [line for _, line, _ in heard.calls] == ["one?", "two (", "send x why?"]
    assert shell.user_ns["text"] == "\n%task no\n"
    assert shell.user_ns["b"] == "handle 2"


@pytest.mark.parametrize("code", ["%task?", "%%task?", "%tasks?"])
def test_help_still_works(shell: InteractiveShell, heard: Heard, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell(code).raise_error()
    assert heard.calls == []
    assert "Docstring" in capsys.readouterr().out


def test_other_code_is_left_alone(shell: InteractiveShell, heard: Heard) -> None:
    shell.run_cell("task = 7\ny = 9 %task \nz = {'a': 9 %task}\ndef f(a=5 %task): return a\nw = f()").raise_error()
    assert (shell.user_ns["y"], shell.user_ns["z"], shell.user_ns["w"]) == (2, {"a": 2}, 5)
    assert heard.calls == []


def test_uninstalled_is_gone(shell: InteractiveShell) -> None:
    manager = shell.input_transformer_manager
    magics_input.install(shell)
    magics_input.uninstall(shell)
    assert magics_input.prompt_cell not in manager.cleanup_transforms
    assert magics_input.PromptLine not in manager.token_transformers
