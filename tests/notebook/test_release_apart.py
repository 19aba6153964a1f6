"""A kernel and an engine that are not of one release: they understand each other, or one sentence says why not."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_tasks.errors import VersionMismatch
from jupyter_tasks.notebook import magics
from jupyter_tasks.notebook.discovery import Connection
from jupyter_tasks.notebook.handle_session import Session

TASK = {
    "id": "1", "organization_id": "o", "owner_id": "o", "owner_name": "ada", "name": "purple", "display_name": "Purple",
    "template_id": "t", "template_version_id": "v", "template_name": "quickstart", "template_display_name": "Q",
    "template_icon": "", "initial_prompt": "p", "status": "pending", "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
}  # fmt: skip


class Engine:
    """Answers every request with ``status`` and ``answer``."""

    def __init__(self) -> None:
        self.status, self.answer = 201, dict[str, Any]()

    def handler(self) -> type[BaseHTTPRequestHandler]:
        engine = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                body = json.dumps(engine.answer).encode()
                self.send_response(engine.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def old_shell(engine: Engine) -> Iterator[InteractiveShell]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), engine.handler())
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    session = Session(Connection("url", f"http://127.0.0.1:{server.server_port}/"))
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    magics.load(shell, session)
    yield shell
    magics.unload(shell)
    InteractiveShell.clear_instance()
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_newer_engine_says_more_and_is_understood(old_shell: InteractiveShell, engine: Engine) -> None:
    engine.answer = TASK | {"mood": "cheerful", "capabilities": {"send": True, "levitate": True}}
    old_shell.run_cell("t = %task go\nname = t.name, t.snapshot.capabilities.send").raise_error()
    assert old_shell.user_ns["name"] == ("purple", True)


@pytest.mark.parametrize("missing", ["name", "status"])
def test_an_engine_that_is_too_far_apart_is_refused(
    old_shell: InteractiveShell, engine: Engine, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    engine.answer = {key: value for key, value in TASK.items() if key != missing}
    result = old_shell.run_cell("t = %task go")
    assert isinstance(result.error_in_exec, VersionMismatch)
    shown = capsys.readouterr().out
    assert "this version of Jupyter Tasks" in shown
    assert len(shown.strip().splitlines()) == 1


def test_an_engine_that_refuses_says_so(
    old_shell: InteractiveShell, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.status = 426
    engine.answer = {"message": "This engine is too old for you.", "code": "version_mismatch", "hint": "Restart it."}
    assert isinstance(old_shell.run_cell("t = %task go").error_in_exec, VersionMismatch)
    assert capsys.readouterr().out.strip() == "VersionMismatch: This engine is too old for you. Restart it."
