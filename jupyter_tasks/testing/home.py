"""A home of its own for a test or a benchmark: state, sockets, and the real engine, started as a user's would be.

Owns where things lie, how the shell and the client reach them, and that nothing that was started in it outlives it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_tasks.notebook.client import Client

__all__ = ["Home", "free_port", "until"]

_PATIENCE = 4  # times as long as on an idle machine


class Home:
    """Where one test's engine lives. Everything it starts ends with the test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / "state"
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER", "JPY_"))},
            "HOME": str(root / "home"),
            "JUPYTER_TASKS_STATE_DIR": str(self.state),
            "JUPYTER_TASKS_RUNTIME_DIR": str(root / "run"),
            "JUPYTER_CONFIG_DIR": str(root / "config"),
            "JUPYTER_DATA_DIR": str(root / "data"),
            "JUPYTER_TASKS_OFFLINE_DELAY": "0.05",
        }
        for name in ("home", "run", "config", "data"):
            (root / name).mkdir()

    def cli(
        self, *arguments: str, stdin: str | None = None, timeout: float = 120, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """``jupyter tasks …`` as a process."""
        done = subprocess.run(
            [sys.executable, "-m", "jupyter_tasks", *arguments],
            env=self.env,
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check:
            assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.log()}"
        return done

    def json(self, *arguments: str) -> Any:
        """The same, with ``-o json``."""
        return json.loads(self.cli(*arguments, "-o", "json").stdout)

    def config(self, text: str) -> None:
        """Write ``jupyter_tasks_config.py``."""
        (self.root / "config" / "jupyter_tasks_config.py").write_text(text)

    def log(self) -> str:
        """The end of the engine's log."""
        path = self.state / "engine.log"
        return path.read_text(errors="replace")[-6000:] if path.exists() else ""

    @contextlib.contextmanager
    def client(self) -> Iterator[Client]:
        """A client in this process."""
        from jupyter_tasks.notebook.client import Client

        saved = dict(os.environ)
        os.environ.update({key: self.env[key] for key in self.env if key.startswith(("JUPYTER", "PYTHONPATH"))})
        try:
            with Client() as client:
                yield client
        finally:
            os.environ.clear()
            os.environ.update(saved)

    def engine_pid(self) -> int | None:
        """The running engine's process, by the one word that is in its command and its environment."""
        marker = f"JUPYTER_TASKS_STATE_DIR={self.state}".encode()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes().split(b"\0")
                if b"serve" in command and marker in (entry / "environ").read_bytes().split(b"\0"):
                    return int(entry.name)
        return None

    def kill_engine(self) -> None:
        """kill -9, and wait until it is gone."""
        pid = self.engine_pid()
        assert pid is not None, self.log()
        os.kill(pid, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{pid}").exists() or _zombie(pid), 5)

    def processes(self) -> list[str]:
        """Every process that belongs to a workspace of this home (by its command line or root directory)."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if str(self.root) in command and "serve" not in command and "pytest" not in command:
                    found.append(f"{entry.name} {command[:200]}")
        return found

    def end(self) -> None:
        """Delete every task, end the engine, remove the folder."""
        with contextlib.suppress(Exception):
            self.cli("uninstall", "-y", check=False)
        pid = self.engine_pid()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.root, ignore_errors=True)


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def until(condition: Any, seconds: float, what: str | Callable[[], str] = "") -> Any:
    """Ask until the answer is truthy; the answer. ``what`` is told when it never is (asked then).

    ``seconds`` is what is plenty on an idle machine: tests share theirs, and a busy one is given four times as long.
    """
    deadline = time.monotonic() + _PATIENCE * seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {_PATIENCE * seconds} s: {what() if callable(what) else what}")
        time.sleep(0.02)


def free_port() -> int:
    """A port of 127.0.0.1 for a program that is told one and opens it later, as workspaces without a network get."""
    from jupyter_tasks.workspaces.ports import hold_port

    with hold_port() as held:
        port = held.getsockname()[1]
    assert isinstance(port, int)
    return port
