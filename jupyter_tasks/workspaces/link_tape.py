"""Reading a tape (a terminal's bytes, a log) over the link.

Owns the rules of its header and its bytes: offsets only grow, and without ``follow`` no more comes than was promised.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import anyio

from jupyter_tasks.errors import LinkLost, LinkViolation
from jupyter_tasks.workspaces.link_fields import Fields
from jupyter_tasks.workspaces.link_stream import LinkStream

__all__ = ["TapeReading", "check_tape"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TapeReading:
    """One reading of a tape.

    ``offset``: where the bytes of ``chunks`` begin: later than asked where older ones were cut. ``head``: bytes
    written when it was asked. ``closed``: nothing more is written; ``exit``: the program's status. ``problem``: why
    the recording has holes, or "". ``chunks`` ends when the tape is closed and all is sent (at ``head`` without
    follow), or when this reader was so slow that its place was cut: ask again at the offset reached, until ``closed``
    and ``head`` is reached.
    """

    offset: int
    head: int
    closed: bool
    exit: int | None
    cols: int
    rows: int
    problem: str
    chunks: AsyncIterator[bytes]


def check_tape(stream: LinkStream, answer: Fields, asked: int, *, follow: bool, stall: float) -> TapeReading:
    """The reading that an answer begins. Raises: LinkViolation."""
    head = answer.number("head")
    offset = answer.number("offset")
    if not asked <= offset <= head:
        raise LinkViolation(
            "The workspace agent's offsets go backwards.", detail=f"{asked} was asked for, {offset} came."
        )
    return TapeReading(
        offset=offset,
        head=head,
        closed=answer.flag("closed"),
        exit=answer.exit(),
        cols=answer.number("cols", 1, 65535, default=80),
        rows=answer.number("rows", 1, 65535, default=24),
        problem=answer.text("problem", default=""),
        chunks=_follow(stream) if follow else _until(stream, head - offset, stall),
    )


async def _follow(stream: LinkStream) -> AsyncIterator[bytes]:
    while True:
        try:
            yield await stream.receive(65536)
        except anyio.EndOfStream:
            return
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise LinkLost("The workspace agent closed the connection.") from None


async def _until(stream: LinkStream, left: int, stall: float) -> AsyncIterator[bytes]:
    while True:
        try:
            with anyio.fail_after(stall):
                chunk = await stream.receive(65536)
        except anyio.EndOfStream:
            return
        except TimeoutError:
            raise LinkLost(f"The workspace agent sent nothing for {stall:g} s.") from None
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise LinkLost("The workspace agent closed the connection.") from None
        left -= len(chunk)
        if left < 0:
            raise LinkViolation("The workspace agent sent more bytes than it said.")
        yield chunk
