"""One connection of the link: lines, closing, and texts from a hostile end."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from jupyter_tasks.clock import SystemClock
from jupyter_tasks.errors import LinkLost, LinkViolation, NotFound
from jupyter_tasks.testing.lying_agent import lying_agent
from jupyter_tasks.workspaces.connection import Link
from jupyter_tasks.workspaces.link_stream import LinkStream
from jupyter_tasks.workspaces.provisioner import LinkAddress

pytestmark = pytest.mark.anyio


@pytest.fixture
def pair() -> Iterator[tuple[LinkStream, socket.socket]]:
    """Our end and the far one."""
    one, two = socket.socketpair()
    two.setblocking(False)
    stream = LinkStream(one)
    yield stream, two
    stream.close()
    two.close()


@pytest.fixture
def near(pair: tuple[LinkStream, socket.socket]) -> LinkStream:
    """Our end."""
    return pair[0]


@pytest.fixture
def far(pair: tuple[LinkStream, socket.socket]) -> socket.socket:
    """The far end."""
    return pair[1]


async def test_lines_come_out_as_they_were_sent_however_they_arrive(near: LinkStream, far: socket.socket) -> None:
    async def send() -> None:
        for byte in b"one\n\ntwo\nrest":
            far.send(bytes([byte]))
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(send)
        assert [await near.line() for _ in range(3)] == [b"one", b"", b"two"]
        assert await near.exactly(2) == b"re"
        assert await near.exactly(2) == b"st"
    far.close()
    assert await near.line() is None


async def test_a_line_has_a_limit_and_an_end(near: LinkStream, far: socket.socket) -> None:
    far.send(b"x" * 100 + b"\n" + b"y" * 101 + b"\n")
    assert await near.line(100) == b"x" * 100
    with pytest.raises(LinkViolation, match="more than 100"):
        await near.line(100)


async def test_half_a_line_is_a_violation(near: LinkStream, far: socket.socket) -> None:
    far.send(b"half")
    far.shutdown(socket.SHUT_WR)
    with pytest.raises(LinkViolation, match="middle of a line"):
        await near.line()


async def test_a_cancelled_line_loses_nothing(near: LinkStream, far: socket.socket) -> None:
    far.send(b"half")
    with anyio.move_on_after(0.02):
        await near.line()
    far.send(b" and half\n")
    assert await near.line() == b"half and half"


async def test_closing_wakes_whoever_waits(near: LinkStream) -> None:
    woken: list[str] = []

    async def wait() -> None:
        try:
            await near.receive()
        except anyio.ClosedResourceError:
            woken.append("receiver")

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await anyio.sleep(0.01)
        await near.aclose()
        await near.aclose()
    assert woken == ["receiver"]
    with pytest.raises(anyio.ClosedResourceError):
        await near.send(b"x")


async def test_a_slow_far_end_slows_the_sender(near: LinkStream, far: socket.socket) -> None:
    data = b"z" * (4 << 20)
    received = 0

    async def read() -> None:
        nonlocal received
        while True:
            await anyio.wait_readable(far)
            received += len(far.recv(50_000))

    with anyio.move_on_after(0.05) as early:
        await near.send(data)
    assert early.cancelled_caught, "nobody read: it has to wait"
    async with anyio.create_task_group() as group:
        group.start_soon(read)
        with anyio.fail_after(40):
            await near.send(data)
        group.cancel_scope.cancel()
    assert received > len(data) // 2


async def test_a_workspace_that_never_answers_is_lost_in_time(tmp_path: Path) -> None:
    link = Link(LinkAddress(socket=tmp_path / "none.sock"), "token", clock=SystemClock())
    began = time.monotonic()
    with pytest.raises(LinkLost):
        await link.wait_ready(0.1)
    assert 0.1 <= time.monotonic() - began < 20


async def test_a_refusal_cannot_write_to_our_terminal(tmp_path: Path) -> None:
    error = {"code": "not_found", "message": "\x1b]0;owned\x07\n\x1b[2J no\u202e such" + "x" * 5000}
    answer = json.dumps({"ok": False, "error": error}).encode() + b"\n"
    with lying_agent(tmp_path, lambda sock, _stop: sock.sendall(answer)) as address, pytest.raises(NotFound) as caught:
        await Link(address, "token", clock=SystemClock()).hello()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1200
