"""The way to vendors through a proxy of the user's.

Owns the use of httpx's transport, which speaks with proxies of every kind. Its transport and not its client: no
redirect is followed, no cookie kept, no URL logged, no body decoded.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from jupyter_tasks.metering.gateway_headers import Headers
from jupyter_tasks.metering.gateway_way import KEPT_FOR, MOST_CONNECTIONS, MOST_KEPT, Answer, Patience

if TYPE_CHECKING:
    import httpx

__all__ = ["Proxied"]


class Proxied:
    """Through one proxy to one origin. Making it reads the machine's certificates, which takes a while.

    Raises: ImportError for a proxy of SOCKS without its package.
    """

    def __init__(self, proxy: str, origin: httpx.URL, patience: Patience) -> None:
        import httpx

        limits = httpx.Limits(
            max_connections=MOST_CONNECTIONS, max_keepalive_connections=MOST_KEPT, keepalive_expiry=KEPT_FOR
        )
        self._transport = httpx.AsyncHTTPTransport(verify=True, trust_env=True, retries=0, proxy=proxy, limits=limits)
        self._origin = origin
        self._timeouts = asdict(patience)

    async def send(self, method: str, target: bytes, headers: Headers, body: AsyncIterator[bytes] | None) -> Answer:
        """Send a request; returns when the head of its answer is there.

        Raises: httpx.HTTPError, and whatever ``body`` raises.
        """
        import httpx

        request = httpx.Request(
            method,
            self._origin.copy_with(raw_path=target),
            headers=list(headers),
            stream=_stream(body),
            extensions={"timeout": self._timeouts},
        )
        response = await self._transport.handle_async_request(request)
        pieces = aiter(response.stream)  # type: ignore[arg-type]
        return Answer(response.status_code, response.headers.raw, b"", pieces, response.aclose)

    async def close(self) -> None:
        """Let go of the connections that are kept."""
        with suppress(Exception):
            await self._transport.aclose()


def _stream(body: AsyncIterator[bytes] | None) -> Any:
    import httpx

    class Body(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            if body is not None:
                async for piece in body:
                    yield piece

    return Body()
