"""The frames of ``exec``: a program's three streams on one connection.

Owns reading and writing them within bounds; starting the program is ``connection``'s.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import anyio

from jupyter_tasks.errors import LinkViolation
from jupyter_tasks.workspaces.link_fields import parse
from jupyter_tasks.workspaces.link_stream import LinkStream

__all__ = ["ExecResult", "communicate"]

_FRAME_LIMIT = 1 << 20
_STDIN, _STDOUT, _STDERR, _EXIT = range(4)
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    """How a program ended. ``code``: its status, or minus a signal's number; ``cut``: bytes that were not kept."""

    code: int
    stdout: bytes
    stderr: bytes
    timed_out: bool
    cut: int


async def communicate(stream: LinkStream, stdin: bytes | None, limit: int) -> ExecResult:
    """Send the input, collect the output (``limit`` bytes of each), until the exit.

    Raises: LinkViolation; anyio's errors when the connection breaks.
    """
    outcome: ExecResult | Exception
    async with anyio.create_task_group() as group:
        if stdin is not None:
            group.start_soon(_feed, stream, stdin)
        try:
            outcome = await _collect(stream, limit)
        except (LinkViolation, anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError) as problem:
            outcome = problem  # raised outside of the group, so that it is not wrapped
        group.cancel_scope.cancel()
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


async def _feed(stream: LinkStream, data: bytes) -> None:
    try:
        for begin in range(0, len(data), _PIECE):
            piece = data[begin : begin + _PIECE]
            await stream.send(struct.pack(">BI", _STDIN, len(piece)) + piece)
        await stream.send(struct.pack(">BI", _STDIN, 0))
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        return  # a program may end without reading its input; its exit tells


async def _collect(stream: LinkStream, limit: int) -> ExecResult:
    kept = {_STDOUT: bytearray(), _STDERR: bytearray()}
    cut = 0
    while True:
        number, length = struct.unpack(">BI", await stream.exactly(5))
        if number not in (_STDOUT, _STDERR, _EXIT) or length > _FRAME_LIMIT:
            raise LinkViolation("The workspace agent sent a wrong frame.")
        payload = await stream.exactly(length)
        if number == _EXIT:
            fields = parse(payload)
            return ExecResult(
                code=fields.number("code", -256, 256),
                stdout=bytes(kept[_STDOUT]),
                stderr=bytes(kept[_STDERR]),
                timed_out=fields.flag("timed_out", default=False),
                cut=cut,
            )
        room = limit - len(kept[number])
        kept[number] += payload[:room] if room > 0 else b""
        cut += max(0, len(payload) - max(0, room))
