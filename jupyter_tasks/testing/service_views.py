"""What of ``FakeService`` looks into a workspace: previews that dial a real address, some bytes of a terminal."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import anyio
from anyio.abc import ByteStream

from jupyter_tasks import models
from jupyter_tasks.errors import AppUnreachable, Conflict, NotFound
from jupyter_tasks.testing.service_room import FakeRoom, now

__all__ = ["FakeTarget", "FakeTerminal", "FakeViews"]


@dataclass(eq=False)
class FakeTarget:
    """An app at a TCP port of this machine."""

    task_id: str
    app: str
    port: int
    revoked: bool = False

    async def dial(self) -> ByteStream:
        """Raises: NotFound, AppUnreachable."""
        if self.revoked:
            raise NotFound("This preview has ended.")
        try:
            return await anyio.connect_tcp("127.0.0.1", self.port)
        except OSError:
            raise AppUnreachable("The app does not answer.") from None


@dataclass(eq=False)
class FakeTerminal:
    """Some bytes."""

    content: bytes
    offset: int
    cols: int = 80
    rows: int = 24

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(self.offset, len(self.content), 4096):
            yield self.content[start : start + 4096]


@dataclass(eq=False)
class FakeViews(FakeRoom):
    """``app_port``: where previews lead; ``agentapi_port``: where a task's AgentAPI is."""

    app_port: int = 0
    agentapi_port: int = 0
    terminal_bytes: bytes = b"hello\r\n"
    _targets: dict[str, FakeTarget] = field(default_factory=dict)
    _typed: set[str] = field(default_factory=set)

    @asynccontextmanager
    async def terminal(self, user: str, task: str, *, offset: int, follow: bool) -> AsyncIterator[FakeTerminal]:
        self._find(task)
        size = len(self.terminal_bytes)
        yield FakeTerminal(self.terminal_bytes, max(0, size + offset) if offset < 0 else min(offset, size))

    async def type_terminal(self, user: str, task: str, request: models.TerminalInput) -> bool:
        self._find(task)
        self.calls.append(("type", request))
        already = request.key is not None and request.key in self._typed
        self._typed.add(request.key or "")
        return already

    async def mint_preview(
        self, user: str, task: str, request: models.PreviewRequest
    ) -> tuple[str, models.PreviewResponse]:
        found = self._find(task)
        app = request.app or "preview"
        if app != "preview":
            raise NotFound(f'The task "{found.name}" has no app "{app}".')
        word = secrets.token_hex(24)
        self._targets[word] = FakeTarget(found.id, app, self.app_port)
        expires = now() + timedelta(hours=12)
        return word, models.PreviewResponse(app=app, path=f"preview/{word}/", expires_at=expires)

    async def revoke_previews(self, user: str, task: str) -> None:
        self._revoke(self._find(task).id)

    def preview(self, capability: str) -> FakeTarget | None:
        target = self._targets.get(capability)
        return None if target is None or target.revoked else target

    @asynccontextmanager
    async def agentapi(self, user: str, task: str) -> AsyncIterator[ByteStream]:
        self._find(task)
        if not self.agentapi_port:
            raise Conflict("Task is pending.")
        async with await anyio.connect_tcp("127.0.0.1", self.agentapi_port) as stream:
            yield stream

    def _revoke(self, task_id: str) -> None:
        for target in self._targets.values():
            if target.task_id == task_id:
                target.revoked = True
