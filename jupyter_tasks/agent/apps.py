"""Whether the apps of a workspace are healthy.

Owns the probes (HTTP GET on loopback, healthy below 500) and their timing: at once, then with back-off up to the
check's interval until the first success; from then on every interval.
"""

from __future__ import annotations

import time

from .manifest import App
from .sockets import LoopbackDial
from .streams import Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from typing import Any

    from .events import EventLog
    from .loop import Loop

FIRST_PAUSE = 0.05
PROBE_LIMIT = 10.0
_HEADER_LIMIT = 16 * 1024
_LOOPBACK_HOSTS = {"localhost", "127.0.0.1", "[::1]", "0.0.0.0"}  # noqa: S104 - compared, not bound


class Health:
    """One app: "disabled" without a check, else initializing, healthy or unhealthy."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.health = "initializing" if app.check_url else "disabled"
        self.problem = ""
        self.failures = 0
        self.pause = FIRST_PAUSE
        self.deadline: float | None = None

    @property
    def settled(self) -> bool:
        return self.health != "initializing"

    def view(self) -> dict[str, Any]:
        """This app as events and the state carry it."""
        return {"id": self.app.id, "slug": self.app.slug, "health": self.health, "problem": self.problem}


class Apps:
    """The apps of a build."""

    def __init__(self, loop: Loop, events: EventLog) -> None:
        self._loop = loop
        self._events = events
        self._apps: list[Health] = []
        self._settled: Callable[[], object] | None = None
        self._stopped = False

    def view(self) -> list[dict[str, Any]]:
        """Every app, as the state carries it."""
        return [app.view() for app in self._apps]

    def start(self, apps: list[App]) -> None:
        """Begin to probe."""
        self._apps = [Health(app) for app in apps]
        for app in self._apps:
            self._events.add("app", **app.view())
            if app.app.check_url:
                self._probe(app)

    def expect(self, settled: Callable[[], object]) -> None:
        """What serves the apps has been started: thresholds count from now; ``settled()`` when every app was healthy
        once or has run out of its threshold."""
        self._settled = settled
        for app in self._apps:
            app.deadline = time.monotonic() + app.app.interval * max(1, app.app.threshold)
        self._check_settled()

    def stop(self) -> None:
        """Probe no more."""
        self._stopped = True

    def _probe(self, app: Health) -> None:
        if not self._stopped:
            timeout = min(PROBE_LIMIT, max(1.0, app.app.interval))
            Probe(self._loop, app.app.check_url, timeout, lambda problem: self._probed(app, problem))

    def _probed(self, app: Health, problem: str) -> None:
        before = app.health
        app.problem = problem
        if not problem:
            app.health, app.failures, app.pause = "healthy", 0, app.app.interval
        elif app.health == "initializing":
            app.pause = min(app.pause * 2, app.app.interval)
            if app.deadline is not None and time.monotonic() >= app.deadline:
                app.health = "unhealthy"
        else:
            app.failures += 1
            if app.failures >= app.app.threshold:
                app.health = "unhealthy"
        if app.health != before:
            self._events.add("app", **app.view())
            self._check_settled()
        self._loop.later(app.pause, lambda: self._probe(app))

    def _check_settled(self) -> None:
        if self._settled is not None and all(app.settled for app in self._apps):
            settled, self._settled = self._settled, None
            settled()


class Probe:
    """One GET. ``done("")`` when it answered below 500, else ``done(why)``; once."""

    def __init__(self, loop: Loop, url: str, timeout: float, done: Callable[[str], object]) -> None:
        self._loop = loop
        self._done: Callable[[str], object] | None = done
        self._stream: Stream | None = None
        self._head = b""
        self._timer = loop.later(timeout, lambda: self._finish("no answer in time"))
        target = _target(url)
        if target is None:
            loop.later(0, lambda: self._finish("only http:// on loopback can be checked"))
            return
        self._host, port, self._path = target
        LoopbackDial(loop, port, self._connected, timeout=timeout)

    def _connected(self, sock: socket.socket | None, why: str) -> None:
        if sock is None or self._done is None:
            if sock is not None:
                sock.close()
            self._finish(why)
            return
        stream = self._stream = Stream.of(self._loop, sock)
        stream.on_data = self._received
        stream.on_eof = stream.on_close = lambda: self._finish("the connection was closed")
        stream.resume()
        request = f"GET {self._path} HTTP/1.1\r\nHost: {self._host}\r\nConnection: close\r\nAccept: */*\r\n\r\n"
        stream.write(request.encode("utf-8", "replace"))

    def _received(self, data: bytes) -> None:
        self._head += data
        line, found, _rest = self._head.partition(b"\n")
        if not found:
            if len(self._head) > _HEADER_LIMIT:
                self._finish("not an HTTP answer")
            return
        words = line.split(None, 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit() or len(words[1]) != 3:
            self._finish("not an HTTP answer")
        elif int(words[1]) >= 500:
            self._finish(f"HTTP {int(words[1])}")
        else:
            self._finish("")

    def _finish(self, problem: str) -> None:
        done, self._done = self._done, None
        self._timer.cancel()
        if self._stream is not None:
            self._stream.close()
        if done is not None:
            done(problem)


def _target(url: str) -> tuple[str, int, str] | None:
    """Host header, port and path of an http URL on loopback; None for any other."""
    scheme, _, rest = url.partition("://")
    if scheme.lower() != "http" or any(character.isspace() for character in rest):
        return None
    place = len(rest)
    for mark in "/?#":
        found = rest.find(mark)
        place = min(place, found) if found >= 0 else place
    authority, path = rest[:place], rest[place:].partition("#")[0]
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = authority, "80"
    if host.lower() not in _LOOPBACK_HOSTS or not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        return None
    return authority, int(port), path if path.startswith("/") else "/" + path
