"""What both clients can do for daily work: answer, look at a project, apply and undo, credentials, clean-up.

Owns these methods alone; how a call is sent is with the classes that inherit them (``client``, ``async_client``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, TypeVar

from jupyter_tasks.notebook import calls, transport
from jupyter_tasks.notebook.calls import Call

if TYPE_CHECKING:
    from jupyter_tasks import models

__all__ = ["AsyncDailyCalls", "DailyCalls"]

T = TypeVar("T")


class DailyCalls(ABC):
    """For threads."""

    @abstractmethod
    def _do(self, call: Call[T]) -> T:
        """Send it and read the answer."""

    def answer(self, task: str, option: str, question: str | None = None) -> None:
        """Choose an option of what the agent asks, by its id (``Task.attention.options``).

        ``question`` is the id of what is answered (``Task.attention.id``); without it, whatever is asked by then.

        Raises: Conflict when it asks nothing, or no longer that; InvalidInput when there is no such option.
        """
        self._do(calls.answer(task, option, question))

    def survey(self, request: models.ProjectRequest) -> models.ProjectInfo:
        """What of the user's files a workspace would get; nothing is made.

        Raises: InvalidInput where a project cannot be taken (too large, a home directory …).
        """
        return self._do(calls.survey(request))

    def apply(self, task: str, request: models.ApplyRequest) -> models.ApplyResponse:
        """Take the agent's changes over, all or nothing. A conflict or refusal is in the answer, ``applied`` false.

        Raises: NotFound for a path without changes; Conflict; EngineUnavailable when the answer was lost.
        """
        with transport.unknown_outcome(task, "the apply", known=request.dry_run):
            return self._do(calls.apply(task, request))

    def undo(self, task: str) -> models.UndoResponse:
        """Take the newest apply back. Raises: Conflict when there is none."""
        with transport.unknown_outcome(task, "the undoing"):
            return self._do(calls.undo(task))

    def keys(self) -> models.KeysResponse:
        """Credentials that the engine holds, without their secrets, and the providers that could be added."""
        return self._do(calls.keys())

    def put_key(self, provider: str, request: models.PutKeyRequest) -> models.Key:
        """Keep a provider's credential, instead of what was there."""
        return self._do(calls.put_key(provider, request))

    def delete_key(self, provider: str) -> None:
        """Remove a provider's credential. Raises: NotFound."""
        self._do(calls.delete_key(provider))

    def test_key(self, provider: str) -> models.KeyTestResponse:
        """What the vendor says to a credential. Raises: NotFound."""
        return self._do(calls.test_key(provider))

    def prune(self, request: models.PruneRequest) -> models.PruneResponse:
        """Delete old tasks, or with ``dry_run`` (the default) say which."""
        return self._do(calls.prune(request))

    def revoke_previews(self, task: str) -> None:
        """End every preview address of a task."""
        self._do(calls.revoke_previews(task))


class AsyncDailyCalls(ABC):
    """For event loops; every method means what its namesake above means."""

    @abstractmethod
    async def _do(self, call: Call[T]) -> T:
        """Send it and read the answer."""

    async def answer(self, task: str, option: str, question: str | None = None) -> None:
        """See ``Client.answer``."""
        await self._do(calls.answer(task, option, question))

    async def survey(self, request: models.ProjectRequest) -> models.ProjectInfo:
        """See ``Client.survey``."""
        return await self._do(calls.survey(request))

    async def apply(self, task: str, request: models.ApplyRequest) -> models.ApplyResponse:
        """See ``Client.apply``."""
        with transport.unknown_outcome(task, "the apply", known=request.dry_run):
            return await self._do(calls.apply(task, request))

    async def undo(self, task: str) -> models.UndoResponse:
        """See ``Client.undo``."""
        with transport.unknown_outcome(task, "the undoing"):
            return await self._do(calls.undo(task))

    async def keys(self) -> models.KeysResponse:
        """See ``Client.keys``."""
        return await self._do(calls.keys())

    async def put_key(self, provider: str, request: models.PutKeyRequest) -> models.Key:
        """See ``Client.put_key``."""
        return await self._do(calls.put_key(provider, request))

    async def delete_key(self, provider: str) -> None:
        """See ``Client.delete_key``."""
        await self._do(calls.delete_key(provider))

    async def test_key(self, provider: str) -> models.KeyTestResponse:
        """See ``Client.test_key``."""
        return await self._do(calls.test_key(provider))

    async def prune(self, request: models.PruneRequest) -> models.PruneResponse:
        """See ``Client.prune``."""
        return await self._do(calls.prune(request))

    async def revoke_previews(self, task: str) -> None:
        """See ``Client.revoke_previews``."""
        await self._do(calls.revoke_previews(task))
