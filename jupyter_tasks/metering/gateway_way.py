"""What the ways to a vendor have in common: an answer, its patience, and the call itself.

Owns these shapes only. A direct way is ``gateway_direct``'s, one through a proxy ``gateway_proxied``'s.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

import anyio

from jupyter_tasks.metering.gateway_headers import Headers

__all__ = ["KEPT_FOR", "MOST_CONNECTIONS", "MOST_KEPT", "Answer", "Patience", "Way"]

MOST_CONNECTIONS = 256
MOST_KEPT = 32
KEPT_FOR = 30.0
"""Seconds that a connection waits for its next call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds. ``connect``: with TLS; ``read``: until the first byte, and between two; ``write``: for a piece to be
    taken; ``pool``: while too many calls run."""

    connect: float = 10.0
    read: float = 600.0
    write: float = 60.0
    pool: float = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A vendor's answer whose head has come. An async context: leaving it ends the call, finished or not."""

    status: int
    headers: Headers
    first: bytes
    """Of the body, what came with the head."""
    _rest: AsyncIterator[bytes]
    _close: Callable[[], Awaitable[None]]

    def pieces(self) -> AsyncIterator[bytes]:
        """The body behind ``first`` as it comes, nothing decoded. Raises: httpx.HTTPError when it is cut or stands
        still."""
        return self._rest

    async def __aenter__(self) -> Answer:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True), anyio.move_on_after(2.0):
            await self._close()


class Way(Protocol):
    """Leads to one vendor, or through one proxy to all."""

    async def send(
        self, method: str, target: bytes, headers: Headers, body: AsyncIterator[bytes] | None
    ) -> Answer:  # pragma: no cover - a protocol
        """Send a request; returns when the head of its answer is there.

        Raises: httpx.HTTPError, and whatever ``body`` raises.
        """
        ...

    async def close(self) -> None:  # pragma: no cover - a protocol
        """Let go of the connections that are kept."""
        ...
