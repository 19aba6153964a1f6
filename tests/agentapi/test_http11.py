"""The HTTP/1.1 server against clients that behave and clients that do not."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import anyio
import pytest
from anyio.abc import SocketStream
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_tasks.agentapi.http11 import Limits, Request, Response, serve_connection

QUICK = Limits(
    body=1_000, head=2_000, head_timeout=0.5, body_timeout=0.5, idle_timeout=0.6, write_timeout=1.0, app_timeout=0.5
)


async def echo(request: Request) -> Response:
    if request.path == "/boom":
        raise RuntimeError("a secret")
    if request.path == "/slow":
        await anyio.sleep(50)
    text = f"{request.method} {request.path} {sorted(request.query.items())} {request.headers.get('x-one')} "
    return Response(200, [("content-type", "text/plain")], text.encode() + request.body)


async def exchange(data: bytes, *, app=echo, close: bool = True, limits: Limits = QUICK) -> bytes:  # type: ignore[no-untyped-def]
    """What a client gets that sends these bytes (and then nothing more)."""
    ours, theirs = socket.socketpair()
    client = await SocketStream.from_socket(ours)
    server = await SocketStream.from_socket(theirs)
    got = bytearray()
    with anyio.fail_after(30):
        async with client, anyio.create_task_group() as group:
            group.start_soon(lambda: serve_connection(server, app, limits=limits))
            try:
                await client.send(data)
                if close:
                    await client.send_eof()
                async for piece in client:
                    got += piece
            except (anyio.BrokenResourceError, OSError):
                pass
    return bytes(got)


pytestmark = pytest.mark.anyio


async def test_one_request() -> None:
    got = await exchange(b"POST /a%20b?x=1&y=&x=2 HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nContent-Length: 3\r\n\r\nabc")
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert body == b"POST /a b [('x', '2'), ('y', '')] 1 abc"


async def test_keeps_alive_and_takes_pipelined_requests() -> None:
    one = b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n"
    got = await exchange(one % 1 + one % 2 + one % 3)
    assert [got.count(b"GET /%d " % n) for n in (1, 2, 3)] == [1, 1, 1]
    assert got.count(b"HTTP/1.1 200") == 3


async def test_chunked_bodies_and_expect() -> None:
    got = await exchange(
        b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )
    assert got.endswith(b"abc")


async def test_head_sends_no_body() -> None:
    got = await exchange(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert got.endswith(b"\r\n\r\n")
    assert b"content-length: 1" in got.lower() or b"content-length: 2" in got.lower()


@pytest.mark.slow
async def test_what_is_refused() -> None:
    cases = [
        (b"nonsense\r\n\r\n", b" 400 "),
        (b"GET / HTTP/1.1\r\n\r\n", b" 400 "),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 3_000 + b"\r\n\r\n", b" 431 "),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n", b" 413 "),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", b" 413 "),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", b" 400 "),
        (
            b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n"
            + b"x" * 2_000
            + b"\r\n0\r\n\r\n",
            b" 413 ",
        ),
        (b"GET /boom HTTP/1.1\r\nHost: h\r\n\r\n", b" 500 "),
        (b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n", b" 504 "),
    ]
    for data, status in cases:
        got = await exchange(data, close=False)
        assert status in got.split(b"\r\n", 1)[0], (data[:60], got[:100])
        assert b"secret" not in got


@pytest.mark.slow
async def test_clients_that_stop_in_the_middle() -> None:
    assert await exchange(b"") == b""
    assert await exchange(b"", close=False) == b""  # idle
    assert b" 408 " in await exchange(b"GET / HT", close=False)
    assert b" 408 " in await exchange(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc", close=False)
    await exchange(b"GET / HT")
    await exchange(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc")


async def test_a_stream_ends_when_its_client_goes() -> None:
    ended = anyio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"tick"
                await anyio.sleep(60)
        finally:
            ended.set()

    async def app(request: Request) -> Response:
        return Response(200, [], pieces())

    ours, theirs = socket.socketpair()
    client, server = await SocketStream.from_socket(ours), await SocketStream.from_socket(theirs)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: serve_connection(server, app))
            await client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            got = b""
            while b"tick" not in got:
                got += await client.receive()
            await client.aclose()
        assert ended.is_set()


async def test_a_stream_that_breaks_off_is_not_taken_for_whole() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"part"
        raise RuntimeError("a secret")

    async def app(request: Request) -> Response:
        return Response(200, [], pieces())

    got = await exchange(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", app=app, close=False)
    assert b"part" in got
    assert not got.endswith(b"0\r\n\r\n")
    assert b"secret" not in got


@pytest.mark.slow
async def test_a_whole_stream_ends_well_and_the_connection_goes_on() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b""
        yield b"two"

    async def app(request: Request) -> Response:
        return Response(200, [], pieces() if request.path == "/s" else b"next")

    got = await exchange(b"GET /s HTTP/1.1\r\nHost: h\r\n\r\nGET /n HTTP/1.1\r\nHost: h\r\n\r\n", app=app, close=False)
    assert got.count(b"HTTP/1.1 200") == 2
    assert got.endswith(b"next")


WORDS = [
    *(b"GET ", b"POST ", b"/", b" HTTP/1.1\r\n", b"Host: h\r\n", b"\r\n", b"Content-Length: 2\r\n", b"ab"),
    *(b"Transfer-Encoding: chunked\r\n", b"2\r\nab\r\n", b"0\r\n\r\n", b"\x00", b"\xff", b"%zz?&=&"),
]


@settings(max_examples=examples(60))
@given(st.lists(st.sampled_from(WORDS) | st.binary(max_size=6), max_size=25))
def test_nothing_raises(pieces: list[bytes]) -> None:
    limits = Limits(head_timeout=0.02, body_timeout=0.02, idle_timeout=0.02)
    got = anyio.run(lambda: exchange(b"".join(pieces), limits=limits))
    assert got == b"" or got.startswith(b"HTTP/1.1 ")
