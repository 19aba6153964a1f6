"""The gateway: what passes, what does not, what is written down."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx
import pytest
from gateway_rig import SECRET, TOKEN, Asked, Rig, rigged, running, sse, streamed, whole
from traitlets import TraitError
from traitlets.config import Config

from jupyter_tasks.clock import SystemClock
from jupyter_tasks.metering.credentials import Credentials
from jupyter_tasks.metering.gateway import Gateway
from jupyter_tasks.metering.gateway_wire import WireLimits

pytestmark = [pytest.mark.usefixtures("anyio_backend"), pytest.mark.anyio]

MESSAGE = json.dumps(
    {
        "model": "claude-haiku-4-5-20251001",
        "usage": {
            "input_tokens": 1000,
            "output_tokens": 200,
            "cache_read_input_tokens": 50,
            "cache_creation_input_tokens": 10,
        },
    }
).encode()
STREAM = (
    sse(
        "message_start",
        {
            "type": "message_start",
            "message": {"model": "claude-haiku-4-5", "usage": {"input_tokens": 7, "output_tokens": 1}},
        },
    ),
    sse("content_block_delta", {"type": "content_block_delta", "delta": {"text": 'my "usage": {"input_tokens": 99}'}}),
    sse("message_delta", {"type": "message_delta", "usage": {"output_tokens": 30}}),
    sse("message_stop", {"type": "message_stop"}),
)


@rigged
async def test_token_becomes_key(rig: Rig) -> None:
    rig.upstream.answer = whole(200, MESSAGE, "request-id: r-1", "set-cookie: a=b", "x-ratelimit-left: 3")
    sent = {
        "cookie": "c=1",
        "x-forwarded-for": "10.0.0.1",
        "jupyter-x": "1",
        "connection": "keep-alive, x-mine",
        "x-mine": "1",
        "anthropic-beta": "tools",
        "user-agent": "cli/1",
    }
    answer = await rig.post("/anthropic/v1/messages?beta=true", headers=sent)
    assert (answer.status_code, answer.content) == (200, MESSAGE)
    assert answer.headers["request-id"] == "r-1"
    assert answer.headers["x-ratelimit-left"] == "3"
    assert "set-cookie" not in answer.headers
    [asked] = rig.upstream.asked
    assert asked.line == "POST /v1/messages?beta=true HTTP/1.1"
    assert asked.header("x-api-key") == SECRET
    assert asked.header("host") == f"127.0.0.1:{rig.upstream.port}"
    assert asked.header("accept-encoding") == "identity"
    assert asked.header("anthropic-beta") == "tools"
    assert asked.header("user-agent") == "cli/1"
    for name in ("cookie", "x-forwarded-for", "jupyter-x", "x-mine", "authorization", "connection"):
        assert asked.header(name) is None, name
    assert not any(TOKEN in value for _, value in asked.headers)
    [call] = await rig.written()
    assert (call.model, call.status, call.problem) == ("claude-haiku-4-5-20251001", 200, None)
    assert (call.input, call.output, call.cache_read, call.cache_write) == (1000, 200, 50, 10)
    assert call.cost == round(1000 * 1 + 200 * 5 + 50 * 0.1 + 10 * 1.25)
    assert (call.task_id, call.build_id, call.provider) == ("task", "build", "anthropic")


@rigged
async def test_stream_passes_byte_for_byte_as_it_comes(rig: Rig) -> None:
    turn = asyncio.Event()

    async def answer(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for piece in STREAM:
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
            await asyncio.wait_for(turn.wait(), 5)  # nothing more comes before the client has this
            turn.clear()
        writer.write(b"0\r\n\r\n")

    rig.upstream.answer = answer
    got = []
    async with rig.client.stream("POST", "/anthropic/v1/messages", headers={"x-api-key": TOKEN}, json={}) as reply:
        async for piece in reply.aiter_raw():
            got.append(piece)
            turn.set()
    assert got == list(STREAM)
    [call] = await rig.written()
    assert (call.input, call.output, call.problem) == (7, 30, None)


@rigged
async def test_oauth_token_goes_as_its_vendor_expects(rig: Rig) -> None:
    rig.credentials.add("anthropic", "sk-ant-oat01-abc", base_url=rig.upstream.url)  # no restart
    rig.upstream.answer = whole(200, MESSAGE)
    await rig.post(headers={"anthropic-beta": "tools"})
    await rig.post(headers={"anthropic-beta": "oauth-2025-04-20,tools"})
    await rig.post()
    first, second, third = rig.upstream.asked
    assert first.header("authorization") == "Bearer sk-ant-oat01-abc"
    assert first.header("x-api-key") is None
    assert first.header("anthropic-beta") == "tools,oauth-2025-04-20"
    assert second.header("anthropic-beta") == "oauth-2025-04-20,tools"
    assert third.header("anthropic-beta") == "oauth-2025-04-20"
    calls = await rig.written(3)
    assert [call.cost for call in calls] == [None] * 3  # a subscription is not paid by the token
    assert calls[0].input == 1000


@pytest.mark.parametrize(
    ("path", "body", "figures"),
    [
        (
            "/openai/v1/chat/completions",
            {"model": "gpt-4o-2024-08-06", "usage": {"prompt_tokens": 10, "completion_tokens": 5}},
            (10, 5, 0),
        ),
        (
            "/openai/v1/responses",
            {
                "model": "gpt-5-codex",
                "error": None,
                "usage": {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 5},
            },
            (6, 5, 4),
        ),
    ],
)
@rigged
async def test_openai(rig: Rig, path: str, body: dict[str, object], figures: tuple[int, int, int]) -> None:
    rig.upstream.answer = whole(200, json.dumps(body).encode())
    answer = await rig.client.post(path, headers={"authorization": f"Bearer {TOKEN}"}, json={"model": "x"})
    assert answer.status_code == 200
    [asked] = rig.upstream.asked
    assert asked.line == f"POST {path.removeprefix('/openai')} HTTP/1.1"
    assert asked.header("authorization") == f"Bearer {SECRET}"
    [call] = await rig.written()
    assert (call.input, call.output, call.cache_read) == figures
    assert call.cost
    assert call.problem is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-api-key": ""},
        {"x-api-key": TOKEN + "x"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": "Bearer " + SECRET},
        {"x-api-key": "\xff"},
    ],
)
@rigged
async def test_another_token_opens_nothing(rig: Rig, headers: dict[str, str]) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = await rig.client.post("/anthropic/v1/messages", headers=raw, json={})
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "authentication_error"
    other = await rig.client.post("/openai/v1/responses", headers=raw, json={})
    assert other.json()["error"]["code"] == "invalid_token"
    assert not rig.upstream.asked
    assert not rig.calls


@rigged
async def test_missing_key_is_said_in_the_vendors_shape(rig: Rig) -> None:
    rig.credentials.remove("anthropic")
    answer = await rig.post()
    assert answer.status_code == 401
    assert "jupyter tasks keys add anthropic" in answer.json()["error"]["message"]
    assert answer.headers["x-should-retry"] == "false"


@rigged
async def test_an_unsafe_file_is_not_used(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "state" / "keys.json").chmod(0o644)
    answer = await rig.post()
    assert answer.status_code == 401
    assert str(tmp_path) not in answer.text
    assert not rig.upstream.asked


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/v1/messages",
        "/anthropic",
        "/anthropicx/v1",
        "/anthropic/v1/organizations/api_keys",
        "/anthropic/v1/files",
        "/anthropic/v1/messages/batches",
        "/openai/v1/files/f/content",
        "/openai/v1/responses/resp_1",
        "/anthropic/../openai/v1/x",
        "/anthropic/v1/%2e%2e/x",
        "/anthropic/v1/..%2fx",
        "/anthropic/%5c..%5cx",
        "/anthropic/v1/\\x",
        "http://other.example/x",
    ],
)
@rigged
async def test_paths_that_lead_nowhere(rig: Rig, target: str) -> None:
    status, _ = await raw(rig, f"POST {target} HTTP/1.1\r\nhost: x\r\nx-api-key: {TOKEN}\r\ncontent-length: 0\r\n\r\n")
    assert status == 404
    assert not rig.upstream.asked


async def test_a_task_uses_the_providers_of_its_template(tmp_path: Path) -> None:
    async with running(tmp_path, providers=frozenset({"anthropic"})) as rig:
        rig.upstream.answer = whole(200, MESSAGE)
        assert (await rig.post()).status_code == 200
        refused = await rig.post("/openai/v1/responses")
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_this_provider")
        assert len(rig.upstream.asked) == 1


@pytest.mark.parametrize("method", ["PUT", "DELETE", "CONNECT", "OPTIONS"])
@rigged
async def test_other_methods(rig: Rig, method: str) -> None:
    status, _ = await raw(rig, f"{method} /anthropic/v1/x HTTP/1.1\r\nhost: x\r\nx-api-key: {TOKEN}\r\n\r\n")
    assert status == 404
    assert not rig.upstream.asked


@rigged
async def test_slashes_and_the_absolute_form_are_made_plain(rig: Rig) -> None:
    rig.upstream.answer = whole(200, b"{}")
    for target in ("/anthropic//v1/models?a=b&key=x", "http://other.example/anthropic/v1/models?a=b"):
        status, _ = await raw(rig, f"GET {target} HTTP/1.1\r\nhost: x\r\nx-api-key: {TOKEN}\r\n\r\n")
        assert status == 200
    assert {asked.line for asked in rig.upstream.asked} == {"GET /v1/models?a=b HTTP/1.1"}
    assert not rig.calls  # a look at the models is no call of one


@rigged
async def test_counting_tokens_is_not_written_down(rig: Rig) -> None:
    rig.upstream.answer = whole(200, b'{"input_tokens": 3}')
    assert (await rig.post("/anthropic/v1/messages/count_tokens")).json() == {"input_tokens": 3}
    rig.upstream.answer = whole(200, MESSAGE)
    await rig.post()
    assert len(await rig.written()) == 1


@rigged
async def test_the_vendors_errors_pass_and_are_kept_in_words(rig: Rig) -> None:
    body = json.dumps({"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}).encode()
    rig.upstream.answer = whole(429, body, "retry-after: 17")
    answer = await rig.post()
    assert (answer.status_code, answer.content, answer.headers["retry-after"]) == (429, body, "17")
    [call] = await rig.written()
    assert (call.status, call.problem, call.cost) == (429, "Anthropic answered 429: slow down", 0)
    assert call.model == "claude-haiku-4-5"  # as asked


@rigged
async def test_a_key_in_an_answer_does_not_arrive(rig: Rig) -> None:
    said = json.dumps({"error": {"message": f"bad key {SECRET} ({SECRET})"}}).encode()
    rig.upstream.answer = whole(401, said, f"x-key: {SECRET}", "x-other: 1")
    answer = await rig.post()
    assert SECRET not in answer.text
    assert len(answer.content) == len(said)
    assert "x-key" not in answer.headers
    assert answer.headers["x-other"] == "1"
    [call] = await rig.written()
    assert SECRET not in (call.problem or "")
    assert "bad key ***" in (call.problem or "")


@rigged
async def test_a_key_in_a_stream_does_not_arrive_however_it_is_cut(rig: Rig) -> None:
    rig.upstream.answer = streamed(*(bytes([byte]) for byte in b"ss " + SECRET.encode() + b" sk-an"))
    answer = await rig.post()
    assert answer.content == b"ss " + b"*" * len(SECRET) + b" sk-an"


@rigged
async def test_a_compressed_error_is_not_let_through(rig: Rig) -> None:
    rig.upstream.answer = whole(401, b"\x1f\x8b...", "content-encoding: gzip")
    answer = await rig.post()
    assert answer.status_code == 401
    assert "Anthropic answered 401" in answer.json()["error"]["message"]


@rigged
async def test_nobody_there(rig: Rig) -> None:
    rig.credentials.add("anthropic", SECRET, base_url="http://127.0.0.1:1")
    answer = await rig.post()
    assert answer.status_code == 502
    assert "127.0.0.1 cannot be reached" in answer.json()["error"]["message"]
    [call] = await rig.written()
    assert (call.status, call.input, call.cost) == (0, 0, 0)
    assert "cannot be reached" in (call.problem or "")


@rigged
async def test_no_tls_where_tls_should_be(rig: Rig) -> None:
    rig.upstream.answer = whole(200, MESSAGE)
    rig.credentials.add("anthropic", SECRET, base_url=f"https://127.0.0.1:{rig.upstream.port}")
    answer = await rig.post()
    assert answer.status_code == 502
    assert not rig.upstream.asked


@rigged
async def test_cut_in_mid_stream_is_cut_for_the_client_too(rig: Rig) -> None:
    rig.upstream.answer = streamed(*STREAM[:2], end=False)
    with pytest.raises(httpx.RemoteProtocolError):
        await rig.post()
    [call] = await rig.written()
    assert (call.status, call.input, call.output) == (200, 7, 1)  # what was seen counts
    assert "cut" in (call.problem or "")


@rigged
async def test_cut_within_a_length(rig: Rig) -> None:
    async def answer(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{")
        await writer.drain()
        writer.close()

    rig.upstream.answer = answer
    with pytest.raises(httpx.RemoteProtocolError):
        await rig.post()
    [call] = await rig.written()
    assert "cut" in (call.problem or "")


@rigged
async def test_cut_before_the_head(rig: Rig) -> None:
    async def answer(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.close()

    rig.upstream.answer = answer
    answer_ = await rig.post()
    assert answer_.status_code == 502
    assert "broke the connection off" in (await rig.written())[0].problem  # type: ignore[operator]


@pytest.mark.slow
async def test_slow_first_byte(tmp_path: Path) -> None:
    async def answer(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with running(tmp_path, config=Config({"Gateway": {"answer_timeout": 1.0}})) as rig:
        rig.upstream.answer = answer
        reply = await rig.post()
        assert reply.status_code == 504
        assert "did not answer in time" in reply.json()["error"]["message"]


@rigged
async def test_an_error_in_the_stream_is_kept(rig: Rig) -> None:
    failed = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    rig.upstream.answer = streamed(STREAM[0], sse("error", failed))
    await rig.post()
    [call] = await rig.written()
    assert (call.input, call.problem) == (7, "The answer broke off with the vendor's error: Overloaded")


@rigged
async def test_no_usage_is_a_problem(rig: Rig) -> None:
    rig.upstream.answer = whole(200, b"[]")
    await rig.post()
    [call] = await rig.written()
    assert (call.status, call.input, call.problem) == (200, 0, "The answer did not say what it used.")


@rigged
async def test_a_client_that_goes_ends_the_call_upstream(rig: Rig) -> None:
    begun = anyio.Event()

    async def answer(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        writer.write(b"%x\r\n%s\r\n" % (len(STREAM[0]), STREAM[0]))
        await writer.drain()
        begun.set()
        await asyncio.sleep(30)

    rig.upstream.answer = answer
    async with rig.client.stream("POST", "/anthropic/v1/messages", headers={"x-api-key": TOKEN}, json={}):
        await begun.wait()
    [call] = await rig.written()
    assert (call.problem, call.input) == ("The agent broke off before the answer ended.", 7)


@rigged
async def test_a_client_that_goes_before_the_answer_begins(rig: Rig) -> None:
    begun = anyio.Event()

    async def answer(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        begun.set()
        await asyncio.sleep(30)

    rig.upstream.answer = answer
    with anyio.move_on_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(rig.post)
            await begun.wait()
            group.cancel_scope.cancel()
    [call] = await rig.written()
    assert (call.status, call.problem) == (0, "The agent broke off before the answer ended.")


@rigged
async def test_stopping_the_workspace_writes_the_call_down(rig: Rig) -> None:
    begun = anyio.Event()

    async def answer(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        begun.set()
        await asyncio.sleep(30)

    rig.upstream.answer = answer
    near, far = await pair()
    async with anyio.create_task_group() as group:
        group.start_soon(rig.gateway.serve, far, rig.grant)
        await near.send(f"POST /anthropic/v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {TOKEN}\r\n".encode())
        await near.send(b"content-length: 2\r\n\r\n{}")
        await begun.wait()
        group.cancel_scope.cancel()
    assert [call.problem for call in rig.calls] == ["The workspace was stopped before the answer ended."]
    await near.aclose()


@rigged
async def test_many_calls_on_one_connection_and_many_at_once(rig: Rig) -> None:
    rig.upstream.answer = streamed(*STREAM)
    for _ in range(3):
        assert (await rig.post()).status_code == 200
    assert (await rig.post(content=b"x" * 3_000_000)).status_code == 200
    assert len(rig.upstream.asked[-1].body) == 3_000_000
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(rig.post)
    assert len(await rig.written(24)) == 24
    assert all(call.output == 30 for call in rig.calls)


async def test_more_calls_than_may_run(tmp_path: Path) -> None:
    release = anyio.Event()

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        await whole(200, MESSAGE)(asked, writer)

    async with running(tmp_path, config=Config({"Gateway": {"concurrent_calls": 2}})) as rig:
        rig.upstream.answer = answer
        statuses = []

        async def one() -> None:
            statuses.append((await rig.post()).status_code)

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(one)
            with anyio.fail_after(40):
                while not statuses:  # noqa: ASYNC110
                    await anyio.sleep(0.005)
            release.set()
        assert sorted(statuses) == [200, 200, 429]


async def test_bodies_are_bounded(tmp_path: Path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 1000

    async with running(tmp_path, limits=WireLimits(body=50_000)) as rig:
        rig.upstream.answer = whole(200, MESSAGE)
        assert (await rig.post(content=b"x" * 50_001)).status_code == 413
        assert (await rig.post(content=pieces())).status_code == 413
        assert (await rig.post(content=b"x" * 50_000)).status_code == 200


@rigged
async def test_a_body_in_chunks(rig: Rig) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(5):
            yield b"%d" % number * 10_000

    rig.upstream.answer = whole(200, MESSAGE)
    assert (await rig.post(content=pieces())).status_code == 200
    assert rig.upstream.asked[0].body == b"".join(b"%d" % number * 10_000 for number in range(5))


@pytest.mark.slow
async def test_slow_clients(tmp_path: Path) -> None:
    limits = WireLimits(head_timeout=0.1, body_timeout=0.1, idle_timeout=0.3)
    async with running(tmp_path, limits=limits) as rig:
        assert (await raw(rig, "POST /anthropic"))[0] == 408
        head = f"POST /anthropic/v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {TOKEN}\r\ncontent-length: 9\r\n\r\n"
        assert (await raw(rig, head))[0] == 408
        assert (await raw(rig, ""))[0] == 0


async def test_a_client_that_takes_nothing_is_left(tmp_path: Path) -> None:
    async with running(tmp_path, limits=WireLimits(write_timeout=0.2)) as rig:
        rig.upstream.answer = streamed(*[b"x" * 60_000] * 500)
        async with await anyio.connect_tcp("127.0.0.1", rig.port) as stream:
            head = f"POST /anthropic/v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {TOKEN}\r\ncontent-length: 0\r\n\r\n"
            await stream.send(head.encode())
            [call] = await rig.written()
        assert call.problem == "The agent broke off before the answer ended."


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("GET / HTTP/1.0\r\n\r\n", 505),
        ("\x00\r\n\r\n", 400),
        ("GET /" + "x" * 70_000, 431),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400),
    ],
)
@rigged
async def test_no_http(rig: Rig, sent: str, status: int) -> None:
    assert (await raw(rig, sent))[0] == status


@rigged
async def test_expect_continue(rig: Rig) -> None:
    rig.upstream.answer = whole(200, MESSAGE)
    near, far = await pair()
    async with anyio.create_task_group() as group:
        group.start_soon(rig.gateway.serve, far, rig.grant)
        await near.send(
            f"POST /anthropic/v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {TOKEN}\r\nexpect: 100-continue\r\n"
            "content-length: 2\r\n\r\n".encode()
        )
        assert (await near.receive()).startswith(b"HTTP/1.1 100")
        await near.send(b"{}")
        assert (await near.receive()).startswith(b"HTTP/1.1 200")
        await near.aclose()
    assert rig.upstream.asked[0].header("expect") is None


def test_settings_are_checked(tmp_path: Path) -> None:
    async def record(_call: object) -> None: ...

    credentials = Credentials(tmp_path / "keys.json", {})
    with pytest.raises(TraitError, match="my-model"):
        Gateway(
            credentials, record, SystemClock(), config=Config({"Gateway": {"prices": {"my-model": {"input": "x"}}}})
        )


async def raw(rig: Rig, sent: str) -> tuple[int, bytes]:
    """Send bytes; the status of the answer (0: none) and all of it."""
    async with await anyio.connect_tcp("127.0.0.1", rig.port) as stream:
        await stream.send(sent.encode("latin-1"))
        got = b""
        with anyio.move_on_after(2):
            while b"\r\n\r\n" not in got:
                try:
                    got += await stream.receive()
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    break
    return (int(got.split(b" ")[1]) if got else 0), got


async def pair() -> tuple[anyio.abc.SocketStream, anyio.abc.SocketStream]:
    """Two ends of a TCP connection."""
    far: list[anyio.abc.SocketStream] = []
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as group:

        async def accept() -> None:
            far.append(await listener.listeners[0].accept())

        group.start_soon(accept)
        near = await anyio.connect_tcp("127.0.0.1", port)
    return near, far[0]
