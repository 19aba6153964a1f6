"""How a Jupyter server reaches the engine: over its unix socket, whoever runs it, and started here when nobody does.

Owns the choice between an engine of its own process and one inside this server, and that it is started once at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import cached_property
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from anyio.abc import ByteStream

from jupyter_tasks import places
from jupyter_tasks.errors import EngineUnavailable
from jupyter_tasks.launch import ensure_engine_async
from jupyter_tasks.server.exchange import BrokenAnswer, Exchange

if TYPE_CHECKING:
    from traitlets.config import Config

    from jupyter_tasks.server.engine import Engine

__all__ = ["EngineLink", "InProcess", "outside"]

_CONNECT = 5.0  # seconds
_ANSWER = 30.0  # seconds
_START = 10.0  # seconds an engine of somebody else may take to answer
_LARGEST_ANSWER = 64 * 1024 * 1024  # bytes of one of our own questions' answers

log = logging.getLogger(__name__)


class EngineLink:
    """Connections to the engine.

    Args:
        start: makes an engine answer at ``places.engine_socket()``, whatever that takes.
    """

    def __init__(self, start: Callable[[], Awaitable[None]]) -> None:
        self._start = start
        self._known = False
        self._used: anyio.Event | None = None

    @cached_property
    def _lock(self) -> anyio.Lock:
        return anyio.Lock()  # made when it is needed: a Jupyter server makes its extensions before it has a loop

    async def connect(self) -> ByteStream:
        """A new connection; the engine is started if need be. Raises: EngineUnavailable."""
        stream = await self.peek() if self._known else None
        if stream is None:
            async with self._lock:
                stream = await self.peek() if self._known else None
                if stream is None:
                    with anyio.CancelScope(shield=True):  # who asked may go; the engine that starts is everybody's
                        await self._start()
                    self._known = True
                    stream = await self.peek()
        if stream is None:
            self._known = False
            raise EngineUnavailable(
                "The engine of Jupyter Tasks ended as soon as it was started.",
                hint=f"Its log is {places.engine_log()}.",
            )
        if self._used is not None:
            self._used.set()
        return stream

    async def wanted(self) -> None:
        """Return as soon as somebody asks for the engine: then it is worth following its events. For one waiter."""
        self._used = anyio.Event()
        await self._used.wait()

    async def peek(self) -> ByteStream | None:
        """A new connection to an engine that runs; None when none does."""
        try:
            with anyio.fail_after(_CONNECT):
                return await anyio.connect_unix(str(places.engine_socket()))
        except (OSError, TimeoutError):
            return None

    async def ask(self, method: str, target: str, stream: ByteStream | None = None) -> tuple[int, bytes]:
        """A question of our own. Returns: status and body. Raises: EngineUnavailable."""
        exchange = Exchange(stream or await self.connect())
        try:
            with anyio.fail_after(_ANSWER):
                headers = [("Host", "engine"), ("Connection", "close"), ("Content-Length", "0")]
                await exchange.send_head(method, target, headers)
                await exchange.end_body()
                head = await exchange.head(_ANSWER)
                body = bytearray()
                async with aclosing(exchange.body()) as chunks:
                    async for chunk in chunks:
                        body += chunk
                        if len(body) > _LARGEST_ANSWER:
                            raise BrokenAnswer("the answer is too long")
        except (BrokenAnswer, TimeoutError) as error:
            raise EngineUnavailable("The engine of Jupyter Tasks does not answer.", detail=str(error)) from None
        finally:
            await exchange.aclose()
        return head.status, bytes(body)


def outside(timeout: float) -> Callable[[], Awaitable[None]]:
    """A start in a process of its own, given ``timeout`` seconds."""

    async def start() -> None:
        await ensure_engine_async(timeout)

    return start


class InProcess:
    """An engine inside this server (``engine = "inprocess"``). One that runs elsewhere is used instead."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._engine: Engine | None = None

    async def start(self) -> None:
        """Make an engine answer. Raises: EngineUnavailable, StoreError."""
        from jupyter_tasks.launch import engine_info, engine_runs

        engine_class = await anyio.to_thread.run_sync(_engine_class)  # most of the time it takes: the server answers
        with anyio.move_on_after(_START):
            while engine_runs():  # elsewhere: another Jupyter server of the user, a shell
                if await anyio.to_thread.run_sync(engine_info, None, 0.2) is not None:
                    return
                await anyio.sleep(0.05)
        # kept before it runs: ``stop`` may come, and this be cancelled, while it starts
        self._engine = engine_class(config=self._config, mode="inprocess")
        try:
            await self._engine.start()
        except Exception:
            self._engine = None
            raise

    async def stop(self) -> None:
        """End it, if it was ours. Its workspaces run on."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.stop()
            await engine.stopped()


def _engine_class() -> type[Engine]:
    from jupyter_tasks.server.engine import Engine

    return Engine
