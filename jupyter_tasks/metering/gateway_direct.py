"""The gateway's own connections to one vendor, where no proxy is on the way.

Owns HTTP/1.1 to a vendor (by ``h11``), with TLS, and which connections are kept for the next call. One read of the
vendor's makes one piece, whatever chunks are in it, and a head takes the first piece along: at many streams the writes
are what costs. Its errors are httpx's, as those of the way through a proxy.
"""

from __future__ import annotations

import select
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

import anyio
import h11
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSStream

from jupyter_tasks.metering.gateway_headers import Headers
from jupyter_tasks.metering.gateway_way import KEPT_FOR, MOST_CONNECTIONS, MOST_KEPT, Answer, Patience

__all__ = ["Connections"]

_READ = 64 * 1024
_MOST_HEAD = 100 * 1024
_LOST = (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)


@dataclass(frozen=True, slots=True)
class _Request:
    head: h11.Request
    first: bytes | None
    """Of the body; taken before a connection is, so that none stands idle for a slow client."""
    rest: AsyncIterator[bytes] | None

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent twice: nothing of a body is gone, and nothing happens by it."""
        return self.first is None and self.head.method in (b"GET", b"HEAD")


class Connections:
    """Those to one host and port. ``tls``: None for none, which only this machine itself is spoken to with."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, patience: Patience) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._patience = patience
        self._room = anyio.Semaphore(MOST_CONNECTIONS)
        self._kept: list[tuple[float, _Connection]] = []
        self._closed = False

    async def send(self, method: str, target: bytes, headers: Headers, body: AsyncIterator[bytes] | None) -> Answer:
        """Send a request; returns when the head of its answer is there. A kept connection that the vendor has closed
        is never used; where it closes in that moment, the request is sent again only when it is repeatable.

        Raises: httpx.HTTPError, and whatever ``body`` raises.
        """
        import httpx

        try:
            head = h11.Request(method=method, target=target, headers=list(headers))
        except h11.LocalProtocolError as error:
            raise httpx.LocalProtocolError(str(error)) from None
        first = await anext(body, None) if body is not None else None
        with anyio.move_on_after(self._patience.pool) as wait:
            await self._room.acquire()
        if wait.cancelled_caught:
            raise httpx.PoolTimeout("too many calls")
        try:
            connection, response = await self._sent(_Request(head, first, body))
        except BaseException:
            self._room.release()
            raise
        return Answer(
            response.status_code,
            list(response.headers),
            connection.ready(),
            connection.pieces(),
            partial(self._give_back, connection),
        )

    async def close(self) -> None:
        """Close what is kept, and keep nothing from now on."""
        self._closed = True
        while self._kept:
            await self._kept.pop()[1].close()

    async def _sent(self, request: _Request) -> tuple[_Connection, h11.Response]:
        import httpx

        kept = await self._take()
        if kept is not None:
            try:
                return kept, await kept.ask(request)
            except (httpx.RemoteProtocolError, httpx.ReadError):
                if kept.heard or not request.repeatable:
                    raise
        fresh = _Connection(await self._connect(), self._patience)
        return fresh, await fresh.ask(request)

    async def _take(self) -> _Connection | None:
        """The connection that was used last, of those that still live."""
        oldest = anyio.current_time() - KEPT_FOR
        while self._kept:
            since, connection = self._kept.pop()
            if since >= oldest and connection.quiet():
                return connection
            await connection.close()
        return None

    async def _give_back(self, connection: _Connection) -> None:
        self._room.release()
        if connection.renewed() and len(self._kept) < MOST_KEPT and not self._closed:
            self._kept.append((anyio.current_time(), connection))
        else:
            await connection.close()

    async def _connect(self) -> ByteStream:
        import httpx

        try:
            with anyio.fail_after(self._patience.connect):
                stream: ByteStream = await anyio.connect_tcp(self._host, self._port)
                if self._tls is None:
                    return stream
                try:
                    return await TLSStream.wrap(
                        stream, server_side=False, hostname=self._host, ssl_context=self._tls, standard_compatible=False
                    )
                except BaseException:
                    await anyio.aclose_forcefully(stream)
                    raise
        except TimeoutError:
            raise httpx.ConnectTimeout("no connection in time") from None
        except (*_LOST, anyio.EndOfStream) as error:
            raise httpx.ConnectError(str(error) or "the connection was broken off") from None


class _Connection:
    """Carries one exchange after the other: ``ask``, ``ready``, ``pieces``, ``renewed``."""

    def __init__(self, stream: ByteStream, patience: Patience) -> None:
        self._stream = stream
        self._patience = patience
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MOST_HEAD)
        self._ended = False
        self._wrong: h11.RemoteProtocolError | None = None
        self.heard = False
        """Whether a byte of this exchange's answer has come."""

    async def ask(self, request: _Request) -> h11.Response:
        """Send all of it, and wait for the head of the answer; closed when that fails. Raises: as ``send`` above."""
        try:
            await self._ask(request)
            return await self._head()
        except BaseException:
            await self.close()
            raise

    def ready(self) -> bytes:
        """What has come of the body and was not taken yet; never waits."""
        taken: list[bytes] = []
        while not self._ended and self._wrong is None:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                self._wrong = error  # behind what came well
                break
            if isinstance(event, h11.Data):
                taken.append(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self._ended = True
            else:
                break
        return b"".join(taken)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The rest of the body as it comes."""
        import httpx

        while True:
            if piece := self.ready():
                yield piece
            elif self._ended:
                return
            elif self._wrong is not None:
                raise httpx.RemoteProtocolError(str(self._wrong))
            else:
                await self._receive()

    def renewed(self) -> bool:
        """Make it fit for the next exchange; False where it cannot be."""
        whole = self._ended and self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        if not whole or self._http.trailing_data[0]:
            return False
        self._http.start_next_cycle()
        self._ended = self.heard = False
        return True

    def quiet(self) -> bool:
        """Whether nothing came while it was kept: neither an end, nor what nobody asked for."""
        poll = select.poll()
        try:
            sock = self._stream.extra(SocketAttribute.raw_socket)  # noqa: S610 - not Django's
            poll.register(sock.fileno(), select.POLLIN)
            return not poll.poll(0)
        except (OSError, ValueError):
            return False

    async def close(self) -> None:
        """Close at once."""
        with anyio.CancelScope(shield=True):
            await self._stream.aclose()

    async def _ask(self, request: _Request) -> None:
        import httpx

        try:
            data = self._http.send(request.head) or b""
            if request.first is not None and request.rest is not None:
                data += self._http.send(h11.Data(data=request.first)) or b""
                if not await self._write(data):
                    return  # perhaps it was refused before it was whole: the answer says
                async for piece in request.rest:
                    if not await self._write(self._http.send(h11.Data(data=piece)) or b""):
                        return
                data = b""
            data += self._http.send(h11.EndOfMessage()) or b""
        except h11.LocalProtocolError as error:
            raise httpx.LocalProtocolError(str(error)) from None
        if data:
            await self._write(data)

    async def _head(self) -> h11.Response:
        import httpx

        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise httpx.RemoteProtocolError(str(error)) from None
            if isinstance(event, h11.Response):
                return event
            if event is h11.NEED_DATA:
                await self._receive()
            elif not isinstance(event, h11.InformationalResponse):
                raise httpx.RemoteProtocolError("no answer")

    async def _receive(self) -> None:
        import httpx

        data = None
        with anyio.move_on_after(self._patience.read):
            try:
                data = await self._stream.receive(_READ)
            except anyio.EndOfStream:
                data = b""
            except _LOST as error:
                raise httpx.ReadError(str(error)) from None
        if data is None:
            raise httpx.ReadTimeout("no answer in time")
        self.heard = self.heard or bool(data)
        self._http.receive_data(data)

    async def _write(self, data: bytes) -> bool:
        """Whether the vendor took it. Raises: httpx.WriteTimeout."""
        import httpx

        with anyio.move_on_after(self._patience.write) as wait:
            try:
                await self._stream.send(data)
            except _LOST:
                return False
        if wait.cancelled_caught:
            raise httpx.WriteTimeout("nothing was taken")
        return True
