"""One call through the gateway: on to the vendor, back to the agent, and what it used.

Owns the relay of one exchange whose credential was found already, and the row that is written of it. Bytes go on as
they come; the tee reads copies. Whatever ends a call early ends both sides of it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime
from uuid import uuid4

import anyio
from anyio import get_cancelled_exc_class

from jupyter_tasks.metering.credentials import Credential
from jupyter_tasks.metering.credentials_providers import Wire
from jupyter_tasks.metering.gateway_headers import (
    error_body,
    request_headers,
    response_headers,
    vendor_words,
)
from jupyter_tasks.metering.gateway_redact import Redactor
from jupyter_tasks.metering.gateway_upstream import Answer, Upstreams, why_not
from jupyter_tasks.metering.gateway_wire import GONE, ClientConnection, Head, Refused
from jupyter_tasks.metering.llm_usage_tee import Tee
from jupyter_tasks.metering.prices import Prices
from jupyter_tasks.store.llm_rows import LlmCall

__all__ = ["Call", "refuse"]

MOST_ERROR = 64 << 10
_HEAD_OF_BODY = 16 << 10
_MODEL = re.compile(rb'"model"\s*:\s*"([^"\\]{1,200})"')
_UNMETERED = ("/count_tokens", "/input_tokens", ":countTokens")


async def refuse(client: ClientConnection, wire: Wire, status: int, message: str, code: str) -> None:
    """Answer with an error of our own in the vendor's shape. Raises: GONE."""
    body = error_body(wire, status, message, code)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status in (401, 403, 404):
        headers.append((b"x-should-retry", b"false"))  # the vendors' own libraries heed it
    elif status == 429:
        headers.append((b"retry-after", b"1"))
    await client.begin(status, headers, body)
    await client.end()


class Call:
    """One exchange. ``status`` is 0 until an answer has come; ``problem`` is "" while nothing is wrong."""

    def __init__(self, head: Head, credential: Credential, path: str, query: str) -> None:
        self._head = head
        self._credential = credential
        self._target = f"{path}?{query}" if query else path
        self._tee: Tee | None = None
        self._asked = b""
        self._error = bytearray()
        self.status = 0
        self.problem = ""
        self.metered = head.method == "POST" and not path.endswith(_UNMETERED)

    async def run(self, client: ClientConnection, upstreams: Upstreams) -> None:
        """Forward and relay. Never raises for what client, vendor or the way do; an answer that was cut is left open,
        so that the connection can only be closed."""
        provider = self._credential.provider
        ended = False
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(client.watch, group.cancel_scope)
                await self._exchange(client, upstreams)
                ended = True
                group.cancel_scope.cancel()
        except get_cancelled_exc_class():
            self.problem = "The workspace was stopped before the answer ended."
            raise
        finally:
            if client.gone and not ended:
                self.problem = "The agent broke off before the answer ended."
            if self._tee is not None:
                self._tee.finish()
            if self.status >= 400 and not self.problem:
                words = vendor_words(bytes(self._error))
                self.problem = f"{provider.title} answered {self.status}{': ' + words if words else '.'}"

    def row(self, task_id: str, build_id: str, time: datetime, seconds: float, prices: Prices) -> LlmCall:
        """What is written of it."""
        asked = _MODEL.search(self._asked)
        usage = self._tee.usage if self._tee is not None else Tee(self._credential.provider.wire, "").usage
        usage.model = usage.model or (asked.group(1).decode("utf-8", "replace") if asked else "")
        problem = self.problem or usage.problem
        if not problem and not usage.seen:
            lost = self._tee.lost if self._tee is not None else ""
            problem = lost or "The answer did not say what it used."
        # a subscription is not paid by the token
        priced = self._credential.kind == "api_key"
        used = usage.input or usage.output or usage.cache_read or usage.cache_write
        return LlmCall(
            id=str(uuid4()),
            task_id=task_id,
            build_id=build_id,
            time=time,
            provider=self._credential.provider.name,
            model=usage.model,
            status=self.status,
            input=usage.input,
            output=usage.output,
            cache_read=usage.cache_read,
            cache_write=usage.cache_write,
            cost=prices.cost(usage) if priced or not used else None,
            milliseconds=round(seconds * 1000),
            problem=problem or None,
        )

    async def _exchange(self, client: ClientConnection, upstreams: Upstreams) -> None:
        credential = self._credential
        try:
            base = await upstreams.base(credential.base_url)
            headers = request_headers(self._head.headers, credential, base.host)
            answer = await upstreams.send(
                credential.base_url, self._head.method, self._target, headers, self._body(client)
            )
        except Refused as refused:
            self.problem = refused.message
            await self._refuse(client, refused.status, refused.message, "invalid_request")
            return
        except GONE:
            client.gone = True
            self.problem = "The agent broke off before its request was whole."
            return
        except Exception as error:  # noqa: BLE001 -- whatever it is, the agent is told that there is no answer
            await self._unanswered(client, error)
            return
        self.status = answer.status
        async with answer:
            await self._relay(client, answer)

    async def _body(self, client: ClientConnection) -> AsyncIterator[bytes]:
        async for piece in client.body():
            if len(self._asked) < _HEAD_OF_BODY:
                self._asked += piece[: _HEAD_OF_BODY - len(self._asked)]
            yield piece

    async def _relay(self, client: ClientConnection, answer: Answer) -> None:
        secret = self._credential.secret.encode()
        encoding = _header(answer, b"content-encoding")
        if answer.status >= 400 and encoding not in ("", "identity"):
            # it cannot be searched for the credential
            title = self._credential.provider.title
            message = f"{title} answered {answer.status}, in {encoding[:20]!r}, which was not asked for."
            await self._refuse(client, answer.status, message, "upstream_error")
            return
        self._tee = tee = Tee(self._credential.provider.wire, _header(answer, b"content-type"), encoding)
        redactor = Redactor(secret)
        try:
            first = redactor.feed(answer.first)
            await client.begin(answer.status, response_headers(answer.headers, secret), first)
            self._seen(tee, first)
            pieces = answer.pieces()
            while (piece := await self._next(pieces)) is not None:
                piece = redactor.feed(piece)
                if piece:
                    await client.send(piece)
                    self._seen(tee, piece)
            if self.problem:
                return  # cut: so is our answer
            last = redactor.finish()
            tee.feed(last)
            await client.end(last)
        except GONE:
            client.gone = True
            self.problem = "The agent broke off before the answer ended."

    def _seen(self, tee: Tee, piece: bytes) -> None:
        tee.feed(piece)
        if self.status >= 400 and len(self._error) < MOST_ERROR:
            self._error += piece

    async def _next(self, pieces: AsyncIterator[bytes]) -> bytes | None:
        """The next piece of the answer; None when there are no more, with ``problem`` set where it was cut."""
        try:
            return await anext(pieces, None)
        except Exception as error:  # noqa: BLE001 -- httpx's errors, and whatever a broken peer makes of them
            why = why_not(error, self._credential.base_url)
            self.problem = f"The answer was cut: {why}"
            return None

    async def _unanswered(self, client: ClientConnection, error: Exception) -> None:
        self.problem = why_not(error, self._credential.base_url)
        late = "in time" in self.problem
        await self._refuse(client, 504 if late else 502, self.problem, "upstream_unreachable")

    async def _refuse(self, client: ClientConnection, status: int, message: str, code: str) -> None:
        if not client.can_answer:
            return
        try:
            await refuse(client, self._credential.provider.wire, status, f"Jupyter Tasks: {message}", code)
        except GONE:
            client.gone = True


def _header(answer: Answer, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in answer.headers if key.lower() == name), "")
