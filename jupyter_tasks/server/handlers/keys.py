"""Credentials of LLM providers. A secret comes in by one body and goes out by none.

``PutKeyRequest`` hides it in a ``SecretStr``; the base class never quotes a wrong body, and the access log has no
bodies at all.
"""

from __future__ import annotations

from jupyter_tasks.models import PutKeyRequest
from jupyter_tasks.server.handlers.base import ApiHandler

__all__ = ["KeyHandler", "KeyTestHandler", "KeysHandler"]


class KeysHandler(ApiHandler):
    """Which credentials there are, never what they are."""

    path = "/api/v2/keys"

    async def get(self) -> None:
        await self.answer(await self.tasks.keys())


class KeyHandler(ApiHandler):
    """The credential of one provider: put in, taken out, not shown."""

    path = "/api/v2/keys/{provider}"

    async def put(self, provider: str) -> None:
        await self.answer(await self.tasks.put_key(provider, self.parse(PutKeyRequest)))

    async def delete(self, provider: str) -> None:
        await self.tasks.delete_key(provider)
        await self.empty()


class KeyTestHandler(ApiHandler):
    """Ask the vendor whether it is accepted. What the vendor says is an answer, also where it says no."""

    path = "/api/v2/keys/{provider}/test"

    async def post(self, provider: str) -> None:
        await self.answer(await self.tasks.test_key(provider))
