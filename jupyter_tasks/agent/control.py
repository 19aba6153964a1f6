"""The local control socket: what the shims inside a workspace ask of the agent.

Owns ``agentapi.register`` (a coding agent's terminal) and ``sync.*`` (scripts that wait for one another, as
``coder exp sync`` does). Reports of a task's state do not come here: they are HTTP on the ``coder`` service.
"""

from __future__ import annotations

from .spawn import SIGNALS
from .terminals import Terminal, shown
from .wire import Refused, bad, decode, encode, number, text, texts, variables, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .environment import Environment
    from .events import EventLog
    from .loop import Loop
    from .server import Connection
    from .services import Services
    from .terminals import Terminals

PROMPT_LIMIT = 120 * 1024
UNITS = 256
_HANG_UP_GRACE = 5.0
_EARLY_LIMIT = 20.0


class Registrations:
    """``agentapi.register``: opens the terminal, the port, and tells the engine by an event."""

    def __init__(self, environment: Environment, terminals: Terminals, services: Services, events: EventLog) -> None:
        self._environment = environment
        self._terminals = terminals
        self._services = services
        self._events = events
        self._terminal: Terminal | None = None
        self._early = 0  # the process whose agent was started before it asked
        self.current: dict[str, Any] | None = None

    def register(self, connection: Connection, request: dict[str, Any]) -> None:
        """Start the coding agent on a terminal; the connection lives as long as it does.

        Answers ``{terminal, port}``; a JSON line ``{"exit": n}`` follows when it ends. The shim may send lines
        ``{"signal": NAME}``; when the shim is gone, the terminal is hung up.
        """
        pid = number(request, "pid", 0, 1 << 31, 0)
        if pid and pid == self._early and self._terminal is not None:
            terminal, self._early = self._terminal, 0
        else:
            terminal = self._begin(request)
        connection.answer({"terminal": terminal.id, "port": self._services.get("agentapi").port})
        self._attend(connection, terminal)

    def begin_early(self, loop: Loop, pid: int, request: dict[str, Any]) -> None:
        """Start the agent that the process ``pid`` is about to register; hung up where it never does.

        Raises: Refused.
        """
        self._begin(request)
        self._early = pid

        def look() -> None:
            if self._early == pid and self._terminal is not None:
                self._early = 0
                self._terminal.kill("HUP")
                self._services.get("agentapi").unlisten()

        loop.later(_EARLY_LIMIT, look)

    def _begin(self, request: dict[str, Any]) -> Terminal:
        if self._terminal is not None and not self._terminal.closed:
            raise Refused("conflict", "an agent is running in this workspace already")
        argv = texts(request, "argv")
        prompt = text(request, "initial_prompt", "")
        transport = text(request, "transport", "pty")
        if not argv or transport not in ("pty", "acp"):
            raise bad("argv is empty, or transport is neither pty nor acp")
        # a longer one is registered by its beginning: the engine gives the task's own prompt, which it has whole
        prompt = prompt.encode("utf-8", "replace")[:PROMPT_LIMIT].decode("utf-8", "ignore")
        cols = number(request, "term_width", 10, 65535, 80)
        rows = number(request, "term_height", 10, 65535, 1000)
        port = self._services.listen("agentapi", number(request, "port", 0, 65535, 3284))
        env = variables(request, "env")
        terminal_id = self._terminals.free_id("agentapi")
        try:
            terminal = self._open(terminal_id, argv, env, self._environment.cwd(text(request, "cwd", "")), cols, rows)
        except Refused:
            self._services.get("agentapi").unlisten()
            raise
        self._terminal = terminal
        self.current = {
            "terminal": terminal.id,
            "agent_type": text(request, "type", "", limit=64),
            "port": port,
            "initial_prompt": prompt,
            "term_width": cols,
            "term_height": rows,
            "argv": [shown(argument) for argument in argv[:64]],
            "transport": transport,
            "options": _options(request),
        }
        self._events.add("agentapi", **self.current)
        return terminal

    def _open(self, terminal_id: str, argv: list[str], env: dict[str, str], cwd: str, cols: int, rows: int) -> Terminal:
        """The agent on a terminal; where it cannot be started, the reason on one, as a shell would say it.

        A script's own output is often thrown away: so a missing agent is seen where the agent would be.
        """
        try:
            terminal, _ = self._terminals.open(terminal_id, "agent", argv, env, cwd, cols, rows)
        except Refused as no:
            if no.code != "failed":
                raise
            say = ["/bin/sh", "-c", "printf '%s\\n' \"$1\"; exit 127", "sh", no.message]
            terminal, _ = self._terminals.open(terminal_id, "agent", say, env, "/", cols, rows)
        return terminal

    def _attend(self, connection: Connection, terminal: Terminal) -> None:
        stream = connection.stream
        buffer = bytearray()

        def received(data: bytes) -> None:
            buffer.extend(data)
            while b"\n" in buffer:
                line, _, rest = bytes(buffer).partition(b"\n")
                buffer[:] = rest
                self._command(connection, terminal, line)
            if len(buffer) > 4096:
                stream.close()

        def ended(_terminal: Terminal) -> None:
            self._services.get("agentapi").unlisten()
            stream.on_close = lambda: None
            stream.write(encode({"exit": terminal.exit}))
            stream.finish()

        def gone() -> None:
            if not terminal.closed:
                terminal.kill("HUP")
                connection.loop.later(_HANG_UP_GRACE, lambda: terminal.kill("KILL"))

        stream.on_data = received
        stream.on_eof = stream.close
        stream.on_close = gone
        if terminal.closed:  # it was started early, and has ended
            ended(terminal)
            return
        terminal.on_close.append(ended)
        stream.resume()
        received(connection.take_rest())

    @staticmethod
    def _command(connection: Connection, terminal: Terminal, line: bytes) -> None:
        try:
            name = decode(line).get("signal")
        except Refused:
            return
        if name in SIGNALS:
            terminal.kill(name)
            connection.loop.later(_HANG_UP_GRACE, lambda: terminal.kill("KILL"))


def _options(request: dict[str, Any]) -> dict[str, str]:
    """AgentAPI's other flags, for whoever serves its API: short texts by name."""
    given = request.get("options")
    if not isinstance(given, dict) or len(given) > 32:
        return {}
    return {key[:64]: value[:1024] for key, value in given.items() if isinstance(key, str) and isinstance(value, str)}


class Units:
    """``sync``: named units that want other units to be complete before they start."""

    def __init__(self) -> None:
        self._wants: dict[str, set[str]] = {}
        self._status: dict[str, str] = {}
        self._waiting: list[tuple[str, Connection]] = []

    def want(self, _connection: Connection, request: dict[str, Any]) -> dict[str, Any]:
        """Declare that ``unit`` needs every one of ``needs``. Raises: Refused for a circle."""
        unit, needs = word(request, "unit"), texts(request, "needs", most=UNITS)
        if len({*self._wants, *needs, unit}) > UNITS:
            raise Refused("conflict", f"there are {UNITS} units")
        before = self._wants.get(unit, set())
        self._wants[unit] = before | set(needs)
        if self._needs(unit, unit):
            self._wants[unit] = before
            raise Refused("conflict", f"{unit} would wait for itself")
        return {}

    def start(self, connection: Connection, request: dict[str, Any]) -> dict[str, Any] | None:
        """Answer when everything that ``unit`` wants is complete."""
        unit = word(request, "unit")
        if self._status.get(unit) in ("started", "completed"):
            return {"already": True}
        if self._ready(unit):
            self._set(unit, "started")
            return {"already": False}
        if len(self._waiting) >= UNITS:
            raise Refused("conflict", f"{UNITS} units are waiting")
        entry = (unit, connection)
        self._waiting.append(entry)
        connection.stream.on_eof = connection.stream.close
        connection.stream.on_close = lambda: self._waiting.remove(entry) if entry in self._waiting else None
        connection.stream.resume()
        return None

    def complete(self, _connection: Connection, request: dict[str, Any]) -> dict[str, Any]:
        """Mark ``unit`` complete and start who waited for it."""
        self._set(word(request, "unit"), "completed")
        for entry in list(self._waiting):
            unit, connection = entry
            if self._ready(unit):
                self._waiting.remove(entry)
                self._set(unit, "started")
                connection.answer({"already": False})
                connection.stream.finish()
        return {}

    def status(self, _connection: Connection, request: dict[str, Any]) -> dict[str, Any]:
        """Where ``unit`` is and what it still waits for."""
        unit = word(request, "unit")
        missing = sorted(n for n in self._wants.get(unit, ()) if self._status.get(n) != "completed")
        return {"status": self._status.get(unit, "pending"), "missing": missing}

    def _set(self, unit: str, status: str) -> None:
        if unit not in self._status and len(self._status) >= UNITS:
            raise Refused("conflict", f"there are {UNITS} units")
        self._status[unit] = status

    def _ready(self, unit: str) -> bool:
        return all(self._status.get(need) == "completed" for need in self._wants.get(unit, ()))

    def _needs(self, unit: str, target: str) -> bool:
        seen: set[str] = set()
        todo = list(self._wants.get(unit, ()))
        while todo:
            name = todo.pop()
            if name == target:
                return True
            if name not in seen:
                seen.add(name)
                todo.extend(self._wants.get(name, ()))
        return False
