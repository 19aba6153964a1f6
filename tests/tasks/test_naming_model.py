"""The model that names tasks: one request to the right place, and nothing of the key anywhere else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from jupyter_tasks.tasks.naming import name_task
from jupyter_tasks.tasks.naming_model import namer_from

KEY = "canary-5b1d"


class Upstream:
    """A messages API on loopback that answers as it is told."""

    def __init__(self) -> None:
        self.status, self.text = 200, '{"display_name": "Paint it purple", "task_name": "paint-it-purple"}'
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                answer = json.dumps({"content": [{"type": "text", "text": outer.text}]}).encode()
                self.send_response(outer.status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def environ(self) -> dict[str, str]:
        return {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{self.server.server_port}/"}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.server.shutdown()
    upstream.server.server_close()


@pytest.mark.anyio
async def test_its_name_is_taken_and_suffixed(upstream: Upstream) -> None:
    names = await name_task("make it purple", namer=namer_from(upstream.environ))
    assert names.name.startswith("paint-it-purple-")
    assert names.display_name == "Paint it purple"
    path, headers, body = upstream.asked[0]
    assert (path, headers["x-api-key"], body["max_tokens"]) == ("/v1/messages", KEY, 100)
    assert body["messages"] == [{"role": "user", "content": "make it purple"}]


@pytest.mark.anyio
async def test_whatever_it_answers_a_task_gets_a_name(upstream: Upstream, caplog: pytest.LogCaptureFixture) -> None:
    namer = namer_from(upstream.environ)
    for status, text in (
        (500, "x"),
        (200, "no json"),
        (200, "{}"),
        (200, '{"display_name": "Task Unnamed", "task_name": "task-unnamed"}'),
        (200, '{"display_name": "x", "task_name": "not a slug; rm -rf /"}'),
    ):
        upstream.status, upstream.text = status, text
        names = await name_task("make it purple", namer=namer)
        assert names.name.startswith("make-it-purple-"), text
    assert KEY not in caplog.text
    assert KEY not in repr(namer)


def test_without_a_key_there_is_none() -> None:
    assert namer_from({}) is None
