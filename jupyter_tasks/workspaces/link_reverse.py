"""Reverse connections: what connects to a service's port inside reaches a handler here.

Owns how many are parked and how many run. Each was opened for one named service by us, so whatever comes on it can
reach that service's handler and nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import anyio
from anyio.abc import ByteStream, TaskGroup

from jupyter_tasks.clock import Clock
from jupyter_tasks.errors import LinkLost, LinkViolation
from jupyter_tasks.workspaces.link_fields import Fields
from jupyter_tasks.workspaces.link_stream import LinkStream

__all__ = ["Handler", "serve"]

Handler = Callable[[ByteStream], Awaitable[None]]

_logger = logging.getLogger(__name__)
_FIRST_PAUSE, _LAST_PAUSE = 0.05, 2.0
_USED = b"\x01"


async def serve(
    park: Callable[[], Awaitable[tuple[LinkStream, Fields]]],
    handler: Handler,
    clock: Clock,
    *,
    parked: int,
    most: int,
) -> None:
    """Keep connections ready and run ``handler`` for each that is used, ``most`` at once; until cancelled.

    One is kept until a client inside first uses it, ``parked`` from then on: most services of most workspaces never
    have one, and an engine that takes up a hundred workspaces opens one connection for each, not four.

    Raises: LinkLost, LinkViolation.
    """
    room = anyio.Semaphore(most)
    failures: list[Exception] = []
    first = anyio.Event()
    async with anyio.create_task_group() as group:

        async def keep_parked() -> None:
            try:
                await _park_and_hand_over(park, handler, clock, room, group, first)
            except (LinkLost, LinkViolation) as problem:
                # one error, not a group of four
                failures.append(problem)
                group.cancel_scope.cancel()

        async def keep_others() -> None:
            await first.wait()
            for _ in range(parked - 1):
                group.start_soon(keep_parked)

        group.start_soon(keep_parked)
        group.start_soon(keep_others)
    if failures:
        raise failures[0]


async def _park_and_hand_over(
    park: Callable[[], Awaitable[tuple[LinkStream, Fields]]],
    handler: Handler,
    clock: Clock,
    room: anyio.Semaphore,
    group: TaskGroup,
    first: anyio.Event,
) -> None:
    pause = _FIRST_PAUSE
    while True:
        await room.acquire()  # a client that connects now must find a handler
        stream: LinkStream | None = None
        handed_over = False
        try:
            stream, _ = await park()
            used = await _used(stream)
            if used:
                group.start_soon(_handle, stream, handler, room)
                handed_over = True
                first.set()
                pause = _FIRST_PAUSE
        finally:
            if not handed_over:
                room.release()
                if stream is not None:
                    stream.close()
        if not handed_over:
            # the agent did not want it: no hurry to offer the next
            await clock.sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE)


async def _used(stream: LinkStream) -> bool:
    """Wait until a client inside uses the connection; False when the agent closed it."""
    try:
        byte = await stream.exactly(1)
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return False
    if byte != _USED:
        raise LinkViolation("The workspace agent broke the rule of a parked connection.")
    return True


async def _handle(stream: LinkStream, handler: Handler, room: anyio.Semaphore) -> None:
    try:
        await handler(stream)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream):
        pass  # the client inside has gone
    except Exception:
        _logger.exception("A service of a workspace failed on one connection.")
    finally:
        room.release()
        stream.close()
