"""The engine's own loopback port for previews: ``http://<capability>.localhost:<port>/``, an origin for each of them.

For a shell without any Jupyter server, and for apps that need absolute paths. It serves previews and nothing else: by
the host's name, or by path (``http://127.0.0.1:<port>/preview/<capability>/``) for who cannot resolve ``*.localhost``.
Any other host name is refused, so that no page of the web reaches it by a name of its own (DNS rebinding).
"""

from __future__ import annotations

import re
import socket

import anyio
from tornado.httpserver import HTTPServer
from tornado.web import Application, HTTPError

from jupyter_tasks.errors import NotFound
from jupyter_tasks.server.activity import Activity
from jupyter_tasks.server.previews import PreviewHandler
from jupyter_tasks.tasks.api import TasksApi

__all__ = ["PreviewOrigin"]

_BY_NAME = re.compile(r"([a-z0-9-]{16,63})\.localhost(?::\d+)?\.?", re.IGNORECASE)
_BY_PATH = re.compile(r"(?:localhost|127\.0\.0\.1)(?::\d+)?", re.IGNORECASE)
_IN_PATH = re.compile(r"/preview/([A-Za-z0-9_-]{16,128})(?=[/?]|$)")


class PreviewOrigin:
    """The listener, made when it is first asked for."""

    def __init__(self, tasks: TasksApi, activity: Activity | None = None) -> None:
        self._tasks = tasks
        self._activity = activity
        self._server: HTTPServer | None = None
        self._port = 0
        self._starting = anyio.Lock()

    async def url(self, capability: str) -> str:
        """Where a capability is served. Starts to listen if need be. Raises: OSError when no port is to be had."""
        async with self._starting:
            if self._server is None:
                self._listen()
        return f"http://{capability}.localhost:{self._port}/"

    async def stop(self) -> None:
        """Listen no more, and end what is being served."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()
            await server.close_all_connections()

    def _listen(self) -> None:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setblocking(False)
        try:
            listener.bind(("127.0.0.1", 0))
            listener.listen(128)
        except OSError:
            listener.close()
            raise
        self._port = listener.getsockname()[1]
        app = Application(
            [(r"/.*", _OriginHandler, {"tasks": self._tasks, "activity": self._activity})], log_function=_silent
        )
        self._server = HTTPServer(app)
        self._server.add_socket(listener)


class _OriginHandler(PreviewHandler):
    """A request at the port: the capability stands in the host's name, or in the path."""

    def initialize(self, tasks: TasksApi, activity: Activity | None = None) -> None:
        self._host = self.request.host
        super().initialize(tasks)
        self.request.host = "preview"
        self.request.headers["Host"] = "preview"
        if activity is not None:
            activity.touch()

    def locate(self) -> None:
        by_name = _BY_NAME.fullmatch(self._host)
        by_path = _IN_PATH.match(self.address) if _BY_PATH.fullmatch(self._host) else None
        if by_name:
            self.capability, self.prefix = by_name[1].lower(), ""
        elif by_path:
            self.capability = by_path[1]
            self.prefix = f"/preview/{self.capability}"
        elif _BY_PATH.fullmatch(self._host):
            raise NotFound("There is no such preview.")
        else:
            raise HTTPError(421)
        self.prefix_here = self.prefix or "//"  # by name there is no prefix whose slash could be missing
        rest = self.address[len(self.prefix) :]
        self.inner = rest if rest.startswith("/") else f"/{rest}"


def _silent(_handler: object) -> None:
    """No access log: nothing at this port is worth a line, and host names here are capabilities."""
