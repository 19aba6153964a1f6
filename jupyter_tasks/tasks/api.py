"""What the server may ask of the tasks service.

Owns the Protocol between ``server.handlers`` and ``tasks.service``; the values are the wire's own (``models``), made
once, here. ``user`` is who the request is about ("me" has been resolved by the handler), ``task`` a UUID or a name.
Every method raises errors of ``jupyter_tasks.errors``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from anyio.abc import ByteStream

from jupyter_tasks import models

__all__ = ["PreviewTarget", "Subscription", "TasksApi", "TerminalStream"]


class Subscription(Protocol):
    """A bounded stream of events. When its reader is too slow it ends, and the reader comes back with its last id."""

    def __aiter__(self) -> AsyncIterator[models.Event]: ...


class TerminalStream(Protocol):
    """Bytes of a terminal from ``offset`` on; ends with the program, or at the present end if not followed."""

    @property
    def offset(self) -> int:
        """Where the bytes begin."""

    @property
    def cols(self) -> int:
        """Width of the terminal."""

    @property
    def rows(self) -> int:
        """Height of the terminal."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class PreviewTarget(Protocol):
    """What a capability leads to. It is asked at each request, so that pause and delete end it at once."""

    task_id: str
    app: str

    async def dial(self) -> ByteStream:
        """A new connection to the app's port. Raises: AppUnreachable, NotFound once it has been revoked."""


class TasksApi(Protocol):
    """Tasks, as the HTTP API, the notebook and the shell see them."""

    async def list(self, query: str = "") -> models.TasksListResponse: ...
    async def create(self, user: str, request: models.CreateTaskRequest) -> models.Task: ...
    async def get(self, user: str, task: str) -> models.Task: ...
    async def delete(self, user: str, task: str) -> None: ...
    async def update_input(self, user: str, task: str, text: str) -> None: ...
    async def send(self, user: str, task: str, text: str, key: str | None = None) -> None: ...
    async def interrupt(self, user: str, task: str) -> bool: ...
    async def pause(self, user: str, task: str) -> models.WorkspaceBuild: ...
    async def resume(self, user: str, task: str) -> models.WorkspaceBuild: ...
    async def messages(self, user: str, task: str) -> models.MessagesResponse: ...
    async def logs(self, user: str, task: str, kind: models.LogKind) -> models.TaskLogsResponse: ...
    async def builds(self, user: str, task: str) -> Sequence[models.WorkspaceBuild]: ...
    async def diff(self, user: str, task: str) -> models.DiffResponse: ...
    async def answer(self, user: str, task: str, option: str, question: str | None = None) -> None: ...
    async def survey(self, request: models.ProjectRequest) -> models.ProjectInfo: ...
    async def apply(self, user: str, task: str, request: models.ApplyRequest) -> models.ApplyResponse: ...
    async def undo(self, user: str, task: str) -> models.UndoResponse: ...
    async def keys(self) -> models.KeysResponse: ...
    async def put_key(self, provider: str, request: models.PutKeyRequest) -> models.Key: ...
    async def delete_key(self, provider: str) -> None: ...
    async def test_key(self, provider: str) -> models.KeyTestResponse: ...
    async def prune(self, request: models.PruneRequest) -> models.PruneResponse: ...
    async def usage(self) -> models.UsageResponse: ...
    async def templates(self) -> models.TemplatesResponse: ...
    async def template(self, name: str) -> models.Template: ...

    def events(self, *, after: int | None, task_id: str | None = None) -> AbstractAsyncContextManager[Subscription]:
        """Events with an id above ``after`` (None: from now on), then live; of one task, or of all."""

    def terminal(
        self, user: str, task: str, *, offset: int, follow: bool
    ) -> AbstractAsyncContextManager[TerminalStream]:
        """The agent's own terminal, as bytes. A negative offset counts from the end."""

    async def type_terminal(self, user: str, task: str, request: models.TerminalInput) -> bool: ...

    async def mint_preview(
        self, user: str, task: str, request: models.PreviewRequest
    ) -> tuple[str, models.PreviewResponse]:
        """A capability for an app: the secret word, and the answer (whose ``path`` holds it)."""

    async def revoke_previews(self, user: str, task: str) -> None:
        """End every capability of a task at once."""

    def preview(self, capability: str) -> PreviewTarget | None:
        """What a capability leads to; None when there is no such (any more). Constant time in the capability."""

    def agentapi(self, user: str, task: str) -> AbstractAsyncContextManager[ByteStream]:
        """A connection to the task's own AgentAPI (HTTP/1.1). Raises: Conflict when it does not run."""
