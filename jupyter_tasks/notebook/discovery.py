"""Where the engine is to be found from here.

Owns the order: what the user said (``JUPYTER_TASKS_URL``), the engine's own unix socket, a Jupyter server that
forwards. Not how a request is made (``transport``) nor how an engine is started (``launch``).

    JUPYTER_TASKS_URL    address below which ``api/v2/tasks`` lies, e.g. http://127.0.0.1:8888/jupyter-tasks/;
                         or unix:///path/of/engine.sock
    JUPYTER_TASKS_TOKEN  token for it (a Jupyter token), unless the address carries ``?token=``
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit

from jupyter_tasks import places
from jupyter_tasks.errors import EngineUnavailable, InvalidInput

__all__ = ["Connection", "engine_answers", "find", "jupyter_server"]

_EXTENSION = "jupyter-tasks/"
_LARGEST_INFO = 64 * 1024  # bytes of a jpserver-*.json


@dataclass(frozen=True, slots=True)
class Connection:
    """A way to the engine: ``base`` ends with a slash, ``api/v2/`` lies below it."""

    kind: str  # "socket" | "server" | "url"
    base: str
    socket: Path | None = None
    token: str = field(default="", repr=False)

    @property
    def where(self) -> str:
        """The place as a person reads it."""
        return str(self.socket) if self.socket is not None else self.base


def find(*, start: bool = True, environ: Mapping[str, str] = os.environ) -> Connection:
    """The best way to the engine.

    ``start``: start one where none runs. Blocks for as long as that takes.

    Raises: EngineUnavailable when there is none, with the reason; InvalidInput for a wrong JUPYTER_TASKS_URL.
    """
    if environ.get("JUPYTER_TASKS_URL"):
        return _named(environ["JUPYTER_TASKS_URL"], environ.get("JUPYTER_TASKS_TOKEN", ""))
    try:
        return _own(start)
    except EngineUnavailable:
        server = jupyter_server(environ)
        if server is None:
            raise
        return server


def engine_answers(path: Path) -> bool:
    """Whether somebody listens on the engine's socket."""
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    probe.settimeout(1.0)
    try:
        probe.connect(str(path))
    except OSError:  # absent, refused, not ours, a name too long
        return False
    else:
        return True
    finally:
        probe.close()


def jupyter_server(environ: Mapping[str, str] = os.environ) -> Connection | None:
    """The Jupyter server around this process: a kernel's parent, a Lab terminal's, or JupyterHub's single-user one."""
    parent = environ.get("JPY_PARENT_PID", "")
    terminal = environ.get("JUPYTER_SERVER_URL", "")
    hub_token = environ.get("JUPYTERHUB_API_TOKEN", "")
    for name, info in _servers():
        url, token = info.get("url"), info.get("token")
        if not isinstance(url, str):
            continue
        if name == f"jpserver-{parent}.json" or (terminal and _same(url, terminal)):
            return _server(url, token if isinstance(token, str) and token else hub_token)
    service = environ.get("JUPYTERHUB_SERVICE_URL", "")
    if service and hub_token:
        parts = urlsplit(service)
        host = "127.0.0.1" if parts.hostname in {None, "", "0.0.0.0", "::"} else parts.hostname  # noqa: S104
        prefix = environ.get("JUPYTERHUB_SERVICE_PREFIX") or parts.path
        return _server(urlunsplit((parts.scheme or "http", f"{host}:{parts.port or 8888}", prefix, "", "")), hub_token)
    return None


def _own(start: bool) -> Connection:
    path = places.engine_socket()
    if start:
        from jupyter_tasks.launch import ensure_engine

        path = ensure_engine()
    elif not engine_answers(path):
        raise EngineUnavailable(
            "No engine of Jupyter Tasks runs.", hint="`jupyter tasks serve --detached` starts it, as does any task."
        )
    return Connection("socket", "http://engine/", socket=path)


def _named(url: str, token: str) -> Connection:
    parts = urlsplit(url)
    if parts.scheme == "unix" and parts.path:
        return Connection("url", "http://engine/", socket=Path(parts.path), token=token)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidInput(
            "JUPYTER_TASKS_URL is not an address.",
            hint="It looks like http://127.0.0.1:8888/jupyter-tasks/ or unix:///path/of/engine.sock.",
        )
    given = parse_qs(parts.query).get("token", [""])[0]
    bare = parts.netloc.rpartition("@")[2]  # a password in an address would end up in messages
    return Connection("url", _slash(urlunsplit((parts.scheme, bare, parts.path, "", ""))), token=token or given)


def _server(url: str, token: str) -> Connection:
    return Connection("server", _slash(url) + _EXTENSION, token=token)


def _servers() -> Iterator[tuple[str, dict[str, object]]]:
    """What running Jupyter servers of this user wrote down about themselves (files are 0600)."""
    from jupyter_core.paths import jupyter_runtime_dir

    for path in sorted(Path(jupyter_runtime_dir()).glob("jpserver-*.json")):
        try:
            with path.open("rb") as file:
                info = json.loads(file.read(_LARGEST_INFO))
            if isinstance(info, dict) and _alive(info.get("pid")):
                yield path.name, info
        except (OSError, ValueError):  # gone, not ours, half written
            continue


def _alive(pid: object) -> bool:
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _same(one: str, other: str) -> bool:
    first, second = urlsplit(one), urlsplit(other)
    return first.port == second.port and _slash(first.path) == _slash(second.path)


def _slash(text: str) -> str:
    return text if text.endswith("/") else text + "/"
