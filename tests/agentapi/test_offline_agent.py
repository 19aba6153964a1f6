"""The offline agent on a real terminal: what it says, does, reports, and how it is stopped."""

from __future__ import annotations

import fcntl
import http.server
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

CSS = """:root {
  --primary: #2563eb;
  --primary-dark: #1d4ed8;
  --primary-light: #dbeafe;
  --text: #111827;
}
a { color: var(--primary); }
"""
PASTE = b"x\x08\x1b[200~%s\x1b[201~"
IDLE = b"]7501;state=idle:app=offline\x1b\\> "


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a test run in a shell's background is born deaf to it


class Terminal:
    """The agent in a PTY of 80 columns."""

    def __init__(self, project: Path, **env: str) -> None:
        self.master, slave = pty.openpty()

        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
        root = str(Path(__file__).parents[2])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_tasks.agent.offline"],
            cwd=project,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_take_terminal,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": root, "JUPYTER_TASKS_OFFLINE_DELAY": "0", **env},
        )
        os.close(slave)
        self.seen = b""

    def until(self, what: bytes, timeout: float = 40.0) -> str:
        """Read until ``what`` appears; returns what came since the last call."""
        end = time.monotonic() + timeout
        while what not in self.seen:
            assert time.monotonic() < end, f"never saw {what!r} in {self.seen[-2000:]!r}"
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    data = os.read(self.master, 65536)
                except OSError:
                    data = b""
                assert data, f"ended before {what!r}: {self.seen[-2000:]!r}"
                self.seen += data
        cut = self.seen.index(what) + len(what)
        found, self.seen = self.seen[:cut], self.seen[cut:]
        return found.decode("utf-8", "replace")

    def type(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.master, data) :]

    def ask(self, text: str) -> str:
        """Paste and Enter, as the engine does; returns what was said."""
        self.type(PASTE % text.encode())
        self.type(b"\r")
        return self.until(IDLE)

    def end(self) -> int:
        return self.process.wait(40)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "style.css").write_text(CSS)
    (tmp_path / "app.py").write_text('"""A sales dashboard."""\n')
    (tmp_path / "sales.csv").write_text("month,region,sales\n1,north,10\n")
    return tmp_path


@pytest.fixture
def terminal(project: Path) -> Iterator[Terminal]:
    found = Terminal(project)
    yield found
    found.process.kill()
    found.process.wait()
    os.close(found.master)


def test_it_says_what_it_is(terminal: Terminal) -> None:
    said = terminal.until(IDLE)
    assert "offline agent: rules, no language model" in said
    assert "theme" in said
    assert "structure" in said


def test_it_changes_the_theme_and_says_where(terminal: Terminal, project: Path) -> None:
    terminal.until(IDLE)
    said = terminal.ask("change the primary color theme to purple")
    css = (project / "static" / "style.css").read_text()
    assert "--primary: #7c3aed;" in css
    assert "#2563eb" not in css
    assert "#1d4ed8" not in css
    assert "#dbeafe" not in css
    assert "--text: #111827;" in css
    for place in ("static/style.css:2", "static/style.css:3", "static/style.css:4"):
        assert place in said
    assert "\x1b]7501;state=working:app=offline" in said
    before = css
    assert "already" in terminal.ask("make the theme purple please")
    assert (project / "static" / "style.css").read_text() == before


def test_it_documents_the_structure(terminal: Terminal, project: Path) -> None:
    terminal.until(IDLE)
    terminal.ask("document the project structure")
    text = (project / "STRUCTURE.md").read_text()
    assert "- `app.py`: Python module: A sales dashboard. (1 line)" in text
    assert "columns month, region, sales" in text
    assert "## `static/`" in text
    assert "STRUCTURE.md`" not in text


def test_it_is_honest_about_the_rest(terminal: Terminal, project: Path) -> None:
    terminal.until(IDLE)
    said = terminal.ask("write me a compiler")
    assert "beyond me" in said
    assert "change the theme colour" in said
    assert "none that I know" in terminal.ask("change the theme to zxcvb")
    (project / "static" / "style.css").unlink()
    assert "no stylesheet" in terminal.ask("change the theme to red")


def test_a_prompt_of_ten_thousand_lines(terminal: Terminal, project: Path) -> None:
    terminal.until(IDLE)
    text = "change the theme to green\n" + "\n".join(f"line {n} of the background" for n in range(10_000))
    said = terminal.ask(text)
    assert "#16a34a" in (project / "static" / "style.css").read_text()
    assert "more lines]" in said
    assert len(said) < 4_000


def test_typed_by_hand_with_corrections(terminal: Terminal, project: Path) -> None:
    terminal.until(IDLE)
    terminal.type("wrong\x15theme to rex\x7fd \x1b[A\xe9\x08\r".encode("latin-1"))
    terminal.until(IDLE)
    assert "#dc2626" in (project / "static" / "style.css").read_text()


def test_control_c_stops_the_turn_then_leaves(project: Path) -> None:
    terminal = Terminal(project, JUPYTER_TASKS_OFFLINE_DELAY="60")
    try:
        terminal.until(IDLE)
        terminal.type(PASTE % b"change the theme to red" + b"\r")
        terminal.until(b"Looking for")
        terminal.type(b"\x03")
        assert "Interrupted" in terminal.until(IDLE)
        assert (project / "static" / "style.css").read_text() == CSS
        terminal.type(b"\x03")
        assert "again" in terminal.until(IDLE)
        terminal.type(b"\x03")
        terminal.until(b"Bye.")
        assert terminal.end() == 0
    finally:
        terminal.process.kill()
        os.close(terminal.master)


def test_the_end_of_input_leaves(terminal: Terminal) -> None:
    terminal.until(IDLE)
    terminal.type(b"\x04")
    assert terminal.end() == 0


def test_a_vanished_terminal_leaves(project: Path) -> None:
    terminal = Terminal(project)
    terminal.until(IDLE)
    os.close(terminal.master)
    assert terminal.end() in (0, 1, -signal.SIGHUP)


@pytest.mark.slow
def test_it_reports_to_the_engine(project: Path) -> None:
    heard: list[tuple[str, str, dict[str, str]]] = []

    class Service(http.server.BaseHTTPRequestHandler):
        def do_PATCH(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard.append((self.path, self.headers["Coder-Session-Token"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    terminal = Terminal(
        project,
        CODER_AGENT_URL=f"http://127.0.0.1:{server.server_port}",
        CODER_AGENT_TOKEN="secret",
        CODER_MCP_APP_STATUS_SLUG="preview",
    )
    try:
        terminal.until(IDLE)
        terminal.ask("change the primary color theme to " + "purple")
        assert {(path, token) for path, token, _ in heard} == {("/api/v2/workspaceagents/me/app-status", "secret")}
        assert [body["state"] for _, _, body in heard] == ["working", "working", "complete"]
        assert {body["app_slug"] for _, _, body in heard} == {"preview"}
        assert all(len(body["message"].encode()) <= 160 for _, _, body in heard)
        terminal.ask("hello")
        assert heard[-1][2]["state"] == "idle"
    finally:
        terminal.process.kill()
        terminal.process.wait()
        os.close(terminal.master)
        server.shutdown()
        server.server_close()


def test_without_a_terminal_it_reads_lines(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jupyter_tasks.agent.offline"],
        cwd=project,
        input="theme to teal\n",
        capture_output=True,
        text=True,
        timeout=20,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "JUPYTER_TASKS_OFFLINE_DELAY": "0",
        },
    )
    assert done.returncode == 0
    assert "#0d9488" in (project / "static" / "style.css").read_text()
    assert "\x1b" not in done.stdout


def test_it_never_follows_a_planted_link(
    terminal: Terminal, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "theirs.css"
    outside.write_text("--primary: #2563eb;")
    (project / "link.css").symlink_to(outside)
    (project / "linked").symlink_to(outside.parent, target_is_directory=True)
    terminal.until(IDLE)
    terminal.ask("theme to red")
    assert outside.read_text() == "--primary: #2563eb;"
    assert (project / "link.css").is_symlink()
