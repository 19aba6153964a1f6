"""What a workspace agent tells while it is watched, as frozen values.

Owns the event types of docs/link.md and their reading; texts are cut, numbers checked. An event type that this version
does not know is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from jupyter_tasks.workspaces.link_fields import OFFSET_LIMIT, Fields

__all__ = [
    "AgentAPIRegistered",
    "AppHealth",
    "Gap",
    "LifecycleChanged",
    "LinkEvent",
    "ListeningChanged",
    "MetadataChanged",
    "ScriptChanged",
    "ServicePort",
    "StateSnapshot",
    "TerminalChanged",
    "read_event",
]

LIFECYCLES = ("created", "starting", "ready", "start_error", "start_timeout", "shutting_down", "off")
_HEALTHS = ("disabled", "initializing", "healthy", "unhealthy")
_MOST = 256
_TEXT = 4096
_PROMPT = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkEvent:
    """``seq`` is the place to ``watch`` from next time; ``time`` the workspace's own clock, as it wrote it."""

    seq: int
    time: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleChanged(LinkEvent):
    """The agent's lifecycle: created, starting, ready, start_error, start_timeout, shutting_down, off."""

    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptChanged(LinkEvent):
    """A script began or ended. ``status``: running, ok, failed, timeout; ``log`` is its name for ``read_log``."""

    id: str
    phase: str
    status: str
    exit: int | None
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AppHealth(LinkEvent):
    """An app's health: disabled, initializing, healthy, unhealthy; ``problem`` of the last probe, or ""."""

    id: str
    slug: str
    health: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalChanged(LinkEvent):
    """A terminal was opened, resized or closed. ``head`` is how many bytes it wrote so far."""

    id: str
    kind: str
    closed: bool
    exit: int | None
    argv: tuple[str, ...]
    cols: int
    rows: int
    head: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAPIRegistered(LinkEvent):
    """The ``agentapi`` shim was called: a coding agent runs on ``terminal``; serve its API on service "agentapi".

    ``options``: AgentAPI's other flags (chat_base_path, allowed_hosts, allowed_origins, state_file) where given.
    """

    terminal: str
    agent_type: str
    port: int
    initial_prompt: str
    term_width: int
    term_height: int
    argv: tuple[str, ...]
    transport: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataChanged(LinkEvent):
    """A metadata script gave another value; ``error`` says why it failed, or ""."""

    key: str
    value: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListeningChanged(LinkEvent):
    """The loopback ports that something inside listens on (best effort)."""

    ports: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap(LinkEvent):
    """Events up to ``seq`` are lost; a StateSnapshot follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePort:
    """A service's loopback port inside."""

    name: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSnapshot(LinkEvent):
    """Everything at once; what it holds has the snapshot's ``seq``."""

    lifecycle: str
    build_id: str
    scripts: tuple[ScriptChanged, ...]
    apps: tuple[AppHealth, ...]
    terminals: tuple[TerminalChanged, ...]
    agentapi: AgentAPIRegistered | None
    services: tuple[ServicePort, ...]


def read_event(fields: Fields) -> LinkEvent | None:
    """The event in one line; None for a ping. An unknown type gives a bare LinkEvent. Raises: LinkViolation."""
    kind = fields.text("type")
    if kind == "ping":
        return None
    seq = fields.number("seq")
    time = fields.text("time", 40, default="")
    reader = _READERS.get(kind)
    return reader(fields, seq, time) if reader is not None else LinkEvent(seq=seq, time=time)


def _lifecycle(fields: Fields, seq: int, time: str) -> LifecycleChanged:
    return LifecycleChanged(seq=seq, time=time, state=fields.choice("state", LIFECYCLES))


def _script(fields: Fields, seq: int, time: str) -> ScriptChanged:
    return ScriptChanged(
        seq=seq,
        time=time,
        id=fields.text("id"),
        phase=fields.choice("phase", ("start", "stop")),
        status=fields.choice("status", ("running", "ok", "failed", "timeout")),
        exit=fields.exit(),
        log=fields.text("log", 512),
    )


def _app(fields: Fields, seq: int, time: str) -> AppHealth:
    return AppHealth(
        seq=seq,
        time=time,
        id=fields.text("id"),
        slug=fields.text("slug"),
        health=fields.choice("health", _HEALTHS),
        problem=fields.text("problem", 512, default=""),
    )


def _terminal(fields: Fields, seq: int, time: str) -> TerminalChanged:
    return TerminalChanged(
        seq=seq,
        time=time,
        id=fields.text("id"),
        kind=fields.choice("kind", ("agent", "shell")),
        closed=fields.flag("closed"),
        exit=fields.exit(),
        argv=fields.texts("argv", _MOST, _TEXT),
        cols=fields.number("cols", 1, 65535),
        rows=fields.number("rows", 1, 65535),
        head=fields.number("head", 0, OFFSET_LIMIT),
    )


def _agentapi(fields: Fields, seq: int, time: str) -> AgentAPIRegistered:
    return AgentAPIRegistered(
        seq=seq,
        time=time,
        terminal=fields.text("terminal"),
        agent_type=fields.text("agent_type", 64),
        port=fields.number("port", 0, 65535),
        initial_prompt=fields.text("initial_prompt", _PROMPT, lines=True),
        term_width=fields.number("term_width", 1, 65535),
        term_height=fields.number("term_height", 1, 65535),
        argv=fields.texts("argv", _MOST, _TEXT),
        transport=fields.choice("transport", ("pty", "acp")),
        options=fields.word_map("options", 32, 1024),
    )


def _metadata(fields: Fields, seq: int, time: str) -> MetadataChanged:
    return MetadataChanged(
        seq=seq,
        time=time,
        key=fields.text("key"),
        value=fields.text("value", 2048, lines=True),
        error=fields.text("error", 512, default=""),
    )


def _listening(fields: Fields, seq: int, time: str) -> ListeningChanged:
    return ListeningChanged(seq=seq, time=time, ports=fields.numbers("ports", _MOST, 0, 65535))


def _gap(_fields: Fields, seq: int, time: str) -> Gap:
    return Gap(seq=seq, time=time)


def _state(fields: Fields, seq: int, time: str) -> StateSnapshot:
    registered = fields.inner("agentapi")
    return StateSnapshot(
        seq=seq,
        time=time,
        lifecycle=fields.choice("lifecycle", LIFECYCLES),
        build_id=fields.text("build_id", 128),
        scripts=tuple(_script(item, seq, time) for item in fields.inners("scripts", 2 * _MOST)),
        apps=tuple(_app(item, seq, time) for item in fields.inners("apps", _MOST)),
        terminals=tuple(_terminal(item, seq, time) for item in fields.inners("terminals", _MOST)),
        agentapi=None if registered is None else _agentapi(registered, seq, time),
        services=tuple(
            ServicePort(name=item.text("name"), port=item.number("port", 0, 65535))
            for item in fields.inners("services", _MOST)
        ),
    )


_READERS: Mapping[str, Callable[[Fields, int, str], LinkEvent]] = {
    "lifecycle": _lifecycle,
    "script": _script,
    "app": _app,
    "terminal": _terminal,
    "agentapi": _agentapi,
    "metadata": _metadata,
    "listening": _listening,
    "gap": _gap,
    "state": _state,
}
