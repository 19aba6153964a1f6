"""One HTTP/1.1 request and its answer over a byte stream, streamed both ways.

Owns framing (by h11) and the bounds on heads; used towards apps in a workspace (hostile), a task's AgentAPI and, from a
Jupyter server, the engine. Which headers may pass is decided elsewhere (``preview_rules``, ``forwarding``).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import h11
from anyio.abc import ByteStream

__all__ = ["BrokenAnswer", "Exchange", "Head", "without_hop_by_hop"]

_LONGEST_HEAD = 64 * 1024  # bytes
_CHUNK = 64 * 1024  # bytes
_MOST_INTERIM = 20  # answers of status 1xx before the real one
_SEND = 60.0  # seconds the far end may leave its buffer full

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class BrokenAnswer(Exception):
    """The far end is gone, says something that is not HTTP, or is silent for too long."""


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of an answer. ``upgraded``: from here on the stream is not HTTP any more."""

    status: int
    headers: Sequence[tuple[str, str]]
    upgraded: bool = False


def without_hop_by_hop(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Headers but for those that are about one connection, including the ones that ``Connection`` names."""
    known = list(headers)
    named = {word.strip().lower() for name, value in known if name.lower() == "connection" for word in value.split(",")}
    return [(name, value) for name, value in known if name.lower() not in _HOP_BY_HOP | named]


class Exchange:
    """A request on a stream of its own. Closing it closes the stream."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)

    async def send_head(self, method: str, target: str, headers: Sequence[tuple[str, str]]) -> None:
        """Begin. ``headers`` must say how the body is framed. Raises: BrokenAnswer, also for what is not HTTP."""
        try:
            request = h11.Request(
                method=method.encode("ascii"),
                target=target.encode("latin-1"),
                headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
            )
        except (h11.LocalProtocolError, UnicodeEncodeError) as error:
            raise BrokenAnswer("the request cannot be passed on") from error
        await self._send(request)

    async def send_body(self, data: bytes) -> None:
        """More of the body. Raises: BrokenAnswer."""
        await self._send(h11.Data(data=data))

    async def end_body(self) -> None:
        """No more body. Raises: BrokenAnswer when less came than was announced."""
        await self._send(h11.EndOfMessage())

    async def head(self, timeout: float) -> Head:
        """The head of the answer, awaited for ``timeout`` seconds. Raises: BrokenAnswer."""
        try:
            with anyio.fail_after(timeout):
                return await self._head()
        except TimeoutError:
            raise BrokenAnswer(f"no answer within {timeout:.0f} seconds") from None

    async def body(self) -> AsyncGenerator[bytes, None]:
        """The body of the answer, as it comes. Raises: BrokenAnswer when it ends too early."""
        while True:
            event = await self._next()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return
            else:
                raise BrokenAnswer("the answer is cut off")

    def upgraded(self) -> tuple[bytes, ByteStream]:
        """After an upgrade: the bytes that came with the head, and the stream."""
        return self._h11.trailing_data[0], self._stream

    async def aclose(self) -> None:
        """End it, whatever its state."""
        with anyio.CancelScope(shield=True), anyio.move_on_after(1):
            await self._stream.aclose()

    async def _head(self) -> Head:
        for _ in range(_MOST_INTERIM):
            event = await self._next()
            if isinstance(event, h11.Response):
                return Head(event.status_code, _decoded(event.headers))
            if isinstance(event, h11.InformationalResponse):
                if event.status_code == 101:
                    return Head(101, _decoded(event.headers), upgraded=True)
                continue
            break
        raise BrokenAnswer("the connection was closed without an answer")

    async def _send(self, event: Any) -> None:
        try:
            data = self._h11.send(event)
            if data:
                with anyio.fail_after(_SEND):
                    await self._stream.send(data)
        except h11.LocalProtocolError as error:
            raise BrokenAnswer("the request is not complete") from error
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError) as error:
            raise BrokenAnswer("the connection broke") from error

    async def _next(self) -> Any:
        try:
            while True:
                event = self._h11.next_event()
                if event is h11.NEED_DATA:
                    self._h11.receive_data(await self._receive())
                else:
                    return event
        except h11.RemoteProtocolError as error:
            raise BrokenAnswer("the answer is not HTTP") from error

    async def _receive(self) -> bytes:
        try:
            return await self._stream.receive(_CHUNK)
        except anyio.EndOfStream:
            return b""
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError) as error:
            raise BrokenAnswer("the connection broke") from error


def _decoded(headers: Any) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.raw_items()]
