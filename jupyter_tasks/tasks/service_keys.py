"""Credentials of LLM providers, as the HTTP API has them.

Owns that nothing here blocks the event loop; the rules are ``metering.credentials``'s.
"""

from __future__ import annotations

from functools import partial

import anyio
import anyio.to_thread

from jupyter_tasks import models
from jupyter_tasks.metering.credentials_providers import PROVIDERS
from jupyter_tasks.tasks.desk import Desk

__all__ = ["KeyService"]

_threads = anyio.CapacityLimiter(1)  # the file of the keys is changed by one at a time


class KeyService(Desk):
    """The part of the service that is about keys."""

    async def keys(self) -> models.KeysResponse:
        """GET /keys."""
        found = await anyio.to_thread.run_sync(self._house.credentials.list, limiter=_threads)
        return models.KeysResponse(keys=list(found), providers=list(PROVIDERS))

    async def put_key(self, provider: str, request: models.PutKeyRequest) -> models.Key:
        """PUT /keys/{provider}."""
        secret = request.secret.get_secret_value()
        add = partial(self._house.credentials.add, provider, secret, request.kind, request.base_url)
        return await anyio.to_thread.run_sync(add, limiter=_threads)

    async def delete_key(self, provider: str) -> None:
        """DELETE /keys/{provider}."""
        await anyio.to_thread.run_sync(self._house.credentials.remove, provider, limiter=_threads)

    async def test_key(self, provider: str) -> models.KeyTestResponse:
        """POST /keys/{provider}/test."""
        return await self._house.credentials.test(provider)
