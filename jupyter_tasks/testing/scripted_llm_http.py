"""The HTTP of the scripted LLM: requests in, JSON or server-sent events out, whole or cut off in the middle.

Owns what a script's step looks like on the wire; which step is played, and what is remembered, its ``Player`` says.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol, cast

from jupyter_tasks.testing.scripted_llm_anthropic import Anthropic
from jupyter_tasks.testing.scripted_llm_chat import Chat
from jupyter_tasks.testing.scripted_llm_responses import Responses
from jupyter_tasks.testing.scripted_llm_script import Failure, Heard, Step
from jupyter_tasks.testing.scripted_llm_tools import as_call
from jupyter_tasks.testing.scripted_llm_wire import Asked, Call, Reply, Wire

__all__ = ["LlmServer", "Player"]

_WIRES: tuple[Wire, ...] = (Anthropic(), Chat(), Responses())
_SECRET_HEADERS = ("authorization", "x-api-key", "api-key")
_GATE_AFTER = 4
"""Events of a stream that are sent before its gate holds it."""
_MAX_BODY = 64 << 20


class Player(Protocol):
    """Plays the script."""

    key: str | None
    """The only credential that is accepted; None accepts all."""

    def step_for(self, asked: Asked) -> tuple[Step, bool]:
        """(what to play, whether it is a side request)."""

    def fails(self, step: Step) -> Failure | None:
        """How this step fails now."""

    def hold(self, name: str) -> None:
        """Wait at a gate."""

    def hear(self, heard: Heard) -> None:
        """Write a request down."""


class LlmServer(ThreadingHTTPServer):
    """Listens on a loopback port of its own choice."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, llm: Player) -> None:
        self.llm = llm
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news: interrupted agents do."""


def _reply(step: Step, asked: Asked, raw: str) -> Reply:
    calls: list[Call] = []
    text = step.text
    for tool in step.tools:
        call = as_call(tool, asked, raw)
        if call is None:
            text += f"\n[script: no tool fits {tool.name or tool.kind}]"
        else:
            calls.append(call)
    if any(call.search for call in calls):  # the words come with the real call
        text, calls = "", [call for call in calls if call.search][:1]
    tokens = step.usage or (100 + len(raw) // 4, 1 + len(text) // 4 + 20 * len(calls))
    return Reply(text, tuple(calls), *tokens, chunk=step.chunk)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 150

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class's word
        """Say nothing on stderr."""

    @property
    def _llm(self) -> Player:
        return cast("LlmServer", self.server).llm

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        status = 404
        body: dict[str, Any] = {"error": {"message": f"There is no {path}.", "type": "not_found_error"}}
        if path.endswith("/models"):
            status, body = 200, {"object": "list", "data": [], "models": [], "has_more": False}
        elif path in ("/", "/api/hello"):
            status, body = 200, {}
        self._llm.hear(Heard(self.command, path, status, secrets=self._secrets()))
        self._json(status, body)

    do_HEAD = do_GET  # noqa: N815 -- the base class's word

    def do_POST(self) -> None:
        with contextlib.suppress(ConnectionError):  # an interrupted agent hangs up
            self._post(self.path.partition("?")[0], self._body())

    def _post(self, path: str, raw: bytes) -> None:
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            body = {}
        wire = next((wire for wire in _WIRES if path.endswith(wire.suffix)), None)
        if wire is None or not isinstance(body, dict):
            counted = path.endswith("/count_tokens")
            self._llm.hear(Heard("POST", path, 200 if counted else 404, secrets=self._secrets(), body=raw))
            self._json(200 if counted else 404, {"input_tokens": len(raw) // 4} if counted else {"error": {}})
            return
        asked = wire.read(body)
        step, side = self._llm.step_for(asked)
        failure = self._refusal() or (None if side else self._llm.fails(step))
        self._llm.hear(
            Heard(
                "POST",
                path,
                failure.status if failure else 200,
                asked.model,
                tuple(asked.prompts),
                tuple(sorted(asked.tools)),
                asked.rounds,
                side,
                asked.stream,
                self._secrets(),
                raw,
            )
        )
        if step.delay:
            time.sleep(step.delay)
        if failure is not None:
            self._json(failure.status, wire.error(failure.status, failure.kind, failure.message), failure.headers)
            return
        reply = _reply(step, asked, raw.decode("utf-8", "replace"))
        if asked.stream:
            self._stream(wire, reply, asked.model, step)
            return
        if step.gate:
            self._llm.hold(step.gate)
        self._json(200, wire.whole(reply, asked.model))

    def _stream(self, wire: Wire, reply: Reply, model: str, step: Step) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        gate = step.gate
        events = list(wire.events(reply, model))
        for number, (name, data) in enumerate(events):
            if step.cut and number >= len(events) // 2:
                self.close_connection = True
                return
            if gate and number == min(_GATE_AFTER, len(events) - 1):
                self._llm.hold(gate)
            text = data if isinstance(data, str) else json.dumps(data)
            self._chunk((f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode())
            if step.pause:
                time.sleep(step.pause)
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _json(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(min(int(self.headers.get("content-length") or 0), _MAX_BODY))
        parts = []
        while size := int(self.rfile.readline(64).partition(b";")[0].strip() or b"0", 16):
            parts.append(self.rfile.read(min(size, _MAX_BODY)))
            self.rfile.readline(64)
        while self.rfile.readline(8192).strip():
            pass
        return b"".join(parts)

    def _secrets(self) -> dict[str, str]:
        values = {name: self.headers.get(name) for name in _SECRET_HEADERS}
        return {name: hashlib.sha256(value.encode()).hexdigest() for name, value in values.items() if value}

    def _refusal(self) -> Failure | None:
        key = self._llm.key
        given = (self.headers.get("x-api-key"), self.headers.get("authorization", "").removeprefix("Bearer "))
        if key is None or key in given:
            return None
        return Failure(401, "invalid x-api-key", "authentication_error")
