"""Bytes through a real agent: exec, tunnels, reverse connections, archives, many watchers."""

from __future__ import annotations

import hashlib
import io
import os
import resource
import socket
import tarfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import anyio
import h11
import httpx
import pytest
from anyio.abc import ByteStream, SocketStream
from rig import manifest_of, until

from jupyter_tasks.errors import AppUnreachable, LinkError, LinkLost, LinkViolation, NotFound
from jupyter_tasks.testing.agent_process import AgentProcess
from jupyter_tasks.workspaces.connection import Link
from jupyter_tasks.workspaces.link_events import StateSnapshot, TerminalChanged

pytestmark = pytest.mark.anyio


async def test_exec_gives_status_and_both_streams(link: Link) -> None:
    result = await link.exec(["sh", "-c", "cat; echo err >&2; exit 4"], stdin=b"in")
    assert (result.code, result.stdout, result.stderr, result.cut) == (4, b"in", b"err\n", 0)
    silent = await link.exec(["cat"])  # without input it has none, and does not wait for it
    assert (silent.code, silent.stdout) == (0, b"")


async def test_exec_moves_much_both_ways_and_keeps_a_bounded_part(link: Link) -> None:
    data = os.urandom(5 << 20)
    result = await link.exec(["sha256sum"], stdin=data)
    assert result.stdout.split()[0] == hashlib.sha256(data).hexdigest().encode()
    echoed = await link.exec(["cat"], stdin=data, limit=1000)
    assert (echoed.stdout, echoed.cut) == (data[:1000], len(data) - 1000)


async def test_exec_ends_at_its_timeout_and_with_its_caller(agent: AgentProcess, link: Link) -> None:
    late = await link.exec(["sleep", "60"], timeout=0.2)
    assert (late.code, late.timed_out) == (-9, True)
    noted = agent.home / "pid"
    with anyio.fail_after(30):
        async with anyio.create_task_group() as caller:
            caller.start_soon(link.exec, ["sh", "-c", "echo $$ > ~/pid.new; mv ~/pid.new ~/pid; exec sleep 60"])
            while not noted.exists():  # noqa: ASYNC110 - another process
                await anyio.sleep(0.01)
            caller.cancel_scope.cancel()
        while Path(f"/proc/{noted.read_text().strip()}").exists():  # noqa: ASYNC110 - another process
            await anyio.sleep(0.01)


async def test_exec_of_a_missing_program_says_which(link: Link) -> None:
    with pytest.raises(LinkError, match="no-such-program"):
        await link.exec(["no-such-program"])
    with pytest.raises(LinkError, match="no-such-place"):
        await link.exec(["true"], cwd="/no-such-place")


async def test_a_tunnel_reaches_a_port_and_ends_on_both_sides(link: Link) -> None:
    async def echo(client: SocketStream) -> None:
        async with client:
            async for chunk in client:
                await client.send(chunk)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    data = os.urandom(8 << 20)
    received = bytearray()
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, echo)
        async with await link.tunnel(port) as tunnel:

            async def send() -> None:
                await tunnel.send(data)
                await tunnel.send_eof()

            group.start_soon(send)
            async for chunk in tunnel:  # ends because the echo ended
                received += chunk
        group.cancel_scope.cancel()
    assert received == data


async def test_an_app_that_listens_on_ipv6_alone_is_reached(link: Link) -> None:
    try:
        listener = await anyio.create_tcp_listener(local_host="::1")
    except OSError:
        pytest.skip("no IPv6 loopback here")

    async def greet(client: SocketStream) -> None:
        async with client:
            await client.send(b"hello")

    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, greet)
        async with await link.tunnel(listener.extra(anyio.abc.SocketAttribute.local_port)) as tunnel:
            assert b"".join([chunk async for chunk in tunnel]) == b"hello"
        group.cancel_scope.cancel()


async def test_a_port_where_nobody_listens_is_unreachable(link: Link) -> None:
    with pytest.raises(AppUnreachable, match="port 1 "):
        await link.tunnel(1)


async def _hello_world(stream: ByteStream) -> None:
    """A service of the engine's: answers each request with its body's length."""
    connection = h11.Connection(h11.SERVER)
    length = 0
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await stream.receive())
        elif isinstance(event, h11.Data):
            length += len(event.data)
        elif isinstance(event, h11.EndOfMessage):
            break
    body = str(length).encode()
    headers = [("content-length", str(len(body))), ("connection", "close")]
    await stream.send(connection.send(h11.Response(status_code=200, headers=headers)) or b"")
    await stream.send(connection.send(h11.Data(data=body)) or b"")


async def _service_port(link: Link, name: str) -> int:
    async with aclosing(link.watch()) as events:
        snapshot = await anext(events)
    assert isinstance(snapshot, StateSnapshot)
    return next(service.port for service in snapshot.services if service.name == name)


@pytest.mark.slow
async def test_clients_inside_reach_the_engine_by_reverse_connections(link: Link) -> None:
    await link.start(manifest_of(services=[{"name": "coder", "port": 0}]))
    port = await _service_port(link, "coder")
    lengths: list[int] = []

    async def post(size: int) -> None:
        answer = await client.post(f"http://127.0.0.1:{port}/", content=b"x" * size)
        lengths.append(int(answer.text))

    async with httpx.AsyncClient(timeout=40) as client, anyio.create_task_group() as services:
        # the client may come first: it waits for a connection to be parked
        services.start_soon(post, 10)
        await anyio.sleep(0.05)
        services.start_soon(link.serve_reverse, "coder", _hello_world)
        async with anyio.create_task_group() as clients:
            for _ in range(100):
                clients.start_soon(post, 50_000)
        services.cancel_scope.cancel()
    assert sorted(lengths) == [10] + [50_000] * 100


async def test_a_handler_that_fails_costs_one_connection(link: Link, caplog: pytest.LogCaptureFixture) -> None:
    await link.start(manifest_of(services=[{"name": "coder", "port": 0}]))
    port = await _service_port(link, "coder")
    calls = 0

    async def sometimes(stream: ByteStream) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise RuntimeError("once")
        await _hello_world(stream)

    async with anyio.create_task_group() as group:
        group.start_soon(lambda: link.serve_reverse("coder", sometimes, parked=1))
        async with httpx.AsyncClient(timeout=40) as client:
            with pytest.raises(httpx.TransportError):  # closed or reset: it had sent something already
                await client.get(f"http://127.0.0.1:{port}/")
            assert (await client.get(f"http://127.0.0.1:{port}/")).text == "0"
        group.cancel_scope.cancel()
    assert "once" in caplog.text


async def test_serving_ends_with_one_error_when_the_agent_is_gone(link: Link) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(link.stop, 1)
        with pytest.raises(LinkLost), anyio.fail_after(30):
            await link.serve_reverse("coder", _hello_world)


async def _tar(files: dict[str, bytes]) -> AsyncIterator[bytes]:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    data = buffer.getvalue()
    for begin in range(0, len(data), 100_000):
        yield data[begin : begin + 100_000]


async def test_a_tree_goes_in_and_comes_out(agent: AgentProcess, link: Link) -> None:
    big = os.urandom(3 << 20)
    files = {"a.txt": b"text", "deep/er/big.bin": big, "ünï.txt": b"u"}
    assert await link.archive_write("~/tree", _tar(files)) == 3
    assert (agent.home / "tree/deep/er/big.bin").read_bytes() == big
    (agent.home / "tree/link").symlink_to("a.txt")
    os.mkfifo(agent.home / "tree/fifo")  # would block whoever reads it
    collected = bytearray()
    async with link.archive_read("~/tree") as pieces:
        async for piece in pieces:
            collected += piece
    with tarfile.open(fileobj=io.BytesIO(bytes(collected))) as tar:
        found = {member.name: member for member in tar}
        stream = tar.extractfile("deep/er/big.bin")
        assert stream is not None
        assert stream.read() == big
    assert set(found) == {"a.txt", "deep", "deep/er", "deep/er/big.bin", "ünï.txt", "link"}
    assert found["link"].issym()


async def test_an_archive_that_leaves_its_directory_is_refused(agent: AgentProcess, link: Link) -> None:
    with pytest.raises(LinkError, match="leaves"):
        await link.archive_write("~/tree", _tar({"ok": b"", "../out": b"no"}))
    assert not (agent.home / "out").exists()
    with pytest.raises(NotFound):
        await link.archive_read("~/nowhere").__aenter__()


async def test_an_archive_has_a_limit(agent: AgentProcess, link: Link) -> None:
    (agent.home / "big").write_bytes(b"x" * 300_000)
    async with link.archive_read("~", limit=100_000) as pieces:
        with pytest.raises(LinkViolation, match="more than"):
            _ = [piece async for piece in pieces]


@pytest.mark.slow
async def test_a_hundred_watchers_and_readers_are_served_and_bounded(agent: AgentProcess, link: Link) -> None:
    readers = 100
    script = "stty -opost -echo; read go; head -c 3000000 /dev/zero | tr '\\0' x"
    await link.open_terminal("t", ["sh", "-c", script])
    totals: list[int] = []

    async def read() -> None:
        async with link.read_terminal("t") as reading:
            if len(totals) % 2:
                await anyio.sleep(0.2)  # a slow one
            totals.append(sum([len(chunk) async for chunk in reading.chunks]))

    async with anyio.create_task_group() as group:
        for _ in range(readers):
            group.start_soon(read)
            group.start_soon(until, link, TerminalChanged, lambda event: event.closed)
        await anyio.sleep(0.3)
        await link.write_terminal("t", b"\n", "go")
    assert totals == [3_000_000] * readers
    assert _memory(agent) < 100 << 20


@pytest.mark.slow
async def test_out_of_files_it_rests_and_comes_back(agent: AgentProcess, link: Link) -> None:
    resource.prlimit(agent.process.pid, resource.RLIMIT_NOFILE, (24, 24))
    sockets = []
    for _ in range(40):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(agent.address.socket))
        sockets.append(sock)
    before = _cpu(agent)
    await anyio.sleep(0.5)
    assert _cpu(agent) - before < 0.2, "it spins"
    for sock in sockets:
        sock.close()
    assert (await link.wait_ready(30)).lifecycle == "created"


def _cpu(agent: AgentProcess) -> float:
    with open(f"/proc/{agent.process.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(agent: AgentProcess) -> int:
    with open(f"/proc/{agent.process.pid}/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
