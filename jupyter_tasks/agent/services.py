"""Loopback ports inside whose connections ride to the engine.

Owns the listeners, the clients that wait and the reverse connections that are parked. The engine opened each of those
for one named service, so a client here reaches that service of the engine and nothing else.
"""

from __future__ import annotations

from collections import deque

from .loop import READ
from .sockets import accept, listen_loopback
from .streams import Stream, relay
from .wire import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

    from .loop import Loop, Timer

PATIENCE = 10.0  # how long a client waits for a parked connection
MOST_WAITING = 64
MOST_PARKED = 64
MOST_SERVICES = 32


class Service:
    """One name: its listeners, waiting clients and parked connections."""

    def __init__(self, loop: Loop, name: str) -> None:
        self._loop = loop
        self.name = name
        self.port = 0
        self._listeners: list[socket.socket] = []
        self._waiting: deque[tuple[Stream, Timer]] = deque()
        self._parked: deque[Stream] = deque()

    def listen(self, port: int) -> None:
        """Accept clients at ``port`` of loopback (0: any). Raises: OSError."""
        listeners = listen_loopback(port)
        self.unlisten()
        self._listeners = listeners
        self.port = listeners[0].getsockname()[1]
        for listener in listeners:
            self._watch(listener)

    def _watch(self, listener: socket.socket) -> None:
        self._loop.watch(listener.fileno(), READ, lambda _mask: self._accept(listener))

    def unlisten(self) -> None:
        """Accept no more clients."""
        for listener in self._listeners:
            self._loop.unwatch(listener.fileno())
            listener.close()
        self._listeners = []
        self.port = 0

    def park(self, stream: Stream) -> None:
        """Keep a connection of the engine's for the next client."""
        if len(self._parked) >= MOST_PARKED:
            raise Refused("conflict", f"{MOST_PARKED} connections are parked for {self.name}")
        stream.on_close = lambda: self._unpark(stream)
        stream.on_eof = stream.close
        stream.on_data = lambda _data: stream.close()  # it may not speak before it is used
        stream.resume()
        self._parked.append(stream)
        self._loop.later(0, self._match)

    def _unpark(self, stream: Stream) -> None:
        if stream in self._parked:
            self._parked.remove(stream)

    def _accept(self, listener: socket.socket) -> None:
        sock = accept(listener, self._loop, self._resume)
        if sock is None:
            return
        client = Stream.of(self._loop, sock)
        timer = self._loop.later(PATIENCE, client.close)
        client.on_close = lambda: self._gone(client)
        self._waiting.append((client, timer))
        if len(self._waiting) >= MOST_WAITING:
            for one in self._listeners:  # later ones wait in the kernel's queue
                self._loop.unwatch(one.fileno())
        self._match()

    def _gone(self, client: Stream) -> None:
        self._waiting = deque(entry for entry in self._waiting if entry[0] is not client)
        self._resume()

    def _resume(self) -> None:
        if len(self._waiting) < MOST_WAITING:
            for listener in self._listeners:
                self._watch(listener)

    def _match(self) -> None:
        while self._waiting and self._parked:
            engine = self._parked.popleft()
            engine.write(b"\x01")
            if engine.closed:  # by an engine that is gone: the client waits for the next one
                continue
            client, timer = self._waiting.popleft()
            timer.cancel()
            relay(engine, client)
        self._resume()


class Services:
    """Every service by name."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._by_name: dict[str, Service] = {}

    def get(self, name: str) -> Service:
        """The service of that name, made if need be: the engine may park before it listens. Raises: Refused."""
        if name not in self._by_name:
            if len(self._by_name) >= MOST_SERVICES:
                raise Refused("conflict", f"there are {MOST_SERVICES} services")
            self._by_name[name] = Service(self._loop, name)
        return self._by_name[name]

    def listen(self, name: str, port: int) -> int:
        """Open a service's port. Returns: the port. Raises: Refused when it is in use."""
        service = self.get(name)
        try:
            service.listen(port)
        except OSError as problem:
            raise Refused(
                "conflict", f"port {port} for {name} cannot be opened: {problem.strerror or problem}"
            ) from None
        return service.port

    def view(self) -> list[dict[str, Any]]:
        """Services that listen, as the state carries them."""
        return [{"name": s.name, "port": s.port} for s in self._by_name.values() if s.port]

    def ports(self) -> set[int]:
        """The ports of services that listen."""
        return {service.port for service in self._by_name.values() if service.port}

    def close(self) -> None:
        """Stop listening everywhere."""
        for service in self._by_name.values():
            service.unlisten()
