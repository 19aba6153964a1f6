"""Capabilities for previews: an unguessable word that leads to one app of one task, for a while.

Owns the words; they live in memory only and die with the engine, with pause and with delete. How a request reaches the
app is the session's business.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from anyio.abc import ByteStream

from jupyter_tasks.clock import Clock
from jupyter_tasks.errors import NotFound

__all__ = ["Capabilities", "Capability"]

LIFETIME = timedelta(hours=12)
MOST = 256

Dial = Callable[[], Awaitable[ByteStream]]


@dataclass(slots=True)
class Capability:
    """What a word leads to."""

    task_id: str
    app: str
    expires_at: datetime
    until: float  # of the monotonic clock: a wall that is set anew neither prolongs nor ends it
    _dial: Dial
    revoked: bool = False

    async def dial(self) -> ByteStream:
        """A connection to the app. Raises: NotFound once revoked; AppUnreachable."""
        if self.revoked:
            raise NotFound("This preview has ended.", hint="Open it again from the task.")
        return await self._dial()


class Capabilities:
    """All words that hold now: at most ``MOST``, the oldest gives way."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[bytes, Capability] = {}

    def mint(self, task_id: str, app: str, dial: Dial) -> tuple[str, Capability]:
        """A new word of 192 random bits (and short enough for a host name), and what it leads to."""
        while len(self._known) >= MOST:
            self._known.pop(next(iter(self._known))).revoked = True
        word = secrets.token_hex(24)
        until = self._clock.monotonic() + LIFETIME.total_seconds()
        capability = Capability(task_id, app, self._clock.now() + LIFETIME, until, dial)
        self._known[_digest(word)] = capability
        return word, capability

    def find(self, word: str) -> Capability | None:
        """What this word leads to. Looked up by digest, so that timing tells nothing of a word."""
        capability = self._known.get(_digest(word))
        if capability is None or capability.revoked or capability.until <= self._clock.monotonic():
            return None
        return capability

    def revoke(self, task_id: str) -> None:
        """End every word of a task."""
        for digest in [digest for digest, each in self._known.items() if each.task_id == task_id]:
            self._known.pop(digest).revoked = True


def _digest(word: str) -> bytes:
    return hashlib.sha256(word.encode("utf-8", "surrogateescape")).digest()
