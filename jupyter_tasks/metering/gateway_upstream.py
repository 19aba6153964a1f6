"""The way from the gateway to a vendor.

Owns the pool of connections, their timeouts, the user's proxy, and the sentences for what goes wrong on the way. It
uses httpx's transport and not its client: no redirect is followed, no cookie kept, no URL logged, no body decoded.
"""

from __future__ import annotations

import urllib.request
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from jupyter_tasks.metering.gateway_headers import Headers

if TYPE_CHECKING:
    import httpx

__all__ = ["Answer", "Upstreams", "why_not"]

WRITE_TIMEOUT = 60.0
POOL_TIMEOUT = 10.0
KEPT_FOR = 30.0
MOST_CONNECTIONS = 256
MOST_KEPT = 32


@dataclass(frozen=True, slots=True)
class Answer:
    """An upstream's answer whose head has come. An async context: leaving it ends the call, finished or not."""

    status: int
    headers: Headers
    _response: httpx.Response

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes, nothing decoded. Raises: httpx.HTTPError when it is cut or stands still."""
        async for piece in self._response.stream:  # type: ignore[union-attr]
            yield piece

    async def __aenter__(self) -> Answer:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True), anyio.move_on_after(2.0):
            await self._response.aclose()


class Upstreams:
    """Connections to vendors, kept for the next call. Times in seconds; ``read_timeout``: until the first byte, and
    between two."""

    def __init__(self, *, connect_timeout: float = 10.0, read_timeout: float = 600.0) -> None:
        self._timeouts = {
            "connect": connect_timeout,
            "read": read_timeout,
            "write": WRITE_TIMEOUT,
            "pool": POOL_TIMEOUT,
        }
        self._bases: dict[str, _Base] = {}
        self._transports: dict[str, httpx.AsyncHTTPTransport] = {}
        self._making = anyio.Lock()

    async def base(self, base_url: str) -> _Base:
        """The parsed base, with the transport that leads there."""
        found = self._bases.get(base_url)
        if found is None:
            async with self._making:
                import httpx

                if len(self._bases) >= 64:
                    self._bases.clear()
                url = httpx.URL(base_url)
                proxy = _proxy_for(url)
                if proxy not in self._transports:
                    # reading the machine's certificates takes a while
                    limiter = anyio.CapacityLimiter(1)
                    make = partial(_transport, proxy)
                    self._transports[proxy] = await anyio.to_thread.run_sync(make, limiter=limiter)
                path = url.raw_path.decode("ascii").rstrip("/")
                host = url.netloc.decode("ascii")
                found = self._bases[base_url] = _Base(url, path, host, self._transports[proxy])
        return found

    async def send(
        self,
        base_url: str,
        method: str,
        path: str,
        headers: Headers,
        body: AsyncIterator[bytes] | None,
    ) -> Answer:
        """Send a request; returns when the head of its answer is there.

        Args: path: below the base, with its query; headers: all of them but the host's, which may be there.
        Raises: httpx.HTTPError, OSError, and whatever ``body`` raises.
        """
        import httpx

        base = await self.base(base_url)
        named = (
            list(headers) if any(name == b"host" for name, _ in headers) else [(b"host", base.host.encode()), *headers]
        )
        request = httpx.Request(
            method,
            base.url.copy_with(raw_path=(base.path + path).encode("latin-1")),
            headers=named,
            stream=_stream(body),
            extensions={"timeout": self._timeouts},
        )
        response = await base.transport.handle_async_request(request)
        return Answer(response.status_code, response.headers.raw, response)

    async def close(self) -> None:
        """Close what is kept."""
        for transport in self._transports.values():
            with suppress(Exception):
                await transport.aclose()
        self._transports.clear()
        self._bases.clear()


@dataclass(frozen=True, slots=True)
class _Base:
    url: httpx.URL
    path: str
    host: str
    transport: httpx.AsyncHTTPTransport


def why_not(error: BaseException, base_url: str) -> str:
    """Why there was no answer, in a sentence that names the host and quotes nothing of the call."""
    import httpx

    host = httpx.URL(base_url).host
    cause = str(error).replace("\n", " ")[:200] or type(error).__name__
    match error:
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            return f"{host} took no connection in time."
        case httpx.TimeoutException() | TimeoutError():
            return f"{host} did not answer in time."
        case httpx.ProxyError():
            return f"The proxy on the way to {host} refused: {cause}."
        case httpx.ConnectError() if "CERTIFICATE" in cause.upper() or "SSL" in cause.upper():
            return f"{host} cannot be trusted: {cause} (SSL_CERT_FILE names certificates of your own)."
        case httpx.ConnectError():
            return f"{host} cannot be reached: {cause}."
        case httpx.RemoteProtocolError() | httpx.ReadError() | httpx.WriteError():
            return f"{host} broke the connection off."
        case ImportError():
            return f"A SOCKS proxy leads to {host}, which needs the package socksio."
        case _:
            return f"{host} cannot be called: {type(error).__name__}."


def _stream(body: AsyncIterator[bytes] | None) -> Any:
    import httpx

    class Body(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            if body is not None:
                async for piece in body:
                    yield piece

    return Body()


def _transport(proxy: str) -> httpx.AsyncHTTPTransport:
    import httpx

    return httpx.AsyncHTTPTransport(
        verify=True,
        trust_env=True,
        retries=0,
        proxy=proxy or None,
        limits=httpx.Limits(
            max_connections=MOST_CONNECTIONS, max_keepalive_connections=MOST_KEPT, keepalive_expiry=KEPT_FOR
        ),
    )


def _proxy_for(url: httpx.URL) -> str:
    """The proxy of the engine's environment that leads there; "" for none. Never for this machine itself."""
    if url.host in ("localhost", "127.0.0.1", "::1") or urllib.request.proxy_bypass(url.host):
        return ""
    proxies = urllib.request.getproxies()
    found = proxies.get(url.scheme) or proxies.get("all") or ""
    return found if "://" in found or not found else f"http://{found}"
