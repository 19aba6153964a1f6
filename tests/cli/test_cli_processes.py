"""The shell as a process: start-up, pipes, signals, terminals, completion."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from blocked import until_blocked
from shell_engine import Shell

from jupyter_tasks import models

HEAVY = ("httpx", "pydantic", "jupyter_tasks.models", "anyio", "sqlalchemy", "tornado", "jupyter_tasks.server")

pytestmark = pytest.mark.slow


def until(true: Callable[[], Any], seconds: float = 40.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)
    return found


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom jupyter_tasks.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit as e: assert e.code == 0\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == "[]\n"
    for word in ("Exit codes:", "130", "attach", "uninstall", "JUPYTER_TASKS_URL"):
        assert word in done.stdout


def test_the_shell_loads_nothing_of_the_engine(shell: Shell) -> None:
    script = (
        "import sys\nfrom jupyter_tasks.cli.main import main\n"
        "try: main(['list'])\nexcept SystemExit as e: assert e.code == 0\n"
        "print([n for n in sys.modules if n.split('.')[:2] in (['jupyter_tasks', 'server'], ['jupyter_tasks', 'tasks'],"
        " ['jupyter_tasks', 'store'], ['jupyter_tasks', 'workspaces']) or n in ('tornado', 'sqlalchemy')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True, env=shell.environment
    )
    assert done.stdout == "[]\n"


def test_every_command_has_help(shell: Shell) -> None:
    from jupyter_tasks.cli.main import _COMMANDS

    for name in _COMMANDS:
        done = shell.run(name, "--help")
        assert done.code == 0, done
        assert done.out.startswith(f"Usage: jupyter tasks {name}")


def test_a_pipe_has_no_colours_and_a_process_has_the_exit_code(shell: Shell) -> None:
    shell.create()
    done = shell.process("diff", "purple", "--stat")
    assert (done.returncode, "\x1b" in done.stdout) == (0, False)
    done = shell.process("status", "nobody")
    assert (done.returncode, done.stdout) == (3, "")
    assert "Traceback" not in done.stderr


def test_a_broken_pipe_is_quiet(shell: Shell) -> None:
    shell.service.entries = [
        models.TaskLogEntry.model_validate(
            {"id": n, "content": "x" * 1000, "type": "output", "time": "2026-01-01T00:00:00Z"}
        )
        for n in range(300)
    ]
    shell.create(status=models.TaskStatus.paused)
    running = subprocess.Popen(
        shell.argv("logs", "purple", "--kind", "build", "--follow", "--json"),  # one write a line
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=shell.environment,
    )
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.read(10)
    running.stdout.close()
    with running.stderr:
        assert running.stderr.read() == b""
    assert running.wait(timeout=40) == 141


def test_ctrl_c_ends_the_waiting_only(shell: Shell) -> None:
    running = subprocess.Popen(
        shell.argv("create", "x", "--wait", "-q"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=shell.environment,
    )
    until(shell.service.followed.is_set)
    until_blocked(running.pid)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=40)
    assert running.returncode == 130
    assert out.strip() in shell.service._tasks
    assert "goes on" in err
    assert "Traceback" not in err


def test_debug_shows_where_it_comes_from(shell: Shell) -> None:
    shell.environment["JUPYTER_TASKS_DEBUG"] = "1"
    done = shell.process("status", "nobody")
    assert done.returncode == 3
    assert "Traceback" in done.stderr
    assert "Error: Resource not found" in done.stderr


def test_no_engine_to_be_had(own_places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = dict(os.environ, JUPYTER_TASKS_URL="http://127.0.0.1:9/jupyter-tasks/")
    done = subprocess.run(
        [sys.executable, "-m", "jupyter_tasks", "list"],
        capture_output=True, text=True, timeout=60, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 7
    assert done.stderr.startswith("Error: The engine does not answer at http://127.0.0.1:9/jupyter-tasks/.\nHint: ")


# ---------------------------------------------------------------- attach


@contextmanager
def terminal(shell: Shell, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The command on a terminal of its own; and the terminal's other end."""
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    os.set_blocking(master, False)
    running = subprocess.Popen(
        shell.argv(*words), stdin=slave, stdout=slave, stderr=slave, env=shell.environment, start_new_session=True
    )
    os.close(slave)
    try:
        yield running, master
    finally:
        running.kill()
        running.wait(timeout=40)
        os.close(master)


def read(master: int, seen: bytearray) -> bytearray:
    try:
        seen += os.read(master, 65536)
    except BlockingIOError:
        pass
    except OSError:  # the other end is closed
        seen += b"<closed>"
    return seen


def typed(shell: Shell) -> bytes:
    requests = [call[1] for call in shell.service.calls if call[0] == "type"]
    return b"".join(base64.b64decode(request.data) for request in requests if request.data)


def test_attach_shows_and_does_not_type(shell: Shell) -> None:
    shell.create()
    shell.service.go_live()
    shell.service.terminal_bytes = b"\x1b]52;c;ZXZpbA==\x07agent> \x1b[6n"
    seen = bytearray()
    with terminal(shell, "attach", "purple") as (running, master):
        before = termios.tcgetattr(master)
        until(lambda: b"agent> " in read(master, seen))
        assert not termios.tcgetattr(master)[3] & termios.ICANON
        shell.do(shell.service.keyboard.send_nowait, b"more")
        until(lambda: b"more" in read(master, seen))
        os.write(master, b"rm -rf /\r")
        os.write(master, b"\x1d")
        until(lambda: b"Detached; the task goes on." in read(master, seen))
        assert termios.tcgetattr(master)[3] == before[3]
        assert running.wait(timeout=40) == 0
    assert b"\x1b]52" not in seen
    assert b"\x1b[6n" not in seen
    assert b"yours 100x30" in seen
    assert not [call for call in shell.service.calls if call[0] == "type"]


def test_attach_takes_over(shell: Shell) -> None:
    shell.create()
    shell.service.go_live()
    seen = bytearray()
    with terminal(shell, "attach", "purple", "--take-over") as (running, master):
        until(lambda: b"hello" in read(master, seen))
        os.write(master, "grün\r\x03".encode())
        until(lambda: typed(shell) == "grün\r\x03".encode())
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        running.send_signal(signal.SIGWINCH)
        sizes = until(lambda: [c[1] for c in shell.service.calls if c[0] == "type" and c[1].cols == 120])
        assert sizes[0].rows == 40
        os.write(master, b"tail\x1dnot this")
        assert running.wait(timeout=40) == 0
    assert typed(shell).endswith(b"tail")
    back = shell.service.calls[-1][1]
    assert (back.cols, back.rows) == (80, 24)  # as it was


def test_attach_ends_with_the_agents_program(shell: Shell) -> None:
    shell.create()
    seen = bytearray()
    with terminal(shell, "attach", "purple") as (running, master):
        until(lambda: b"The agent's program has ended." in read(master, seen))
        assert running.wait(timeout=40) == 0


def test_attach_says_why_it_cannot_type(shell: Shell) -> None:
    task = shell.create()
    shell.service.go_live()
    seen = bytearray()
    with terminal(shell, "attach", "purple", "--take-over") as (running, master):
        before = termios.tcgetattr(master)
        until(lambda: [call for call in shell.service.calls if call[0] == "type"])
        shell.portal.call(shell.service.delete, "me", task.id)
        os.write(master, b"x")
        until(lambda: b"Error: Resource not found" in read(master, seen))
        assert running.wait(timeout=40) == 3
        assert termios.tcgetattr(master)[3] == before[3]
    assert b"Traceback" not in seen


def test_attach_needs_a_terminal(shell: Shell) -> None:
    done = shell.process("attach", "purple")
    assert done.returncode == 2
    assert "attach needs a terminal" in done.stderr


def test_a_no_is_a_no(shell: Shell) -> None:
    shell.create()
    seen = bytearray()
    with terminal(shell, "delete", "purple") as (running, master):
        until(lambda: b"Delete these tasks: ada/purple? [y/N]" in read(master, seen))
        os.write(master, b"n\r")
        until(lambda: b"Canceled." in read(master, seen))
        assert running.wait(timeout=40) == 1
    assert shell.service._tasks


def test_what_was_not_applied_is_named_before_a_delete(shell: Shell) -> None:
    shell.create(unapplied=2)
    seen = bytearray()
    with terminal(shell, "delete", "purple") as (running, master):
        until(lambda: b"[y/N]" in read(master, seen))
        assert b"2 changed files were not applied" in seen
        os.write(master, b"n\r")
        assert running.wait(timeout=40) == 1
    assert shell.service._tasks


@pytest.mark.parametrize(("said", "code"), [(b"n", 1), (b"y", 0)])
def test_a_file_that_would_run_is_asked_for(shell: Shell, said: bytes, code: int) -> None:
    task = shell.create()
    shell.do(
        shell.service.set_changes, task, [models.AppliedFile(path=".envrc", action="added", runnable="direnv\x1b[2J")]
    )
    seen = bytearray()
    with terminal(shell, "apply", "purple") as (running, master):
        until(lambda: b"Take them too? [y/N]" in read(master, seen))
        assert b".envrc (direnv)" in seen
        os.write(master, said + b"\r")
        assert running.wait(timeout=40) == code
    assert shell.service._find("purple").unapplied == code


def test_a_key_is_typed_unseen(shell: Shell) -> None:
    seen = bytearray()
    with terminal(shell, "keys", "add", "anthropic") as (running, master):
        until(lambda: b"(not shown)" in read(master, seen))
        until(lambda: not termios.tcgetattr(master)[3] & termios.ECHO)
        os.write(master, b"sk-canary\r")
        until(lambda: b"Added the API key of" in read(master, seen))
        assert running.wait(timeout=40) == 0
    assert b"canary" not in seen
    request = shell.service.calls[-1][2]
    assert isinstance(request, models.PutKeyRequest)
    assert request.secret.get_secret_value() == "sk-canary"


def test_a_terminal_shows_notebooks_by_cell(shell: Shell) -> None:
    cell = models.CellChange(id="x", kind="added", cell_type="code", new_index=0, new_source="print(1)\x1b]0;title\x07")
    notebook = models.NotebookDiff(path="n.ipynb", cells=[cell])
    file = models.DiffFile(path="n.ipynb", status="modified", additions=1, deletions=0)
    patch = "diff --git a/n.ipynb b/n.ipynb\n--- a/n.ipynb\n+++ b/n.ipynb\n@@ -0,0 +1 @@\n+{}\n"

    async def diff(user: str, task: str) -> models.DiffResponse:
        return models.DiffResponse(files=[file], additions=1, deletions=0, patch=patch, notebooks=[notebook])

    shell.create()
    shell.service.diff = diff  # type: ignore[method-assign]
    seen = bytearray()
    with terminal(shell, "diff", "purple") as (running, master):
        assert running.wait(timeout=40) == 0
        until(lambda: b"+print(1)" in read(master, seen))
    assert b"cell 1" in seen
    assert b"diff --git" not in seen
    assert b"title" not in seen


def test_json_in_a_terminal_is_escaped(shell: Shell) -> None:
    shell.create(reason="\x9b31m\u202e")
    out = shell.process("status", "purple", "--json").stdout
    assert json.loads(out)["reason"] == "\x9b31m\u202e"
    assert "\x9b" not in out
