"""AgentAPI's HTTP, byte for byte where clients look, over a real socket with a real client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from pathlib import Path

import anyio
import httpx
import pytest
from agent_on_screen import Agent, talking

from jupyter_tasks.agentapi.api import MAX_UPLOAD, AgentApi
from jupyter_tasks.agentapi.event_feed import MAX_QUEUE, EventFeed, rfc3339
from jupyter_tasks.agentapi.http11 import App, Limits, serve_connection
from jupyter_tasks.testing.clock import FakeClock

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def served(app: App, path: Path, limits: Limits | None = None) -> AsyncIterator[httpx.AsyncClient]:
    listener = await anyio.create_unix_listener(path)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(lambda: listener.serve(lambda stream: serve_connection(stream, app, limits=limits)))
        transport = httpx.AsyncHTTPTransport(uds=str(path))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:3284", timeout=40) as client:
            yield client
        group.cancel_scope.cancel()


@asynccontextmanager
async def api(tmp_path: Path, agent: Agent | None = None, clock: FakeClock | None = None, **options: object):  # type: ignore[no-untyped-def]
    """(client, agent, clock) of an AgentAPI over an agent that has said hello."""
    agent, clock = agent or Agent(), clock or FakeClock()
    async with talking(agent, clock) as (conversation, _):
        agent.show("Hello <you> & me.\n> ")
        await clock.advance(3)
        app = AgentApi(conversation, agent_type="custom", clock=clock, **options)  # type: ignore[arg-type]
        async with app, served(app, tmp_path / "s") as client:
            yield client, agent, clock


async def test_status_and_messages(tmp_path: Path) -> None:
    async with api(tmp_path) as (client, _, _):
        answer = await client.get("/status")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["link"] == '</schemas/StatusResponseBody.json>; rel="describedBy"'
        assert answer.json() == {
            "$schema": "http://localhost:3284/schemas/StatusResponseBody.json",
            "agent_type": "custom",
            "status": "stable",
            "transport": "pty",
        }
        body = (await client.get("/messages")).json()
        (message,) = body["messages"]
        assert message.keys() == {"content", "id", "role", "time"}
        assert (message["content"], message["id"], message["role"]) == ("Hello <you> & me.", 0, "agent")
        assert message["time"].startswith("2026-01-01T00:00:0")
        assert message["time"].endswith("Z")


async def turning(clock: FakeClock, done: anyio.Event) -> None:
    while not done.is_set():
        await clock.advance(0.1)
        await anyio.sleep(0.001)


async def test_a_message_is_taken_and_reads_answer_meanwhile(tmp_path: Path) -> None:
    async with api(tmp_path) as (client, agent, clock), anyio.create_task_group() as group:
        answers: list[httpx.Response] = []
        done = anyio.Event()

        async def post() -> None:
            answers.append(await client.post("/message", json={"content": " hi \n", "type": "user"}))
            done.set()

        agent.echo = False  # so that the send takes its two seconds
        group.start_soon(post)
        with anyio.fail_after(40):
            while (await client.get("/status")).json()["status"] != "running":
                pass
        assert not done.is_set()
        group.start_soon(turning, clock, done)
        await done.wait()
        assert answers[0].status_code == 200
        assert answers[0].json()["ok"] is True
        assert agent.taken == ["hi"]


async def test_raw_keys_are_typed_as_they_are(tmp_path: Path) -> None:
    async with api(tmp_path) as (client, agent, _):
        answer = await client.post("/message", json={"content": "\x1b[A", "type": "raw"})
        assert answer.json()["ok"] is True
        assert agent.writes == [b"\x1b[A"]


async def test_a_busy_agent_refuses(tmp_path: Path) -> None:
    async with api(tmp_path) as (client, agent, clock):
        agent.show("working …")
        await clock.advance(0.1)
        answer = await client.post("/message", json={"content": "hi", "type": "user"})
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert (body["title"], body["status"], body["detail"]) == (
            "Internal Server Error",
            500,
            "unexpected error occurred",
        )
        reason = "message can only be sent when the agent is waiting for user input"
        assert body["errors"] == [{"message": f"failed to send message: {reason}"}]


async def test_wrong_messages(tmp_path: Path) -> None:
    cases: list[tuple[bytes, int, str]] = [
        (b"", 400, "request body is required"),
        (b"{", 400, "not valid JSON"),
        (b"[]", 422, "body"),
        (b'{"content":"x"}', 422, "type"),
        (b'{"content":"x","type":"other"}', 422, "body.type"),
        (b'{"content":1,"type":"user"}', 422, "body.content"),
        (b'{"content":"x","type":"user","more":1}', 422, "body.more"),
        (b'{"content":"  ","type":"user"}', 500, "message must not be empty"),
        (b"[" * 100_000, 400, "not valid JSON"),
        (b" " * ((1 << 20) + 1), 413, "request body is too large limit=1048576 bytes"),
    ]
    async with api(tmp_path) as (client, agent, _):
        for body, status, text in cases:
            answer = await client.post("/message", content=body)
            assert answer.status_code == status, body[:40]
            assert text in answer.text
            assert answer.headers["content-type"] == "application/problem+json"
        assert agent.writes == []


async def test_unknown_paths_and_methods(tmp_path: Path) -> None:
    async with api(tmp_path) as (client, _, _):
        assert (await client.get("/nope")).status_code == 404
        assert (await client.delete("/status")).status_code == 405
        assert (await client.get("/chat/embed")).status_code == 404
        root = await client.get("/")
        assert (root.status_code, root.headers["location"]) == (307, "/chat/embed")
        assert (await client.head("/status")).status_code == 200
        assert (await client.get("/schemas/Message.json")).json()["type"] == "object"
        assert (await client.get("/schemas/Nope.json")).status_code == 404


async def test_the_openapi_document(tmp_path: Path) -> None:
    async with api(tmp_path) as (client, _, _):
        document = (await client.get("/openapi.json")).json()
    from openapi_spec_validator import validate

    validate(document)
    operations = {method["operationId"] for path in document["paths"].values() for method in path.values()}
    assert operations == {"get-messages", "get-status", "post-message", "post-upload", "subscribeEvents"}
    assert " ".join(document["components"]["schemas"]) == (
        "AgentStatus ConversationRole ErrorBody ErrorDetail ErrorLevel ErrorModel Message MessageRequestBody "
        "MessageResponseBody MessageType MessageUpdateBody MessagesResponseBody ScreenUpdateBody StatusChangeBody "
        "StatusResponseBody Transport UploadResponseBody"
    )


async def frames(answer: httpx.Response) -> AsyncIterator[tuple[str, dict[str, object]]]:
    event = ""
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            event = line[7:]
        elif line.startswith("data: "):
            yield event, json.loads(line[6:])


async def test_events_replay_then_follow(tmp_path: Path) -> None:
    async with api(tmp_path) as (client, agent, clock), client.stream("GET", "/events") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["cache-control"] == "no-cache, no-store, must-revalidate"
        assert answer.headers["x-accel-buffering"] == "no"
        following = frames(answer)
        event, data = await anext(following)
        assert event == "message_update"
        assert data.keys() == {"id", "message", "role", "time"}
        assert data["message"] == "Hello <you> & me."
        assert await anext(following) == ("status_change", {"status": "stable", "agent_type": "custom"})
        agent.show("\x1b[1;1HHi      ")
        await clock.advance(0.2)
        assert (await anext(following))[0] in ("message_update", "status_change")
        agent.conversation.closed(9)  # type: ignore[union-attr]
        seen = [await anext(following)]
        while seen[-1][0] != "status_change" or seen[-1][1]["status"] != "stable":
            seen.append(await anext(following))
        assert [data["level"] for event, data in seen if event == "agent_error"] == ["error"]


async def test_go_escapes_what_html_could_misread(tmp_path: Path) -> None:
    async with api(tmp_path) as (client, _, _), client.stream("GET", "/events") as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                assert "Hello \\u003cyou\\u003e \\u0026 me." in line
                break


async def test_the_screen_is_streamed_when_it_changes(tmp_path: Path) -> None:
    async with api(tmp_path) as (client, agent, clock), client.stream("GET", "/internal/screen") as answer:
        following = frames(answer)
        assert await anext(following) == ("screen", {"screen": "Hello <you> & me.\n>"})
        agent.show("typed")
        await clock.advance(0.5)
        assert await anext(following) == ("screen", {"screen": "Hello <you> & me.\n> typed"})


async def test_uploads(tmp_path: Path) -> None:
    stored: dict[str, bytes] = {}

    async def upload(name: str, data: bytes) -> str:
        stored[name] = data
        return f"/uploads/{name}"

    names = {
        "a.jpg": "a.jpg",
        "with (spaces) x.txt": "with (spaces) x.txt",
        "/etc/passwd": "passwd",
        "../../up": "up",
        "..": "file",
        "a/b/c": "c",
        "back\\slash": "back\\slash",
    }
    async with api(tmp_path, upload=upload) as (client, _, _):
        for given, kept in names.items():
            answer = await client.post("/upload", files={"file": (given, b"\x00\r\n--x\xff", "image/jpeg")})
            assert answer.status_code == 200, answer.text
            assert answer.json()["filePath"].rpartition("/")[2] == kept.replace("\\", "\\")
            assert stored[kept] == b"\x00\r\n--x\xff"
        assert (await client.post("/upload", files={"file": ("empty", b"")})).status_code == 200
        assert (await client.post("/upload", files={"other": ("a", b"x")})).status_code == 422
        assert (await client.post("/upload", json={"file": "x"})).status_code == 422
        assert (await client.post("/upload", files={"file": ("big", b"x" * MAX_UPLOAD)})).status_code == 200
        answer = await client.post("/upload", files={"file": ("big", b"x" * (MAX_UPLOAD + 1))})
        assert (answer.status_code, answer.json()["detail"]) == (400, "file size exceeds 10MB limit")
    async with api(tmp_path / "..", Agent()) as (client, _, _):
        assert (await client.post("/upload", files={"file": ("a", b"x")})).status_code == 500


async def test_a_subscriber_that_does_not_read_is_dropped(tmp_path: Path) -> None:
    clock, agent = FakeClock(), Agent()
    async with talking(agent, clock) as (conversation, _):
        feed = EventFeed(conversation, "custom", clock)
        stream = feed.events()
        assert (await anext(stream)).startswith(b"event: status_change")
        for n in range(MAX_QUEUE + 5):
            feed.on_error(str(n))
        rest = [frame async for frame in stream]
        assert len(rest) == MAX_QUEUE
        late = feed.events()
        replayed = [await anext(late) for _ in range(101)]
        assert b'"message":"1028"' in replayed[-1]
        assert b'"message":"929"' in replayed[1]
        await late.aclose()  # type: ignore[attr-defined]


def test_times_are_written_as_go_writes_them() -> None:
    assert rfc3339(datetime(2026, 1, 2, 3, 4, 5, 120_000, timezone.utc)) == "2026-01-02T03:04:05.12Z"
    assert rfc3339(datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)) == "2026-01-02T03:04:05Z"
