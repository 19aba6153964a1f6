"""The engine's end of the link against a workspace agent that lies: an error in time, never a belief, never memory."""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_tasks.clock import SystemClock
from jupyter_tasks.errors import LinkError, LinkLost, LinkViolation
from jupyter_tasks.testing.lying_agent import EVENT_LIES, LIES, TAPE_LIES, Lie, lying_agent
from jupyter_tasks.workspaces.connection import Link
from jupyter_tasks.workspaces.link_events import LinkEvent, read_event
from jupyter_tasks.workspaces.link_fields import parse
from jupyter_tasks.workspaces.provisioner import LinkAddress

pytestmark = pytest.mark.anyio

LIMIT = 0.3


def _link(address: LinkAddress) -> Link:
    return Link(address, "token", clock=SystemClock(), answer_limit=LIMIT)


async def _read(link: Link) -> None:
    async with link.read_terminal("t", 10, follow=False) as reading:
        async for _ in reading.chunks:
            pass


async def _watch(link: Link) -> None:
    async with aclosing(link.watch(1)) as events:
        async for _ in events:
            pass


async def _write(link: Link) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"tar"

    await link.archive_write("x", pieces())


OPERATIONS: dict[str, Callable[[Link], Awaitable[object]]] = {
    "hello": lambda link: link.hello(),
    "start": lambda link: link.start({}),
    "open_terminal": lambda link: link.open_terminal("t"),
    "write_terminal": lambda link: link.write_terminal("t", b"x", "k"),
    "exec": lambda link: link.exec(["true"], timeout=0.1),
    "read_terminal": _read,
    "watch": _watch,
    "archive_write": _write,
}


async def _refused(link: Link, operation: Callable[[Link], Awaitable[object]], name: str) -> None:
    began = time.monotonic()
    with anyio.fail_after(40):
        try:
            await operation(link)
        except (LinkViolation, LinkLost):
            assert time.monotonic() - began < 30 * LIMIT, name
            return
        except LinkError as refused:  # "refuses with …" is an honest form of no
            raise AssertionError(f"{name}: {refused!r}") from None
    raise AssertionError(f"{name}: was believed")


@pytest.mark.slow
async def test_no_lie_is_believed_by_any_operation(tmp_path: Path) -> None:
    before = _memory()
    for lie_name, lie in LIES.items():
        with lying_agent(tmp_path, lie) as address:
            async with anyio.create_task_group() as group:
                for name, operation in OPERATIONS.items():
                    group.start_soon(_refused, _link(address), operation, f"{name}: {lie_name}")
    assert _memory() - before < 100 << 20


async def _told(tmp_path: Path, lies: dict[str, Lie], operation: Callable[[Link], Awaitable[object]]) -> None:
    for name, lie in lies.items():
        with lying_agent(tmp_path, lie) as address:
            await _refused(_link(address), operation, name)


async def test_no_lie_about_a_tape_is_believed(tmp_path: Path) -> None:
    await _told(tmp_path, TAPE_LIES, _read)


async def test_no_lie_about_events_is_believed(tmp_path: Path) -> None:
    await _told(tmp_path, EVENT_LIES, _watch)


async def test_a_parked_connection_that_speaks_is_a_violation(tmp_path: Path) -> None:
    async def never(_stream: object) -> None:
        raise AssertionError("handled")

    with lying_agent(tmp_path, lambda sock, _stop: sock.sendall(b'{"ok":true}\nGET / HTTP/1.1')) as address:
        reverse = _link(address).serve_reverse("coder", never)
        with pytest.raises(LinkViolation), anyio.fail_after(40):
            await reverse


@pytest.mark.slow
async def test_an_agent_that_drops_parked_connections_is_not_hammered(tmp_path: Path) -> None:
    count = 0

    def drop(sock, _stop):  # type: ignore[no-untyped-def]
        nonlocal count
        count += 1
        sock.sendall(b'{"ok":true}\n')

    async def never(_stream: object) -> None:
        raise AssertionError("handled")

    with lying_agent(tmp_path, drop) as address, anyio.move_on_after(0.5):
        await _link(address).serve_reverse("coder", never, parked=2)
    assert 2 <= count <= 10


async def test_frames_that_are_wrong_are_violations(tmp_path: Path) -> None:
    frames = {
        "an unknown stream": b"\x07\x00\x00\x00\x01x",
        "a huge frame": b"\x01\xff\xff\xff\xff",
        "an exit that is not JSON": b"\x03\x00\x00\x00\x01x",
        "an impossible code": b"\x03\x00\x00\x00\x0e" + b'{"code":99999}',
        "half a frame": b"\x01\x00",
    }
    for name, frame in frames.items():
        answer = b'{"ok":true,"pid":5}\n' + frame

        def say(sock, _stop, answer=answer):  # type: ignore[no-untyped-def]
            sock.sendall(answer)

        with lying_agent(tmp_path, say) as address:
            await _refused(_link(address), OPERATIONS["exec"], name)


async def test_what_is_not_our_socket_is_not_dialled(tmp_path: Path) -> None:
    with lying_agent(tmp_path, LIES["nothing but ok"]) as address:
        link = tmp_path / "symlink.sock"
        link.symlink_to(address.socket)
        with pytest.raises(LinkViolation, match="not a socket"):
            await _link(LinkAddress(socket=link)).hello()
        file = tmp_path / "file.sock"
        file.write_text("x")
        with pytest.raises(LinkViolation, match="not a socket"):
            await _link(LinkAddress(socket=file)).hello()
        os.mkfifo(tmp_path / "fifo.sock")
        with pytest.raises(LinkViolation, match="not a socket"):
            await _link(LinkAddress(socket=tmp_path / "fifo.sock")).hello()
        with pytest.raises(LinkViolation, match="held by user"):
            await Link(address, "token", clock=SystemClock(), allow_uids=(54321,)).hello()
    with pytest.raises(LinkLost):
        await _link(LinkAddress(socket=tmp_path / "missing.sock")).hello()


def test_texts_are_cut_and_can_be_encoded() -> None:
    line = json.dumps({"type": "metadata", "seq": 1, "key": "\ud800" + "k" * 5000, "value": "v\0" * 9000}).encode()
    event = read_event(parse(line))
    assert event is not None
    assert len(event.key.encode()) <= 256  # type: ignore[attr-defined]
    assert len(event.value) == 2048  # type: ignore[attr-defined]
    assert "\0" not in event.value  # type: ignore[attr-defined]


TYPES = ["lifecycle", "script", "app", "terminal", "agentapi", "metadata", "listening", "gap", "state", "ping", "new"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["ready", "ok", "start", "pty"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["seq", "state", "id", "phase", "status", "exit", "log", "argv", "cols", "rows", "head", "apps", "agentapi"]


@given(st.sampled_from(TYPES), st.dictionaries(st.sampled_from(KEYS), VALUES))
@settings(deadline=None)
def test_an_event_is_read_or_a_violation(kind: str, fields: dict[str, object]) -> None:
    try:
        event = read_event(parse(json.dumps({**fields, "type": kind}).encode()))
    except LinkViolation:
        return
    assert event is None or isinstance(event, LinkEvent)


@given(st.binary(max_size=300))
def test_a_line_is_read_or_a_violation(line: bytes) -> None:
    try:
        parse(line)
    except LinkViolation:
        return


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
