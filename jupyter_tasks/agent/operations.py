"""The operations of link.md, by name: arguments checked, then handed to the module that does them.

Owns the tables and the checks; not the work.
"""

from __future__ import annotations

import binascii
import os
import sys

from . import VERSION
from .execs import Exec
from .manifest import Manifest
from .spawn import SIGNALS
from .tape import send
from .tunnels import tunnel
from .wire import Refused, bad, flag, number, seconds, text, texts, variables, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .daemon import Agent
    from .server import Connection, Operation
    from .tape import Tape

WRITE_LIMIT = 256 * 1024
_FAR = (1 << 62) - 1


def link_operations(agent: Agent) -> dict[str, Operation]:
    """What the engine may ask."""
    link = _Link(agent)
    return {
        "hello": link.hello,
        "start": link.start,
        "watch": link.watch,
        "terminal.open": link.terminal_open,
        "terminal.read": link.terminal_read,
        "terminal.write": link.terminal_write,
        "terminal.resize": link.terminal_resize,
        "terminal.signal": link.terminal_signal,
        "log.read": link.log_read,
        "exec": link.exec,
        "tunnel": link.tunnel,
        "reverse": link.reverse,
        "archive.read": link.archive_read,
        "archive.write": link.archive_write,
        "stop": link.stop,
    }


def control_operations(agent: Agent) -> dict[str, Operation]:
    """What the shims inside may ask."""
    return {
        "agentapi.register": agent.registrations.register,
        "sync.want": agent.units.want,
        "sync.start": agent.units.start,
        "sync.complete": agent.units.complete,
        "sync.status": agent.units.status,
    }


class _Link:
    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def hello(self, _connection: Connection, _request: dict[str, Any]) -> dict[str, Any]:
        agent = self._agent
        return {
            "agent_version": VERSION,
            "python": sys.version.split()[0],
            "pid": os.getpid(),
            "boot_id": agent.boot_id,
            "started_at": agent.started_at,
            "lifecycle": agent.lifecycle,
            "build_id": agent.manifest.build_id if agent.manifest else "",
            "head": agent.events.head,
        }

    def start(self, _connection: Connection, request: dict[str, Any]) -> dict[str, Any]:
        manifest = request.get("manifest")
        if not isinstance(manifest, dict):
            raise bad("manifest is an object")
        return {"already": self._agent.start(Manifest(manifest))}

    def watch(self, connection: Connection, request: dict[str, Any]) -> None:
        since = number(request, "since", -1, _FAR, -1)
        connection.answer({"boot_id": self._agent.boot_id, "head": self._agent.events.head})
        self._agent.events.watch(connection.stream, since)

    def terminal_open(self, _connection: Connection, request: dict[str, Any]) -> dict[str, Any]:
        agent = self._agent
        argv = texts(request, "argv")
        kind = text(request, "kind", "shell")
        if kind not in ("agent", "shell"):
            raise bad("kind is agent or shell")
        _, already = agent.terminals.open(
            word(request, "id"),
            kind,
            argv or [agent.environment.variables().get("SHELL") or "/bin/sh"],
            agent.environment.variables(variables(request, "env")),
            agent.environment.cwd(text(request, "cwd", "")),
            number(request, "cols", 1, 65535, 80),
            number(request, "rows", 1, 65535, 24),
        )
        return {"already": already}

    def terminal_read(self, connection: Connection, request: dict[str, Any]) -> None:
        terminal = self._agent.terminals.get(word(request, "id"))
        size = {"cols": terminal.cols, "rows": terminal.rows, "exit": terminal.exit}
        _send(connection, request, terminal.tape, size)

    def terminal_write(self, _connection: Connection, request: dict[str, Any]) -> dict[str, Any]:
        terminal = self._agent.terminals.get(word(request, "id"))
        key = word(request, "key")
        try:
            data = binascii.a2b_base64(text(request, "data"))
        except (binascii.Error, ValueError):
            raise bad("data is not base64") from None
        if len(data) > WRITE_LIMIT:
            raise bad(f"data is longer than {WRITE_LIMIT} bytes")
        return {"already": terminal.write(key, data)}

    def terminal_resize(self, _connection: Connection, request: dict[str, Any]) -> dict[str, Any]:
        terminal = self._agent.terminals.get(word(request, "id"))
        terminal.resize(number(request, "cols", 1, 65535), number(request, "rows", 1, 65535))
        self._agent.events.add("terminal", **terminal.view())
        return {}

    def terminal_signal(self, _connection: Connection, request: dict[str, Any]) -> dict[str, Any]:
        terminal = self._agent.terminals.get(word(request, "id"))
        name = text(request, "signal")
        if name not in SIGNALS:
            raise bad(f"signal is one of {', '.join(SIGNALS)}")
        terminal.signal(name)
        return {}

    def log_read(self, connection: Connection, request: dict[str, Any]) -> None:
        name = text(request, "name", limit=256)
        if name not in self._agent.logs:
            raise Refused("not_found", f"there is no log {name!r}")
        _send(connection, request, self._agent.logs[name], {})

    def exec(self, connection: Connection, request: dict[str, Any]) -> None:
        agent = self._agent
        argv = texts(request, "argv")
        if not argv:
            raise bad("argv is empty")
        Exec(agent.processes, connection, timeout=seconds(request, "timeout", 0.0)).start(
            argv,
            agent.environment.variables(variables(request, "env")),
            agent.environment.cwd(text(request, "cwd", "")),
            stdin=flag(request, "stdin"),
        )

    def tunnel(self, connection: Connection, request: dict[str, Any]) -> None:
        tunnel(connection, number(request, "port", 1, 65535))

    def reverse(self, connection: Connection, request: dict[str, Any]) -> None:
        service = self._agent.services.get(word(request, "service"))
        service.park(connection.stream)
        connection.answer({})

    def archive_read(self, connection: Connection, request: dict[str, Any]) -> None:
        self._agent.archives.read(connection, self._path(request))

    def archive_write(self, connection: Connection, request: dict[str, Any]) -> None:
        self._agent.archives.write(connection, self._path(request))

    def _path(self, request: dict[str, Any]) -> str:
        environment = self._agent.environment
        return environment.path(text(request, "path", limit=4096), environment.directory)

    def stop(self, connection: Connection, request: dict[str, Any]) -> None:
        def done() -> None:
            connection.answer({})
            connection.stream.finish()

        self._agent.stop(seconds(request, "timeout", 10.0, limit=3600.0), done)


def _send(connection: Connection, request: dict[str, Any], tape: Tape, more: dict[str, Any]) -> None:
    """Answer where a tape begins and what it has, then send it."""
    asked = number(request, "offset", 0, _FAR, 0)
    follow = flag(request, "follow")
    if asked > tape.head:
        raise bad(f"offset {asked} is beyond the head {tape.head}")
    offset, _ = tape.read(asked, 1)
    connection.answer({"offset": offset, "head": tape.head, "closed": tape.closed, "problem": tape.problem, **more})
    send(tape, connection.stream, offset, follow=follow)
