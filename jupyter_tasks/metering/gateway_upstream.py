"""The way from the gateway to a vendor.

Owns which way that is (the gateway's own, or through the user's proxy), what of a credential's base URL goes into a
call, and the sentences for what goes wrong on the way.
"""

from __future__ import annotations

import re
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from jupyter_tasks.metering.gateway_headers import Headers
from jupyter_tasks.metering.gateway_way import Answer, Patience, Way

if TYPE_CHECKING:
    import ssl

    import httpx

__all__ = ["Answer", "Upstreams", "why_not"]

MOST_BASES = 64
_PLAIN = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*")
"""A target that nothing has to be quoted in."""


class Upstreams:
    """Ways to vendors, whose connections are kept for the next call. Times in seconds; ``read_timeout``: until the
    first byte, and between two."""

    def __init__(self, *, connect_timeout: float = 10.0, read_timeout: float = 600.0) -> None:
        self._patience = Patience(connect=connect_timeout, read=read_timeout)
        self._bases: dict[str, _Base] = {}
        self._ways: dict[tuple[str, str, str, int | None], Way] = {}
        self._tls: ssl.SSLContext | None = None
        self._making = anyio.Lock()

    async def base(self, base_url: str) -> _Base:
        """The parsed base, with the way that leads there."""
        found = self._bases.get(base_url)
        if found is None:
            async with self._making:
                import httpx

                if len(self._bases) >= MOST_BASES:
                    self._bases.clear()
                url = httpx.URL(base_url)
                path = url.raw_path.decode("ascii").rstrip("/")
                host = url.netloc.decode("ascii")
                found = self._bases[base_url] = _Base(url, path, host, await self._way(url))
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
        base = await self.base(base_url)
        if not any(name == b"host" for name, _ in headers):
            headers = [(b"host", base.host.encode()), *headers]
        target = base.path + path
        raw = target.encode("latin-1")
        if not _PLAIN.fullmatch(target):
            raw = base.url.copy_with(raw_path=raw).raw_path
        return await base.way.send(method, raw, headers, body)

    async def close(self) -> None:
        """Close what is kept."""
        for way in self._ways.values():
            await way.close()
        self._ways.clear()
        self._bases.clear()

    async def _way(self, url: httpx.URL) -> Way:
        proxy = _proxy_for(url)
        key = (proxy, url.scheme, url.host, url.port)
        if key not in self._ways:
            self._ways[key] = await (self._proxied(proxy, url) if proxy else self._direct(url))
        return self._ways[key]

    async def _proxied(self, proxy: str, url: httpx.URL) -> Way:
        from jupyter_tasks.metering.gateway_proxied import Proxied

        limiter = anyio.CapacityLimiter(1)
        return await anyio.to_thread.run_sync(Proxied, proxy, url, self._patience, limiter=limiter)

    async def _direct(self, url: httpx.URL) -> Way:
        from jupyter_tasks.metering.gateway_direct import Connections

        secure = url.scheme == "https"
        if secure and self._tls is None:
            limiter = anyio.CapacityLimiter(1)
            self._tls = await anyio.to_thread.run_sync(_trust, limiter=limiter)
        port = url.port or (443 if secure else 80)
        return Connections(url.raw_host.decode("ascii"), port, self._tls if secure else None, self._patience)


@dataclass(frozen=True, slots=True)
class _Base:
    url: httpx.URL
    path: str
    host: str
    way: Way


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


def _trust() -> ssl.SSLContext:
    """Whom httpx trusts: the certificates it comes with, or those of SSL_CERT_FILE and SSL_CERT_DIR."""
    import httpx

    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _proxy_for(url: httpx.URL) -> str:
    """The proxy of the engine's environment that leads there; "" for none. Never for this machine itself."""
    if url.host in ("localhost", "127.0.0.1", "::1") or urllib.request.proxy_bypass(url.host):
        return ""
    proxies = urllib.request.getproxies()
    found = proxies.get(url.scheme) or proxies.get("all") or ""
    return found if "://" in found or not found else f"http://{found}"
