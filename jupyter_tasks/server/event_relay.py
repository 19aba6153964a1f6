"""The engine's events, passed to the browsers of one Jupyter server (design D8).

Owns one subscription to ``/api/v2/events`` that comes back after every break, and what of an event may go on: ids,
states and counts. Jupyter's event logger writes to wherever an administrator says, so names and words stay here.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import Any, Protocol

import anyio
from anyio.abc import ByteStream

from jupyter_tasks.clock import Clock
from jupyter_tasks.errors import EngineUnavailable
from jupyter_tasks.server.engine_link import EngineLink
from jupyter_tasks.server.exchange import BrokenAnswer, Exchange

__all__ = ["EventRelay", "Frames", "Watcher", "public"]

_FIRST_DELAY, _LONGEST_DELAY = 0.2, 5.0  # seconds between looks for an engine; a look is one connect()
_ANSWER = 30.0
_LONGEST_LINE = 1024 * 1024  # bytes kept of one; longer ones are a message's words, which do not pass here
_SILENCE = 45.0  # seconds: three heartbeats

Emit = Callable[[dict[str, Any]], None]

log = logging.getLogger(__name__)


class Watcher(Protocol):
    """Who else wants to know what tasks do (``keep_alive``)."""

    def reset(self, tasks: list[dict[str, Any]]) -> None:
        """All tasks, as ``GET /tasks`` has them."""

    def see(self, data: dict[str, Any]) -> None:
        """The data of one task event."""


class EventRelay:
    """Follows the engine for as long as ``run`` runs. It never starts one: that is for who asks something of it."""

    def __init__(self, link: EngineLink, emit: Emit, watcher: Watcher, clock: Clock) -> None:
        self._link = link
        self._emit = emit
        self._watcher = watcher
        self._clock = clock
        self._last: int | None = None

    async def run(self) -> None:
        """Follow, and come back after every break, until cancelled."""
        delay = _FIRST_DELAY
        while True:
            stream = await self._link.peek()
            if stream is not None:
                try:
                    await self._follow(stream)
                    delay = _FIRST_DELAY
                except (BrokenAnswer, EngineUnavailable, TimeoutError, ValueError) as error:
                    log.debug("the engine's events broke off: %s", error)
            self._watcher.reset([])
            await self._wait(delay)
            delay = min(delay * 2, _LONGEST_DELAY)

    async def _wait(self, seconds: float) -> None:
        """Until the time is over, or somebody wants the engine."""
        async with anyio.create_task_group() as group:

            async def wanted() -> None:
                await self._link.wanted()
                group.cancel_scope.cancel()

            group.start_soon(wanted)
            await self._clock.sleep(seconds)
            group.cancel_scope.cancel()

    async def _follow(self, stream: ByteStream) -> None:
        exchange = Exchange(stream)
        try:
            await self._take_stock()
            target = f"/api/v2/events?after={self._last or 0}"
            await exchange.send_head("GET", target, [("Host", "engine"), ("Accept", "text/event-stream")])
            await exchange.end_body()
            head = await exchange.head(_ANSWER)
            if head.status != 200:
                raise BrokenAnswer(f"status {head.status}")
            frames = Frames()
            async with aclosing(exchange.body()) as chunks:
                while chunk := await self._next(chunks):
                    for number, kind, data in frames.feed(chunk):
                        self._pass(number, kind, data)
        finally:
            await exchange.aclose()

    async def _next(self, chunks: AsyncIterator[bytes]) -> bytes:
        with anyio.fail_after(_SILENCE):
            return await anext(chunks, b"")

    async def _take_stock(self) -> None:
        """Where the engine is, and what tasks there are. Browsers are told to look anew if events may be lost."""
        newest = (await self._json("/api/v2/buildinfo")).get("last_event_id", 0)
        if self._last is None or self._last > newest:
            self._last = newest
            self._emit({"kind": "reset", "event_id": newest})
        tasks = (await self._json("/api/v2/tasks")).get("tasks", [])
        self._watcher.reset([task for task in tasks if isinstance(task, dict)])

    async def _json(self, target: str) -> dict[str, Any]:
        stream = await self._link.peek()
        if stream is None:
            raise BrokenAnswer("the engine is gone")
        status, body = await self._link.ask("GET", target, stream)
        value = json.loads(body) if status == 200 else None
        if not isinstance(value, dict):
            raise BrokenAnswer(f"{target} answered {status}")
        return value

    def _pass(self, number: int, kind: str, text: str) -> None:
        self._last = number
        if kind not in {"task", "usage"}:
            return
        event = json.loads(text)
        data = event.get("data")
        if isinstance(data, dict):
            if kind == "task":
                self._watcher.see(data)
            self._emit(public(number, kind, event.get("task_id"), data))


class Frames:
    """Server-sent events of our own engine: every frame has an id, a kind and one line of data."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._fields: dict[str, str] = {}

    def feed(self, chunk: bytes) -> Iterator[tuple[int, str, str]]:
        """Id, kind and data of each frame that ``chunk`` completes."""
        pieces = chunk.split(b"\n")
        for piece in pieces[:-1]:
            self._keep(piece)
            line = self._line.decode("utf-8", "replace")
            self._line.clear()
            if line:
                name, _, value = line.partition(":")
                self._fields[name] = value.strip()
            elif self._fields:
                fields, self._fields = self._fields, {}
                if fields.get("id", "").isdecimal():
                    yield int(fields["id"]), fields.get("event", ""), fields.get("data", "")
        self._keep(pieces[-1])

    def _keep(self, piece: bytes) -> None:
        self._line += piece[: max(0, _LONGEST_LINE - len(self._line))]


def public(number: int, kind: str, task_id: object, data: dict[str, Any]) -> dict[str, Any]:
    """What of an event every reader of Jupyter's events may have."""
    event: dict[str, Any] = {"kind": kind, "event_id": number}
    if isinstance(task_id, str):
        event["task_id"] = task_id
    for name in ("status", "state", "summary"):
        if isinstance(data.get(name), str):
            event[name] = data[name]
    for name in ("actual", "included"):
        if isinstance(data.get(name), int):
            event[name] = data[name]
    attention = data.get("attention")
    if isinstance(attention, dict) and isinstance(attention.get("kind"), str):
        event["attention"] = attention["kind"]
    if kind == "task":
        event["deleted"] = data.get("deleted") is True
    return event
