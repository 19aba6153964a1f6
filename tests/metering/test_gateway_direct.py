"""The gateway's own connections to vendors: whom they trust, when they are kept, what a bad end of one does."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx
import pytest
from gateway_rig import SECRET, TOKEN, Answering, Asked, Rig, Upstream, rigged, running, streamed, whole

from jupyter_tasks.metering.gateway_upstream import Upstreams, why_not

pytestmark = [pytest.mark.usefixtures("anyio_backend"), pytest.mark.anyio]

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine and vendor.invalid, with its key behind it, that nobody trusts by itself."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("needs openssl to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    names = "subjectAltName=IP:127.0.0.1,DNS:vendor.invalid"
    command = [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days"]
    command += ["2", "-subj", "/CN=test", "-addext", names, "-keyout", "key.pem", "-out", "own.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=30)
    return folder / "own.pem"


@contextlib.asynccontextmanager
async def tls_server(upstream: Upstream, certificate: Path) -> AsyncIterator[int]:
    """The rig's upstream, also at a port with TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    server = await asyncio.start_server(upstream.handle, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_certificates_of_ones_own(tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with running(tmp_path) as rig, tls_server(rig.upstream, certificate) as port:
        rig.credentials.add("anthropic", SECRET, base_url=f"https://127.0.0.1:{port}")
        rig.upstream.answer = streamed(b"one", b"two")
        for _ in range(3):
            answer = await rig.post(content=b"x" * 300_000)
            assert (answer.status_code, answer.content) == (200, b"onetwo")
        assert [len(asked.body) for asked in rig.upstream.asked] == [300_000] * 3
        assert rig.upstream.connections == 1
        # it is not the certificate of every name
        rig.credentials.add("anthropic", SECRET, base_url=f"https://localhost:{port}")
        answer = await rig.post()
        assert answer.status_code == 502
        assert "localhost cannot be trusted" in answer.json()["error"]["message"]
        assert len(rig.upstream.asked) == 3
        rig.credentials.add("anthropic", SECRET, base_url=f"https://127.0.0.1:{port}")
        rig.upstream.answer = streamed(b"one", end=False)
        with pytest.raises(httpx.RemoteProtocolError):
            await rig.post()


async def test_a_certificate_that_nobody_signed(
    tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    async with running(tmp_path) as rig, tls_server(rig.upstream, certificate) as port:
        rig.credentials.add("anthropic", SECRET, base_url=f"https://127.0.0.1:{port}")
        answer = await rig.post()
        assert answer.status_code == 502
        assert "127.0.0.1 cannot be trusted" in answer.json()["error"]["message"]
        assert not rig.upstream.asked


async def test_the_users_proxy(tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[bytes] = []

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said.append(await reader.readuntil(b"\r\n\r\n"))
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while data := await source.read(65536):
                    sink.write(data)
            sink.close()

        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    proxy = await asyncio.start_server(tunnel, "127.0.0.1", 0)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
    async with running(tmp_path) as rig, tls_server(rig.upstream, certificate) as port:
        rig.credentials.add("anthropic", SECRET, base_url="https://vendor.invalid/base")
        rig.upstream.answer = streamed(b"one", b"two")
        answer = await rig.post()
        assert (answer.status_code, answer.content) == (200, b"onetwo")
        assert [head.split(b"\r\n")[0] for head in said] == [b"CONNECT vendor.invalid:443 HTTP/1.1"]
        assert SECRET.encode() not in said[0]
        [asked] = rig.upstream.asked
        assert asked.line == "POST /base/v1/messages HTTP/1.1"
        assert asked.header("x-api-key") == SECRET
        # this machine itself is never behind it
        rig.credentials.add("anthropic", SECRET, base_url=rig.upstream.url)
        assert (await rig.post()).status_code == 200
        assert len(said) == 1
    proxy.close()


@rigged
async def test_one_connection_for_call_after_call(rig: Rig) -> None:
    for answer in (whole(200, b"[]"), streamed(b"x"), whole(429, b"{}"), whole(204, b"", "x: y")):
        rig.upstream.answer = answer
        await rig.post()
    assert rig.upstream.connections == 1
    head = await rig.client.head("/anthropic/v1/models", headers={"x-api-key": TOKEN})
    assert (head.status_code, rig.upstream.connections) == (204, 1)


def closing(answer: Answering) -> Answering:
    """The same, and then the connection closes, of which nothing was said."""

    async def answer_and_close(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await answer(asked, writer)
        writer.close()

    return answer_and_close


@rigged
async def test_a_kept_connection_that_was_closed_is_not_used(rig: Rig) -> None:
    rig.upstream.answer = closing(whole(200, b"[]"))
    for _ in range(3):
        assert (await rig.post()).status_code == 200
        await rig.upstream.end()
    assert rig.upstream.connections == 3


@pytest.mark.parametrize(("method", "asked", "status"), [("GET", 3, 200), ("POST", 2, 502)])
@rigged
async def test_a_connection_that_closes_as_it_is_used(rig: Rig, method: str, asked: int, status: int) -> None:
    async def answer(one: Asked, writer: asyncio.StreamWriter) -> None:
        if len(rig.upstream.asked) == 2:
            writer.close()  # nobody knows whether the request was understood
        else:
            await whole(200, b"[]")(one, writer)

    rig.upstream.answer = answer
    path, headers = "/anthropic/v1/models", {"x-api-key": TOKEN}
    assert (await rig.client.request(method, path, headers=headers, json={} if method == "POST" else None)).is_success
    again = await rig.client.request(method, path, headers=headers, json={} if method == "POST" else None)
    assert again.status_code == status
    assert len(rig.upstream.asked) == asked  # a body goes out once


@rigged
async def test_a_new_connection_is_not_tried_again(rig: Rig) -> None:
    async def answer(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.close()

    rig.upstream.answer = answer
    assert (await rig.client.get("/anthropic/v1/models", headers={"x-api-key": TOKEN})).status_code == 502
    assert len(rig.upstream.asked) == 1


@pytest.mark.parametrize(
    ("said", "status", "body"),
    [
        (b"HTTP/1.1 103 X\r\nlink: a\r\n\r\n" + b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]", 200, b"[]"),
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nuntil the end", 200, b"until the end"),
        (b"HTTP/1.0 200 OK\r\n\r\nold", 200, b"old"),
        (b"HTTP/1.1 301 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", 301, b""),
        (b"nonsense\r\n\r\n", 502, None),
        (b"HTTP/1.1 101 X\r\nupgrade: x\r\n\r\n", 502, None),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000, 502, None),
    ],
)
@rigged
async def test_what_vendors_may_say(rig: Rig, said: bytes, status: int, body: bytes | None) -> None:
    async def answer(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()

    rig.upstream.answer = answer
    reply = await rig.post()
    assert reply.status_code == status
    if body is not None:
        assert reply.content == body
        assert rig.upstream.connections == len(rig.upstream.asked) == 1


@rigged
async def test_what_came_well_passes_before_the_cut(rig: Rig) -> None:
    async def answer(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"5\r\nhello\r\nno chunk\r\n")
        await asyncio.sleep(30)

    rig.upstream.answer = answer
    got = []

    async def read() -> None:
        async with rig.client.stream("POST", "/anthropic/v1/messages", headers={"x-api-key": TOKEN}, json={}) as reply:
            async for piece in reply.aiter_raw():
                got.append(piece)  # noqa: PERF401 - also what came before the error counts

    with pytest.raises(httpx.RemoteProtocolError):
        await read()
    assert got == [b"hello"]
    assert "cut" in ((await rig.written())[0].problem or "")


@rigged
@pytest.mark.slow
async def test_an_answer_that_stands_still_and_one_that_is_left(rig: Rig) -> None:
    left, given_up = asyncio.Event(), asyncio.Event()

    async def answer(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"5\r\nhello\r\n")
        await given_up.wait()
        try:
            while True:
                writer.write(b"5\r\nhello\r\n")
                await writer.drain()
                await asyncio.sleep(0)
        except ConnectionError:
            left.set()
            raise

    rig.upstream.answer = answer
    upstreams = Upstreams(read_timeout=1.0)
    with anyio.fail_after(40):
        reply = await upstreams.send(rig.upstream.url, "GET", "/", [], None)
        async with reply:
            assert reply.first in (b"", b"hello")
            with pytest.raises(httpx.ReadTimeout) as caught:
                async for _ in reply.pieces():
                    pass
        given_up.set()
        await left.wait()
        assert why_not(caught.value, rig.upstream.url) == "127.0.0.1 did not answer in time."
        left.clear()
        with anyio.CancelScope() as scope:
            async with await Upstreams().send(rig.upstream.url, "GET", "/", [], None):
                scope.cancel()
                await anyio.sleep_forever()
        await left.wait()


@rigged
async def test_a_target_is_sent_as_it_came_or_quoted(rig: Rig) -> None:
    rig.upstream.answer = whole(200, b"[]")
    upstreams = Upstreams()
    for path in ("/a%2Fb?x=1&y='%20", '/a?x="<'):
        async with await upstreams.send(rig.upstream.url, "GET", path, [], None):
            pass
    assert [asked.line.split(" ")[1] for asked in rig.upstream.asked] == ["/a%2Fb?x=1&y='%20", "/a?x=%22%3C"]
    assert rig.upstream.connections == 1  # all of the answer had come with its head
    rig.upstream.answer = streamed(b"x" * 1000, end=False, pause=0.01)
    async with await upstreams.send(rig.upstream.url, "GET", "/", [], None):
        pass
    rig.upstream.answer = whole(200, b"[]")
    async with await upstreams.send(rig.upstream.url, "GET", "/", [], None):
        pass
    assert rig.upstream.connections == 2  # nothing comes behind an answer that was left
    await upstreams.close()
