"""Jupyter servers as processes of their own, on the engine of a test's home."""

from __future__ import annotations

import contextlib
import itertools
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from jupyter_tasks.testing.home import Home, free_port, until

PROMPT = "change the primary color theme to purple"
READY = "Ready to review"

_ANYIO_RACE = re.compile(
    r"Exception in callback Future\.set_result\(None\)\nhandle: .*\nTraceback .*\n(?:  .*\n)+"
    r"asyncio\.exceptions\.InvalidStateError: invalid state\n"
)


class Server:
    """A Jupyter server in a process of its own. ``http`` carries its token."""

    def __init__(self, home: Home, number: int, base: str) -> None:
        root = home.root / f"notebooks{number}"
        root.mkdir()
        self.log = home.root / f"jupyter{number}.log"
        self.port = free_port()
        options = [f"--port={self.port}", "--ServerApp.port_retries=0", f"--ServerApp.base_url={base}"]
        options += ["--IdentityProvider.token=t", f"--ServerApp.root_dir={root}"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", *options],
                env=home.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.info = Path(home.env["JUPYTER_RUNTIME_DIR"]) / f"jpserver-{self.process.pid}.json"
        self.url = f"http://127.0.0.1:{self.port}{base}jupyter-tasks/"
        self.http = httpx.Client(base_url=f"{self.url}api/v2/", headers={"Authorization": "token t"}, timeout=60)

    def up(self) -> Server:
        """Wait until it listens, without asking it anything: it writes its file before it binds its port."""

        def listens() -> bool:
            assert self.process.poll() is None, self.said()
            with socket.socket() as probe:
                probe.settimeout(5)
                return self.info.exists() and probe.connect_ex(("127.0.0.1", self.port)) == 0

        until(listens, 30, self.said)
        return self

    def said(self) -> str:
        """Its log."""
        return self.log.read_text(errors="replace")

    def failures(self) -> str:
        """Its log, if there is a traceback in it but this one of anyio's: a read that is cancelled in the very turn of
        the loop in which data comes has its future set twice; nothing is lost, asyncio logs it."""
        return self.said() if "Traceback" in _ANYIO_RACE.sub("", self.said()) else ""

    def bare(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A request without the token, and without the cookie that an earlier one with it was given."""
        return httpx.request(method, self.url + path, timeout=60, **more)

    def summaries(self) -> dict[str, str]:
        """Every task's id and its one plain word."""
        answer = self.http.get("tasks")
        assert answer.status_code == 200, f"{answer.text}\n{self.said()}"
        return {task["id"]: task["summary"] for task in answer.json()["tasks"]}

    def create(self, **more: Any) -> str:
        """A task. Returns: its id."""
        answer = self.http.post("tasks/me", json={"input": PROMPT, "template": "quickstart", **more})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def terminate(self) -> None:
        """SIGTERM, as JupyterHub or a service manager does; and wait for its end."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def end(self) -> None:
        self.http.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


@contextlib.contextmanager
def serving(home: Home) -> Iterator[Callable[..., Server]]:
    """A way to start Jupyter servers, which end with the block."""
    home.env["JUPYTER_RUNTIME_DIR"] = str(home.root / "jupyter")
    numbers = itertools.count()
    with contextlib.ExitStack() as stack:

        def start(base: str = "/") -> Server:
            server = Server(home, next(numbers), base)
            stack.callback(server.end)
            return server

        yield start
