"""From a tornado request to an answer that somebody else gives: head, body and, after an upgrade, raw bytes both ways.

Owns the mechanics on tornado's side (flow control, a reader that goes away, an answer that breaks off). Bodies pass
through in pieces, never whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing

import anyio
from anyio.abc import ByteStream
from tornado.iostream import IOStream, StreamClosedError
from tornado.web import RequestHandler

from jupyter_tasks.server.exchange import BrokenAnswer, Exchange, Head

__all__ = ["abort", "answer", "answer_upgrade", "pipe"]

_CHUNK = 64 * 1024  # bytes
_STALLED = 120.0  # seconds a reader may leave its buffer full


async def answer(handler: RequestHandler, exchange: Exchange, head: Head, headers: Sequence[tuple[str, str]]) -> None:
    """Give ``head.status``, ``headers`` (beside those the handler has set) and the exchange's body as the answer."""
    for name in ("Content-Type", "Server", "Date"):
        handler.clear_header(name)
    handler.set_status(head.status)
    for name, value in headers:
        try:
            handler.add_header(name, value)
        except ValueError:  # a control character: not a header that anybody may see
            continue
    try:
        await handler.flush()
        async with aclosing(exchange.body()) as chunks:
            async for chunk in chunks:
                with anyio.fail_after(_STALLED):
                    handler.write(chunk)
                    await handler.flush()
    except (BrokenAnswer, TimeoutError):
        abort(handler)  # cut off, so that nobody takes a part for the whole
    except StreamClosedError:
        pass
    else:
        await handler.finish()


async def answer_upgrade(handler: RequestHandler, exchange: Exchange, headers: Sequence[tuple[str, str]]) -> None:
    """Answer 101 with ``headers`` and pass raw bytes both ways until either side ends."""
    early, upstream = exchange.upgraded()
    lines = ["HTTP/1.1 101 Switching Protocols", *(f"{name}: {value}" for name, value in headers)]
    lines += ["Connection: Upgrade", "Upgrade: websocket"]
    stream: IOStream = handler.detach()
    try:
        await stream.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + early)
        await pipe(stream, upstream)
    except StreamClosedError:
        pass
    finally:
        stream.close()


async def pipe(stream: IOStream, upstream: ByteStream) -> None:
    """Pass bytes both ways until either side ends."""
    async with anyio.create_task_group() as group:

        async def up() -> None:
            try:
                while True:
                    await upstream.send(await stream.read_bytes(_CHUNK, partial=True))
            except (StreamClosedError, anyio.BrokenResourceError, anyio.ClosedResourceError):
                group.cancel_scope.cancel()

        async def down() -> None:
            try:
                while True:
                    await stream.write(await upstream.receive(_CHUNK))
            except (StreamClosedError, anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                group.cancel_scope.cancel()

        group.start_soon(up)
        group.start_soon(down)


def abort(handler: RequestHandler) -> None:
    """Close the connection of a request in the middle of its answer."""
    stream = getattr(handler.request.connection, "stream", None)
    if stream is not None:
        stream.close()
