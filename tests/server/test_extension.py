"""The extension in a real Jupyter server: who may do what, what crosses to the engine, previews, events, its end."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import anyio
import pytest
from engine_house import House, served, settle
from hostile_app import hostile_app
from jupyter_server.auth import Authorizer
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect
from traitlets.config import Config

from jupyter_tasks import models
from jupyter_tasks.server.extension import SCHEMA, TasksExtension
from jupyter_tasks.server.preview_rules import SANDBOX
from jupyter_tasks.testing.service import FakeService

Fetch = Callable[..., Awaitable[Any]]
ROOT = "jupyter-tasks/api/v2"


class Rules(Authorizer):  # type: ignore[misc]
    """Allows what a test says, and remembers what it was asked."""

    allowed: ClassVar[set[str]] = {"read", "write", "execute"}
    asked: ClassVar[list[tuple[str, str]]] = []

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        if resource == "tasks":
            self.asked.append((action, resource))
            return action in self.allowed
        return True


@pytest.fixture(autouse=True)
def fresh_rules() -> None:
    Rules.allowed = {"read", "write", "execute"}
    Rules.asked = []


@pytest.fixture
def jp_server_config(places: Path) -> Config:
    """Strict about authentication, with our extension and our authorizer."""
    return Config(
        {
            "ServerApp": {
                "jpserver_extensions": {"jupyter_tasks": True},
                "allow_unauthenticated_access": False,
                "authorizer_class": Rules,
            },
            "TasksExtension": {"launch_timeout": 1.0},
        }
    )


@pytest.fixture
def extension(jp_serverapp: Any) -> TasksExtension:
    (found,) = jp_serverapp.extension_manager.extension_apps["jupyter_tasks"]
    assert isinstance(found, TasksExtension)
    return found


@asynccontextmanager
async def started(extension: TasksExtension) -> AsyncIterator[None]:
    """The extension's life in the server's loop."""
    await extension._start_jupyter_server_extension(extension.serverapp)
    try:
        yield
    finally:
        await extension.stop_extension()


async def refused(call: Awaitable[Any]) -> HTTPClientError:
    with pytest.raises(HTTPClientError) as caught:
        await call
    return caught.value


async def make(house: House, name: str = "one") -> models.Task:
    return await house.service.create("me", models.CreateTaskRequest(name=name))


def test_no_handler_of_ours_lacks_a_decision_about_login(jp_serverapp: Any) -> None:
    from jupyter_tasks.server.forwarding import ROUTES

    for route, handler in ROUTES:
        assert jp_serverapp.web_app._check_handler_auth(route, handler) == []


async def test_requests_are_forwarded(jp_fetch: Fetch, places: Path) -> None:
    async with served() as house:
        body = json.dumps({"input": "do\nit", "name": "one"})
        made = await jp_fetch(ROOT, "tasks", "me", method="POST", body=body)
        assert made.code == 201
        assert json.loads(made.body)["initial_prompt"] == "do\nit"
        assert made.headers["Content-Type"] == "application/json"
        assert "default-src 'none'" in made.headers["Content-Security-Policy"]
        listed = await jp_fetch(ROOT, "tasks", params={"q": "status:pending"})
        assert json.loads(listed.body)["count"] == 1
        assert house.service.calls[-1] == ("list", "status:pending")
        sent = await jp_fetch(ROOT, "tasks/me/one/send", method="POST", body=json.dumps({"input": "hi"}))
        assert (sent.code, sent.body) == (204, b"")
        gone = await jp_fetch(ROOT, "tasks/me/one", method="DELETE")
        assert gone.code == 202
        error = await refused(jp_fetch(ROOT, "tasks/me/one"))
        assert error.code == 404
        assert json.loads(error.response.body)["code"] == "not_found"


async def test_nobody_gets_in_without_a_token(jp_fetch: Fetch, http_server_client: Any, places: Path) -> None:
    async with served() as house:
        await make(house)
        for method, path in (
            ("GET", "tasks"),
            ("GET", "events"),
            ("DELETE", "tasks/me/one"),
            ("POST", "tasks/me/one/terminal"),
            ("GET", "tasks/me/one/terminal"),
            ("PATCH", "tasks/me/one/input"),
        ):
            body = b"{}" if method in {"POST", "PATCH"} else None
            error = await refused(http_server_client.fetch(f"/a%40b/{ROOT}/{path}", method=method, body=body))
            assert error.code == 403, path
        assert house.service.calls == [house.service.calls[0]]


async def test_coders_token_header_is_jupyters(http_server_client: Any, jp_auth_header: Any, places: Path) -> None:
    token = jp_auth_header["Authorization"].split()[1]
    async with served():
        url = f"/a%40b/{ROOT}/tasks/me"
        headers = {"Coder-Session-Token": token}
        made = await http_server_client.fetch(url, method="POST", body=b'{"input": "x"}', headers=headers)
        assert made.code == 201
        wrong = {"Coder-Session-Token": "wrong"}
        error = await refused(http_server_client.fetch(url, method="POST", body=b'{"input": "x"}', headers=wrong))
        assert error.code == 403


async def test_a_cookie_alone_needs_the_xsrf_token(
    jp_serverapp: Any, http_server_client: Any, jp_auth_header: Any, places: Path
) -> None:
    token = jp_auth_header["Authorization"].split()[1]
    async with served():
        page = await http_server_client.fetch(f"/a%40b/tree?token={token}", follow_redirects=False, raise_error=False)
        login = "; ".join(value.split(";")[0] for value in page.headers.get_list("Set-Cookie"))
        assert login
        seen = await http_server_client.fetch(f"/a%40b/{ROOT}/tasks", headers={"Cookie": login})
        assert seen.code == 200
        error = await refused(
            http_server_client.fetch(f"/a%40b/{ROOT}/tasks/me", method="POST", body=b"{}", headers={"Cookie": login})
        )
        assert error.code == 403


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("GET", "tasks", "read"),
        ("GET", "tasks/me/one/terminal", "read"),
        ("POST", "tasks/me/one/terminal", "execute"),
        ("POST", "tasks/me/one/agentapi/message", "execute"),
        ("POST", "tasks/me/one/send", "write"),
        ("PATCH", "tasks/me/one/input", "write"),
        ("DELETE", "tasks/me/one", "write"),
        ("POST", "engine/handover", "write"),
        ("POST", "tasks/me/one/apply", "write"),
        ("POST", "tasks/me/one/answer", "write"),
        ("DELETE", "tasks/me/one/preview", "write"),
        ("GET", "keys", "read"),
        ("PUT", "keys/anthropic", "write"),
        ("POST", "keys/anthropic/test", "write"),
        ("DELETE", "keys/anthropic", "write"),
        ("POST", "prune", "write"),
    ],
)
async def test_the_authorizer_decides(jp_fetch: Fetch, places: Path, method: str, path: str, action: str) -> None:
    async with served() as house:
        await make(house)
        Rules.allowed = {"read", "write", "execute"} - {action}
        body = b"{}" if method in {"POST", "PATCH", "PUT"} else None
        calls = len(house.service.calls)
        error = await refused(jp_fetch(ROOT, path, method=method, body=body))
        assert error.code == 403
        body = json.loads(error.response.body)
        assert body["code"] == "forbidden"
        assert f"not authorized to {action}" in body["message"]
        assert Rules.asked == [(action, "tasks")]
        assert len(house.service.calls) == calls
        assert house.handovers == []


async def test_a_credential_passes_the_server_without_a_trace(
    jp_fetch: Fetch, places: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with served() as house:
        body = json.dumps({"secret": "sk-canary-71"})
        put = await jp_fetch(ROOT, "keys/anthropic", method="PUT", body=body)
        assert json.loads(put.body)["provider"] == "anthropic"
        request = house.service.calls[-1][2]
        assert isinstance(request, models.PutKeyRequest)
        assert request.secret.get_secret_value() == "sk-canary-71"
        wrong = await refused(jp_fetch(ROOT, "keys/anthropic", method="PUT", body='{"secret": ["sk-canary-71"]}'))
        assert wrong.code == 400
        assert b"canary" not in wrong.response.body
    logged = "\n".join(logging.Formatter().format(record) for record in caplog.records)
    assert "keys/anthropic" in logged
    assert "canary" not in logged


async def test_typing_cannot_be_smuggled_past_the_authorizer(
    http_server_client: Any, jp_auth_header: Any, places: Path
) -> None:
    Rules.allowed = {"read", "write"}
    async with served() as house:
        await make(house)
        for path in ("me/one/%74erminal", "me/one//terminal", "me/x/../one/terminal", "../tasks/me/one/terminal"):
            url = f"/a%40b/{ROOT}/tasks/{path}"
            body, headers = b'{"data": "eA=="}', dict(jp_auth_header)
            answer = await http_server_client.fetch(url, method="POST", body=body, headers=headers, raise_error=False)
            assert answer.code in {403, 404}, path
        assert not [call for call in house.service.calls if call[0] == "type"]


async def test_no_credential_crosses(jp_fetch: Fetch, jp_auth_header: Any, places: Path) -> None:
    """A raw listener where the engine should be sees what the extension sends."""
    from jupyter_tasks import places as where

    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        body = b'{"version": "99.0", "mode": "process"}' if b"buildinfo" in heard[-1] else b"{}"
        writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    token = jp_auth_header["Authorization"].split()[1]
    headers = {"Cookie": "canary-1=x", "X-XSRFToken": "canary-2", "Referer": "canary-3", "X-Other": "canary-4"}
    async with await asyncio.start_unix_server(listen, str(where.engine_socket())):
        answer = await jp_fetch(ROOT, "tasks", headers=headers, params={"token": token, "q": "x"})
    assert "a=b" not in answer.headers.get_list("Set-Cookie")
    asked = heard[-1]
    assert asked.startswith(b"GET /api/v2/tasks?q=x HTTP/1.1")
    assert token.encode() not in asked
    assert b"canary" not in asked
    assert b"authorization" not in asked.lower()


async def test_without_an_engine_one_sentence(
    jp_fetch: Fetch, extension: TasksExtension, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    error = await refused(jp_fetch(ROOT, "tasks"))
    assert error.code == 503
    body = json.loads(error.response.body)
    assert (body["code"], body["retryable"]) == ("engine_unavailable", True)
    assert body["message"].startswith("The engine of Jupyter Tasks")


async def test_the_engine_may_die_and_come_back(jp_fetch: Fetch, places: Path) -> None:
    for _ in range(2):
        async with served():
            assert (await jp_fetch(ROOT, "tasks")).code == 200


async def test_events_stream_through(http_server_client: Any, jp_auth_header: Any, places: Path) -> None:
    got: list[bytes] = []
    async with served() as house:
        url = f"/a%40b/{ROOT}/events?after=0"
        call = asyncio.ensure_future(
            http_server_client.fetch(
                url, headers=dict(jp_auth_header), streaming_callback=got.append, request_timeout=0
            )
        )
        await settle(lambda: b"".join(got).startswith(b": here"))
        await make(house)
        await settle(lambda: b"event: task" in b"".join(got))
        house.service.end_streams()
        with anyio.fail_after(45):
            answer = await call
        assert answer.headers["Content-Type"] == "text/event-stream"


# ---------------------------------------------------------------- previews


@asynccontextmanager
async def shown(jp_fetch: Fetch) -> AsyncIterator[tuple[House, Any, str]]:
    async with hostile_app() as app, served(FakeService(app_port=app.port)) as house:
        await make(house)
        made = await jp_fetch(ROOT, "tasks/me/one/preview", method="POST", body=b"")
        assert made.code == 201
        yield house, app, "/a%40b/jupyter-tasks/" + json.loads(made.body)["path"]


async def test_a_preview_needs_and_takes_no_login(jp_fetch: Fetch, http_server_client: Any, places: Path) -> None:
    async with shown(jp_fetch) as (_, app, path):
        headers = {"Cookie": "login=canary-1", "Authorization": "token canary-2", "X-Forwarded-Prefix": "/canary-3"}
        for method, body in (
            ("GET", None),
            ("POST", b"x" * 300_000),
            ("PUT", b""),
            ("DELETE", None),
            ("OPTIONS", None),
        ):
            answer = await http_server_client.fetch(f"{path}a%2Fb?c=d", method=method, body=body, headers=headers)
            assert answer.code == 200
            seen = app.seen[-1]
            assert seen[:2] == (method, "/a%2Fb?c=d")
            assert seen[3] == len(body or b"")
            assert "canary" not in json.dumps(seen[2])
            assert {n.lower(): v for n, v in seen[2]}["x-forwarded-prefix"] == path.rstrip("/")
            assert answer.headers.get_list("Content-Security-Policy") == [SANDBOX, "img-src 'none'"]
            assert answer.headers.get_list("Access-Control-Allow-Origin") == ["*"]
            assert "Set-Cookie" not in answer.headers
        moved = await http_server_client.fetch(f"{path}redirect?to=/x", follow_redirects=False, raise_error=False)
        assert moved.headers["Location"] == f"{path}x"
        bare = await http_server_client.fetch(path.rstrip("/"), follow_redirects=False, raise_error=False)
        assert (bare.code, bare.headers["Location"]) == (307, path)


async def test_errors_of_a_preview_are_sandboxed_too(
    jp_fetch: Fetch, http_server_client: Any, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shown(jp_fetch) as (_, _, path):
        wrong = path[:-5] + "zzzz/"
        host = {"Host": "evil.test"}
        for url, headers, code in ((wrong, {}, 404), (f"{path}garbage", {}, 502), (path, host, 403)):
            answer = await http_server_client.fetch(url, headers=headers, raise_error=False)
            assert answer.code == code
            assert answer.headers.get_list("Content-Security-Policy") == [SANDBOX], url
    monkeypatch.setattr("sys.executable", "/bin/false")
    answer = await http_server_client.fetch(path, raise_error=False)
    assert answer.code == 503
    assert answer.headers.get_list("Content-Security-Policy") == [SANDBOX]


async def test_a_previews_websocket(jp_fetch: Fetch, http_server_client: Any, places: Path) -> None:
    async with shown(jp_fetch) as (_, app, path):
        url = http_server_client.get_url(f"{path}ws").replace("http", "ws", 1)
        socket = await websocket_connect(HTTPRequest(url, headers={"Cookie": "canary", "Origin": "http://evil.test"}))
        for text in ("hello", "y" * 60_000):
            await socket.write_message(text)
            with anyio.fail_after(45):
                assert await socket.read_message() == text
        socket.close()
        assert "canary" not in json.dumps(app.seen[-1][2])
        assert "Set-Cookie" not in socket.headers


async def test_the_capability_is_in_no_log_of_jupyter(
    jp_fetch: Fetch, http_server_client: Any, places: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with shown(jp_fetch) as (_, _, path):
        word = path.rstrip("/").rpartition("/")[2]
        for name in ("", "garbage", "status?500", "status?404", "redirect?to=//evil"):
            await http_server_client.fetch(
                f"{path}{name}", headers={"Referer": path}, raise_error=False, follow_redirects=False
            )
        await http_server_client.fetch(path, headers={"Host": "evil.test", "Referer": path}, raise_error=False)
    text = "\n".join(caplog.handler.format(record) for record in caplog.records)
    assert "[capability]" in text
    assert word not in text


# ---------------------------------------------------------------- events to browsers, life


@asynccontextmanager
async def heard(extension: TasksExtension) -> AsyncIterator[list[dict[str, Any]]]:
    """What every Lab tab would get."""
    events: list[dict[str, Any]] = []

    async def listener(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        assert schema_id == SCHEMA
        events.append(data)

    async with started(extension):
        extension.serverapp.event_logger.add_listener(schema_id=SCHEMA, listener=listener)
        yield events


async def test_browsers_hear_of_tasks_but_no_words(extension: TasksExtension, places: Path) -> None:
    async with served() as house, heard(extension) as events:
        await settle(lambda: events)
        assert events[0] == {"kind": "reset", "event_id": 0}
        request = models.CreateTaskRequest(name="canary-name", input="canary-prompt")
        task = await house.service.create("me", request)
        await house.service.send("me", task.id, "canary-words")
        house.service.set_state(task, models.TaskState.working)
        house.service.publish(models.EventType.usage, None, {"actual": 1, "included": 1000})
        await settle(lambda: len(events) == 4)
        assert events[1]["task_id"] == task.id
        assert (events[1]["status"], events[1]["deleted"]) == ("pending", False)
        assert (events[2]["status"], events[2]["state"], events[2]["event_id"]) == ("active", "working", 3)
        assert events[3] == {"kind": "usage", "event_id": 4, "actual": 1, "included": 1000}
        assert "canary" not in json.dumps(events)


@pytest.mark.slow
async def test_events_survive_the_engines_death(extension: TasksExtension, places: Path) -> None:
    service = FakeService()
    async with heard(extension) as events:
        async with served(service):
            await settle(lambda: events)
        task = await service.create("me", models.CreateTaskRequest(name="meanwhile"))
        async with served(service):
            await settle(lambda: len(events) == 2)
            assert events[1]["task_id"] == task.id
        async with served(FakeService()):  # another store: its numbers begin anew
            await settle(lambda: len(events) == 3)
            assert events[2] == {"kind": "reset", "event_id": 0}


async def test_work_keeps_the_server_and_waiting_does_not(extension: TasksExtension, places: Path) -> None:
    async with served() as house:
        task = house.service.set_state(await make(house), models.TaskState.working)
        async with started(extension):
            await settle(lambda: extension.keep_alive.working)
            assert extension.current_activity() == {"working": 1}
            waiting = task.model_copy(
                update={"attention": models.Attention(kind="question", text="?", since=task.created_at)}
            )
            house.service.set_state(waiting, models.TaskState.working)
            await settle(lambda: not extension.keep_alive.working)
            house.service.set_state(task, models.TaskState.working)
            await settle(lambda: extension.keep_alive.working)
            await house.service.pause("me", task.id)
            await settle(lambda: not extension.keep_alive.working)
            assert extension.current_activity() is None


@pytest.mark.parametrize(("choice", "paused"), [("pause", True), ("continue", False)])
async def test_what_becomes_of_work_as_the_last_server_stops(
    extension: TasksExtension, places: Path, choice: str, paused: bool
) -> None:
    extension.on_stop = choice
    async with served() as house:
        working = house.service.set_state(await make(house), models.TaskState.working)
        idle = house.service.set_state(await make(house, "two"), models.TaskState.idle)
        async with started(extension):
            pass
        found = [call[2] for call in house.service.calls if call[0] == "pause"]
        assert found == ([working.id] if paused else [])
        assert idle.id not in found


async def test_another_server_keeps_work_going(extension: TasksExtension, places: Path) -> None:
    extension.on_stop = "pause"
    runtime = Path(extension.serverapp.runtime_dir)
    (runtime / "jpserver-1.json").write_text(json.dumps({"pid": 1, "url": "http://x/"}))
    async with served() as house:
        house.service.set_state(await make(house), models.TaskState.working)
        async with started(extension):
            pass
        assert not [call for call in house.service.calls if call[0] == "pause"]


async def test_what_only_reads_is_asked_again_when_the_engine_dies_in_between(jp_fetch: Fetch, places: Path) -> None:
    from jupyter_tasks import places as where

    asked: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0]
        body = b'{"version": "99.0"}' if b"buildinfo" in line else b"{}"
        if b"buildinfo" not in line:
            asked.append(line.split()[0])
        if b"buildinfo" in line or asked == [b"GET", b"GET"]:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(listen, str(where.engine_socket())):
        assert (await jp_fetch(ROOT, "tasks")).code == 200
        asked.clear()
        error = await refused(jp_fetch(ROOT, "tasks/me", method="POST", body="{}"))
        assert error.code == 503
        assert asked == [b"POST"]
