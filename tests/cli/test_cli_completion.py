"""What a shell offers when TAB is pressed, asked of real shells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest
from shell_engine import Shell

from jupyter_tasks import models

pytestmark = pytest.mark.slow


@pytest.fixture
def program(shell: Shell, tmp_path: Path) -> dict[str, str]:
    """An environment with ``jupyter-tasks`` on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "jupyter-tasks"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m jupyter_tasks "$@"\n')
    script.chmod(0o755)
    return {**shell.environment, "PATH": f"{folder}:{os.environ['PATH']}"}


BASH = r"""
eval "$(jupyter-tasks completion bash)"
ask() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
    $(complete -p "$1" | sed 's/.*-F \([^ ]*\).*/\1/')
    echo "${COMPREPLY[*]}"
}
before() { COMPREPLY=(from-before); }
ask jupyter-tasks int
ask jupyter tasks status pur
ask jupyter ta
ask jupyter tasks create --template ""
ask jupyter tasks app
ask jupyter tasks apply pur
ask jupyter tasks apply purple app/
ask jupyter tasks keys add anth
ask jupyter tasks answer purple ""
ask jupyter tasks create --carry AG
ask jupyter tasks diff --notebooks ""
unset _jupyter_before_tasks
complete -F before jupyter
eval "$(jupyter-tasks completion bash)"
ask jupyter lab
ask jupyter tasks usa
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_both_names_and_leaves_jupyters_own(shell: Shell, program: dict[str, str]) -> None:
    option = models.PermissionOption(id="y", label="Yes")
    asked = models.Attention(kind="permission", text="?", options=[option], since=datetime.now(timezone.utc))
    shell.create(attention=asked)
    done = subprocess.run(
        ["bash", "--norc", "-c", BASH], capture_output=True, text=True, timeout=60, env=program, check=False
    )
    assert done.stdout.splitlines() == [
        "interrupt", "purple", "tasks", "quickstart", "apply", "purple", "app/style.css", "anthropic", "1", "AGENTS.md",
        "cells text", "from-before", "usage",
    ], done  # fmt: skip


@pytest.mark.parametrize("name", ["zsh", "fish"])
def test_the_other_shells_take_their_script(shell: Shell, name: str) -> None:
    script = shell.run("completion", name).out
    if shutil.which(name) is None:
        pytest.skip(f"needs {name}")
    subprocess.run([name, "-n", "/dev/stdin"], input=script, text=True, timeout=30, check=True)


def test_completion_without_an_engine_is_silent(own_places: Path) -> None:
    environment = {
        **os.environ,
        "_JUPYTER_TASKS_COMPLETE": "bash_complete",
        "COMP_WORDS": "jupyter-tasks status x",
        "COMP_CWORD": "2",
    }
    done = subprocess.run(
        [sys.executable, "-m", "jupyter_tasks"],
        capture_output=True,
        text=True,
        timeout=30,
        env=environment,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == ("", "")
