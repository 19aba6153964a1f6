"""The workspace agent as a whole.

Owns the composition, the lifecycle of one build (created, starting, ready …, off) and the end. It does not own the
operations' arguments (``operations``).
"""

from __future__ import annotations

import os
import signal
import sys

from . import control
from .apps import Apps
from .archive import Archives
from .early import PIPE, Hints
from .environment import Environment
from .events import EventLog, now
from .loop import Loop
from .manifest import Manifest
from .metadata import Metadata
from .ports import Ports
from .processes import Processes
from .scripts import Scripts
from .server import Server
from .services import Services
from .tape import Tape
from .terminals import Terminals
from .wire import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

STOP_GRACE = 5.0
_LAST_WORDS = 0.05  # so that the answer to stop, and the last events, leave before the process does


class Agent:
    """Everything that runs in one workspace."""

    def __init__(self, state: str) -> None:
        self.environment = Environment(state)
        self.log = Tape(os.path.join(self.environment.logs, "agent"), ring=64 * 1024, limit=4 << 20)
        self.logs: dict[str, Tape] = {"agent": self.log}
        self.loop = Loop(self.complain)
        self.boot_id = os.urandom(8).hex()
        self.started_at = now()
        self.lifecycle = "created"
        self.manifest: Manifest | None = None
        self.events = EventLog(self.loop, self.state)
        self.processes = Processes(self.loop)
        self.terminals = Terminals(self.processes, self.events, self.environment.recordings)
        self.scripts = Scripts(self.processes, self.environment, self.events, self.logs)
        self.apps = Apps(self.loop, self.events)
        self.services = Services(self.loop)
        self.metadata = Metadata(self.processes, self.environment, self.events)
        self.ports = Ports(self.loop, self.events, self.services.ports)
        self.archives = Archives()
        self.registrations = control.Registrations(self.environment, self.terminals, self.services, self.events)
        self.units = control.Units()
        self._servers: list[Server] = []
        self._stopped: list[Callable[[], object]] = []

    def complain(self, message: str) -> None:
        """Write a line into the agent's log."""
        self.log.append(f"{now()} {message}\n".encode("utf-8", "replace"))

    def run(self, socket_path: str, token: str) -> None:
        """Serve until ``stop`` or a signal. Raises: OSError when a socket cannot be opened."""
        from .operations import control_operations, link_operations
        from .shims import install

        pipe = os.path.join(self.environment.state, PIPE)
        Hints(self.loop, pipe, lambda pid, request: self.registrations.begin_early(self.loop, pid, request))
        install(self.environment.shims, pipe)
        self._servers.append(Server(self.loop, self.environment.control, None, control_operations(self)))
        self._servers.append(Server(self.loop, socket_path, token, link_operations(self)))
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.on_signal(number, lambda: self.stop(STOP_GRACE, lambda: None))
        self.complain(f"ready, pid {os.getpid()}, Python {sys.version.split()[0]}")
        self.loop.run()

    def state(self) -> dict[str, Any]:
        """Everything at once: the body of a ``state`` event."""
        return {
            "lifecycle": self.lifecycle,
            "build_id": self.manifest.build_id if self.manifest else "",
            "scripts": self.scripts.view(),
            "apps": self.apps.view(),
            "terminals": self.terminals.view(),
            "agentapi": self.registrations.current,
            "services": self.services.view(),
        }

    def start(self, manifest: Manifest) -> bool:
        """Begin a build. Returns: whether this very build was begun before. Raises: Refused for another one."""
        if self.manifest is not None:
            if self.manifest.build_id == manifest.build_id:
                return True
            raise Refused("conflict", f"build {self.manifest.build_id} runs in this workspace")
        if self.lifecycle != "created":
            raise Refused("conflict", f"the workspace agent is {self.lifecycle}")
        ports = {name: self.services.listen(name, port) for name, port in manifest.services}
        self.manifest = manifest
        self.environment.adopt(manifest, ports)
        self._enter("starting")
        self.apps.start(manifest.apps)
        self.metadata.start(manifest.metadata)
        if manifest.watch_ports:
            self.ports.start()
        self.scripts.start(manifest.scripts, self._blocking_ended, lambda: None)
        return False

    def _blocking_ended(self, worst: str) -> None:
        if self.lifecycle != "starting":
            return
        if worst != "ok":
            self._enter("start_timeout" if worst == "timeout" else "start_error")
            return
        self.loop.later(0, lambda: self.apps.expect(self._apps_settled))

    def _apps_settled(self) -> None:
        if self.lifecycle == "starting":
            self._enter("ready")

    def stop(self, timeout: float, done: Callable[[], object]) -> None:
        """Run the stop scripts, end every process, call ``done()``, leave the loop. Asked twice, it happens once.

        ``timeout``: seconds for the stop scripts; processes get as long, at most 5 s, between TERM and KILL.
        """
        self._stopped.append(done)
        if self.lifecycle in ("shutting_down", "off"):
            return
        self._enter("shutting_down")
        self.apps.stop()
        self.metadata.stop()
        self.ports.stop()
        scripts = self.manifest.scripts if self.manifest else []
        pending = [True]

        def end() -> None:
            if pending:
                pending.clear()
                self.processes.end_all(min(STOP_GRACE, max(0.1, timeout)), self._off)

        self.loop.later(timeout, end)
        self.scripts.stop(scripts, end)

    def _off(self) -> None:
        self.services.close()
        for server in self._servers:
            server.close()
        self._enter("off")
        for done in self._stopped:
            done()
        self.loop.later(_LAST_WORDS, self.loop.stop)

    def _enter(self, lifecycle: str) -> None:
        self.lifecycle = lifecycle
        self.complain(f"lifecycle {lifecycle}")
        self.events.add("lifecycle", state=lifecycle)
