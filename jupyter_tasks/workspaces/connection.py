"""The engine's end of the link to a workspace agent (docs/link.md).

Owns every operation as a typed method: one connection each, a deadline on every answer, everything that comes back
checked. What the workspace sends is hostile: a broken rule is a LinkViolation, a vanished agent a LinkLost. It keeps
no connection open by itself and reconnects nothing; a Link is only an address, a token and rules.
"""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
from anyio.abc import ByteStream

from jupyter_tasks.clock import Clock
from jupyter_tasks.errors import AppUnreachable, LinkError, LinkLost, LinkViolation
from jupyter_tasks.workspaces import link_exec, link_reverse
from jupyter_tasks.workspaces.link_call import GONE, Caller, lost, silent
from jupyter_tasks.workspaces.link_events import LIFECYCLES, Gap, LinkEvent, StateSnapshot, read_event
from jupyter_tasks.workspaces.link_fields import parse
from jupyter_tasks.workspaces.link_stream import LinkStream
from jupyter_tasks.workspaces.link_tape import TapeReading, check_tape
from jupyter_tasks.workspaces.provisioner import LinkAddress

__all__ = ["ExecResult", "Hello", "Link", "TapeReading"]

ANSWER_LIMIT = 10.0  # seconds for an answer that needs no work
PING_LIMIT = 45.0  # an agent pings every 15 s
STALL_LIMIT = 60.0  # an archive that does not move
WRITE_LIMIT = 192 * 1024

ExecResult = link_exec.ExecResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """Who answers. ``boot_id`` is new with every start of an agent; ``head`` is its last event."""

    agent_version: str
    python: str
    pid: int
    boot_id: str
    started_at: str
    lifecycle: str
    build_id: str
    head: int


class Link:
    """A workspace agent at an address. Methods may be called at once from many tasks.

    Every method raises LinkLost when the agent is gone or silent, LinkViolation when it breaks the protocol (or the
    token is wrong), VersionMismatch when it speaks another version.
    """

    def __init__(
        self,
        address: LinkAddress,
        token: str,
        *,
        clock: Clock,
        allow_uids: Collection[int] | None = None,
        answer_limit: float = ANSWER_LIMIT,
    ) -> None:
        """Args: allow_uids: users that may hold the far end, ours by default; answer_limit: seconds."""
        self._caller = Caller(address, token, (os.getuid(),) if allow_uids is None else allow_uids, answer_limit)
        self._clock = clock

    # the agent as a whole

    async def hello(self) -> Hello:
        """Ask who is there."""
        answer = await self._caller.call("hello", {})
        return Hello(
            agent_version=answer.text("agent_version"),
            python=answer.text("python"),
            pid=answer.number("pid", 1, 1 << 31),
            boot_id=answer.text("boot_id"),
            started_at=answer.text("started_at"),
            lifecycle=answer.choice("lifecycle", LIFECYCLES),
            build_id=answer.text("build_id"),
            head=answer.number("head"),
        )

    async def wait_ready(self, timeout: float) -> Hello:
        """Ask until somebody answers, soon at first (1, 2, 4 … ms).

        Raises: LinkLost after ``timeout`` seconds.
        """
        deadline = self._clock.monotonic() + timeout
        pause = 0.001
        while True:
            try:
                return await self.hello()
            except LinkLost:
                left = deadline - self._clock.monotonic()
                if left <= 0:
                    raise
            await self._clock.sleep(min(pause, left))
            pause = min(2 * pause, 0.03)

    async def start(self, manifest: Mapping[str, object]) -> bool:
        """Begin a build (``workspaces.manifest``). Returns: whether this very build was begun before.

        Raises: Conflict when another build runs or a service's port is in use.
        """
        return (await self._caller.call("start", {"manifest": dict(manifest)})).flag("already")

    async def watch(self, since: int = -1) -> AsyncGenerator[LinkEvent, None]:
        """Every event after ``since``, then live ones, without end; -1 begins with a StateSnapshot.

        Close it (``contextlib.aclosing``) when done. Raises LinkLost when the agent is gone.
        """
        stream, answer = await self._caller.open("watch", {"since": since})
        try:
            answer.number("head")
            place, first = since, True
            while True:
                event = await self._next_event(stream)
                if event is None:
                    continue
                if not _in_order(event, place, first=first):
                    raise LinkViolation("The workspace agent's events go backwards.")
                place, first = event.seq, False
                yield event
        finally:
            stream.close()

    async def stop(self, timeout: float) -> None:
        """Run the stop scripts (at most ``timeout`` seconds), end every process and the agent itself."""
        await self._caller.call("stop", {"timeout": timeout}, limit=timeout + 2 * self._caller.limit)

    # terminals and logs

    async def open_terminal(
        self,
        terminal_id: str,
        argv: Sequence[str] = (),
        *,
        env: Mapping[str, str] | None = None,
        cwd: str = "",
        cols: int = 80,
        rows: int = 24,
        kind: str = "shell",
    ) -> bool:
        """Start a program (the user's shell by default) on a terminal. Returns: whether it was there already.

        Raises: LinkError when it cannot be started.
        """
        asked: dict[str, object] = {"id": terminal_id, "argv": list(argv), "env": dict(env or {}), "cwd": cwd}
        asked.update(cols=cols, rows=rows, kind=kind)
        answer = await self._caller.call("terminal.open", asked)
        return answer.flag("already")

    @asynccontextmanager
    async def read_terminal(
        self, terminal_id: str, offset: int = 0, *, follow: bool = True
    ) -> AsyncIterator[TapeReading]:
        """What a terminal wrote since ``offset``; live with ``follow``. See TapeReading. Raises: NotFound."""
        async with self._tape("terminal.read", offset, follow, id=terminal_id) as reading:
            yield reading

    @asynccontextmanager
    async def read_log(self, name: str, offset: int = 0, *, follow: bool = True) -> AsyncIterator[TapeReading]:
        """A log: ``script-<id>`` or ``agent``; as ``read_terminal``. Raises: NotFound."""
        async with self._tape("log.read", offset, follow, name=name) as reading:
            yield reading

    async def write_terminal(self, terminal_id: str, data: bytes, key: str) -> bool:
        """Type ``data``, once for each ``key``. Returns: whether all of it was written before.

        Raises: NotFound; Conflict when the program has ended or does not read its input.
        """
        already = True
        for index, begin in enumerate(range(0, max(1, len(data)), WRITE_LIMIT)):
            piece = base64.b64encode(data[begin : begin + WRITE_LIMIT]).decode()
            part = key if index == 0 else f"{key}/{index}"
            answer = await self._caller.call("terminal.write", {"id": terminal_id, "key": part, "data": piece})
            already = answer.flag("already") and already
        return already

    async def resize(self, terminal_id: str, cols: int, rows: int) -> None:
        """Change a terminal's size. Raises: NotFound."""
        await self._caller.call("terminal.resize", {"id": terminal_id, "cols": cols, "rows": rows})

    async def signal(self, terminal_id: str, name: str) -> None:
        """Send INT, TERM, KILL or HUP to a terminal's foreground process group. Raises: NotFound."""
        await self._caller.call("terminal.signal", {"id": terminal_id, "signal": name})

    # programs, ports, files

    async def exec(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str = "",
        stdin: bytes | None = None,
        timeout: float = 60.0,
        limit: int = 1 << 20,
    ) -> ExecResult:
        """Run a program to its end. ``limit`` bytes of each stream are kept, the rest is counted as cut.

        Raises: LinkError when it cannot be started.
        """
        asked: dict[str, object] = {"argv": list(argv), "env": dict(env or {}), "cwd": cwd}
        asked.update(stdin=stdin is not None, timeout=timeout)
        stream, answer = await self._caller.open("exec", asked)
        try:
            answer.number("pid", 1, 1 << 31)
            with anyio.fail_after(timeout + 2 * self._caller.limit):
                return await link_exec.communicate(stream, stdin, limit)
        except TimeoutError:
            raise LinkLost(f"The workspace agent did not end {argv[0]} in time.") from None
        except GONE:
            raise lost() from None
        finally:
            stream.close()

    async def tunnel(self, port: int) -> ByteStream:
        """A connection to a loopback port inside; the caller closes it. Raises: AppUnreachable."""
        try:
            stream, _ = await self._caller.open("tunnel", {"port": port})
        except LinkError as problem:
            if problem.code != "failed":
                raise
            raise AppUnreachable(
                f"Nothing answers on port {port} of the workspace.",
                detail=problem.detail,
                hint="Is the app running? Its log may tell.",
            ) from None
        return stream

    async def serve_reverse(
        self, service: str, handler: link_reverse.Handler, *, parked: int = 4, most: int = 64
    ) -> None:
        """Serve what connects to ``service``'s loopback port inside, until cancelled.

        Args:
            handler: called with each connection in a task of its own; the connection is closed behind it.
            parked: connections kept ready once one has been used; most: handlers that run at once.
        Raises: LinkLost when the agent is gone: call it again after a reattach.
        """
        await link_reverse.serve(
            lambda: self._caller.open("reverse", {"service": service}),
            handler,
            self._clock,
            parked=parked,
            most=most,
        )

    @asynccontextmanager
    async def archive_read(self, path: str, *, limit: int = 4 << 30) -> AsyncIterator[AsyncIterator[bytes]]:
        """A directory inside as a tar stream, at most ``limit`` bytes. The tar's content is hostile too.

        Raises: NotFound; LinkViolation when it is longer.
        """
        stream, _ = await self._caller.open("archive.read", {"path": path})
        try:
            yield _pieces(stream, limit)
        finally:
            stream.close()

    async def archive_write(self, path: str, pieces: AsyncIterable[bytes]) -> int:
        """Unpack a tar stream below a directory inside. Returns: how many members. Raises: LinkError."""
        stream, _ = await self._caller.open("archive.write", {"path": path})
        try:
            async for piece in pieces:
                with anyio.fail_after(STALL_LIMIT):
                    await stream.send(piece)
            await stream.send_eof()
        except TimeoutError:
            stream.close()
            raise LinkLost("The workspace agent takes no more of the archive.") from None
        except GONE:
            pass  # it may have said why before it closed
        except BaseException:
            stream.close()
            raise
        try:
            return (await self._caller.answer(stream, "archive.write", STALL_LIMIT)).number("files")
        finally:
            stream.close()

    async def _next_event(self, stream: LinkStream) -> LinkEvent | None:
        try:
            with anyio.fail_after(PING_LIMIT):
                line = await stream.line()
        except TimeoutError:
            raise silent("watch", PING_LIMIT) from None
        except GONE:
            raise lost() from None
        if line is None:
            raise lost()
        return read_event(parse(line))

    @asynccontextmanager
    async def _tape(self, op: str, offset: int, follow: bool, **arguments: str) -> AsyncIterator[TapeReading]:
        asked = {"offset": offset, "follow": follow, **arguments}
        stream, answer = await self._caller.open(op, asked)
        try:
            yield check_tape(stream, answer, offset, follow=follow, stall=STALL_LIMIT)
        finally:
            stream.close()


async def _pieces(stream: LinkStream, limit: int) -> AsyncIterator[bytes]:
    taken = 0
    while True:
        try:
            with anyio.fail_after(STALL_LIMIT):
                piece = await stream.receive()
        except anyio.EndOfStream:
            return
        except TimeoutError:
            raise LinkLost("The workspace agent sends no more of the archive.") from None
        except GONE:
            raise lost() from None
        taken += len(piece)
        if taken > limit:
            raise LinkViolation(f"The workspace agent sent an archive of more than {limit} bytes.")
        yield piece


def _in_order(event: LinkEvent, place: int, *, first: bool) -> bool:
    if isinstance(event, Gap):
        return first or event.seq > place  # the log of a new agent begins anew: the first line says so
    if isinstance(event, StateSnapshot):
        return event.seq >= place
    return event.seq > place
