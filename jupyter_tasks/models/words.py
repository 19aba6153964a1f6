"""The words of the wire: states, sources, kinds."""

from __future__ import annotations

from enum import Enum

__all__ = ["EventType", "LogKind", "Source", "Summary", "TaskLogType", "TaskState", "TaskStatus"]


class TaskStatus(str, Enum):
    """What the infrastructure says (Coder's enum)."""

    pending = "pending"
    initializing = "initializing"
    active = "active"
    paused = "paused"
    unknown = "unknown"
    error = "error"


class TaskState(str, Enum):
    """What the agent says. Coder's SDK writes "failed" where its wire carries "failure": we send "failure"."""

    working = "working"
    idle = "idle"
    complete = "complete"
    failure = "failure"


class Source(str, Enum):
    """Where a task state comes from, strongest first (design D4). Addition to Coder."""

    exit = "exit"
    acp = "acp"
    osc7501 = "osc7501"
    report = "report"
    window_title = "title"
    marker = "marker"
    stability = "stability"
    build = "build"


class Summary(str, Enum):
    """One plain word for a person. Addition to Coder."""

    starting = "Starting"
    working = "Working"
    needs_you = "Needs you"
    ready = "Ready to review"
    idle = "Idle"
    paused = "Paused"
    failed = "Failed"


class TaskLogType(str, Enum):
    """Who said it."""

    input = "input"
    output = "output"


class LogKind(str, Enum):
    """What ``logs`` can show. Addition to Coder (which has chat only)."""

    chat = "chat"
    build = "build"
    script = "script"
    agent = "agent"


class EventType(str, Enum):
    """Kinds of events on ``…/events``."""

    task = "task"  # {id, name, owner_name, status, state, summary, attention, deleted}
    message = "message"  # {message: Message}
    build_log = "build_log"  # {entry: BuildLogEntry}
    usage = "usage"  # {actual, included}
