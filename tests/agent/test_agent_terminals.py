"""Terminals of a real agent: offsets, the ring and the recording, keys, sizes, signals, ends."""

from __future__ import annotations

import hashlib

import anyio
import pytest
from rig import until, whole

from jupyter_tasks.errors import Conflict, LinkError, NotFound
from jupyter_tasks.testing.agent_process import AgentProcess
from jupyter_tasks.workspaces.connection import Link
from jupyter_tasks.workspaces.link_events import TerminalChanged

pytestmark = pytest.mark.anyio


async def test_a_program_runs_on_a_terminal_and_its_end_is_told(link: Link) -> None:
    assert not await link.open_terminal("t", ["sh", "-c", "test -t 0 && stty size; exit 3"], cols=100, rows=50)
    assert await whole(link, "t") == b"50 100\r\n"
    closed = await until(link, TerminalChanged, lambda event: event.closed)
    assert (closed.id, closed.exit, closed.head, closed.cols) == ("t", 3, 8, 100)
    async with link.read_terminal("t", 3, follow=False) as reading:
        assert (reading.offset, reading.head, reading.closed, reading.exit) == (3, 8, True, 3)
        assert [chunk async for chunk in reading.chunks] == [b"100\r\n"]


async def test_the_same_id_twice_is_one_terminal(link: Link) -> None:
    assert not await link.open_terminal("t", ["cat"])
    assert await link.open_terminal("t", ["echo", "never"])
    with pytest.raises(NotFound):
        await link.resize("u", 10, 10)


async def test_what_is_written_while_nobody_reads_is_there_for_the_next_engine(agent: AgentProcess) -> None:
    first = agent.link()
    await first.wait_ready(40)
    size = 3 << 20  # three times the ring
    await first.open_terminal("t", ["sh", "-c", f"stty -opost; head -c {size} /dev/zero | tr '\\0' x; printf end"])
    await until(first, TerminalChanged, lambda event: event.closed)
    second = agent.link()  # the engine was restarted
    data = await whole(second, "t")
    assert len(data) == size + 3
    assert data.endswith(b"xend")
    async with second.read_terminal("t", size - 1) as reading:
        assert reading.offset == size - 1
        assert b"".join([chunk async for chunk in reading.chunks]) == b"xend"


async def test_a_reader_follows_and_comes_back_at_its_offset(link: Link) -> None:
    await link.open_terminal("t", ["cat"])
    async with link.read_terminal("t") as reading:
        await link.write_terminal("t", b"one\n", "k1")
        seen = b""
        async for chunk in reading.chunks:
            seen += chunk
            if seen == b"one\r\none\r\n":
                break
    await link.write_terminal("t", b"two\n\x04", "k2")
    async with link.read_terminal("t", len(seen)) as reading:
        rest = b"".join([chunk async for chunk in reading.chunks])
    assert rest.startswith(b"two\r\n")


async def test_a_key_is_written_once(link: Link) -> None:
    await link.open_terminal("t", ["cat"])
    assert not await link.write_terminal("t", b"once\n", "k")
    assert await link.write_terminal("t", b"once\n", "k")
    assert not await link.write_terminal("t", b"\x04", "end")
    assert (await whole(link, "t")).count(b"once") == 2  # the echo and cat's own
    with pytest.raises(Conflict):
        await link.write_terminal("t", b"late", "k3")


async def test_input_that_nobody_reads_is_refused_at_a_limit(link: Link) -> None:
    await link.open_terminal("t", ["sh", "-c", "stty raw -echo; echo up; sleep 60"])
    async with link.read_terminal("t") as reading:
        assert await anext(aiter(reading.chunks))  # before, the terminal takes any line and throws most of it away
    await link.write_terminal("t", b"x" * 900_000, "a lot")
    with pytest.raises(Conflict, match="does not read"):
        await link.write_terminal("t", b"x" * 180_000, "too much")
    assert (await link.hello()).pid > 0


async def test_size_and_signals_reach_the_foreground_program(link: Link) -> None:
    script = "trap 'stty size' WINCH; trap 'echo int; exit 0' INT; echo up; while :; do sleep 0.05; done"
    await link.open_terminal("t", ["sh", "-c", script], cols=80, rows=24)
    with anyio.fail_after(40):
        async with link.read_terminal("t") as reading:
            seen = b""
            async for chunk in reading.chunks:
                if b"up" not in seen and b"up" in seen + chunk:
                    await link.resize("t", 132, 43)
                if b"43 132" not in seen and b"43 132" in seen + chunk:
                    await link.signal("t", "INT")
                seen += chunk
    assert b"int" in seen
    closed = await until(link, TerminalChanged, lambda event: event.closed)
    assert (closed.cols, closed.rows, closed.exit) == (132, 43, 0)


async def test_bytes_that_are_not_text_arrive_as_they_are(link: Link) -> None:
    await link.open_terminal("t", ["sh", "-c", r"stty -opost; printf '\377\376\000\200\303'"])
    assert await whole(link, "t") == b"\xff\xfe\x00\x80\xc3"


async def test_a_program_that_is_missing_is_refused_with_its_name(link: Link) -> None:
    with pytest.raises(LinkError, match="no-such-program"):
        await link.open_terminal("t", ["no-such-program"])
    assert not await link.open_terminal("t", ["true"])  # the id is free


async def test_an_offset_beyond_the_head_is_refused(link: Link) -> None:
    await link.open_terminal("t", ["cat"])
    with pytest.raises(LinkError, match="beyond"):
        async with link.read_terminal("t", 1 << 40):
            pass


async def test_a_daemon_does_not_keep_a_terminal_open(link: Link) -> None:
    await link.open_terminal("t", ["sh", "-c", "setsid sleep 30 & echo gone"])
    assert await whole(link, "t") == b"gone\r\n"


async def test_a_long_text_is_typed_in_pieces_and_whole(link: Link) -> None:
    text = bytes(range(256)) * 2000
    await link.open_terminal("t", ["sh", "-c", f"stty raw -echo; echo up; head -c {len(text)} | sha256sum"])
    async with link.read_terminal("t") as reading:
        with anyio.fail_after(40):
            seen = b""
            async for chunk in reading.chunks:
                if b"up" not in seen and b"up" in seen + chunk:
                    assert not await link.write_terminal("t", text, "k")
                    assert await link.write_terminal("t", text, "k")
                seen += chunk
    assert hashlib.sha256(text).hexdigest().encode() in seen
