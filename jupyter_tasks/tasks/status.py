"""What a task is doing: pure functions over the facts of one moment.

Owns Coder's derivation of task status, current state and workspace status, and our one plain word. Nothing here reads
a clock, a store or a link, and nothing raises: words that are not known count as unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jupyter_tasks.models import AgentHealth, Source, Summary, TaskState, TaskStateEntry, TaskStatus

__all__ = ["Facts", "Said", "agent_health", "current_state", "ended", "status", "summary", "workspace_status"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The newest app status: what the agent does, how we know (``source``), since when.

    ``of_newest_build``: whether it was said in the newest build; None where only the times can tell.
    """

    state: str
    message: str
    created_at: datetime
    since: datetime | None = None
    uri: str = ""
    source: str | None = None
    of_newest_build: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that decides, at one moment.

    ``transition``, ``build_status`` and ``build_created_at`` are the newest build's, None where there is none;
    ``lifecycle`` and ``connected`` the workspace agent's; ``app_health`` that of the app that shows the coding agent,
    None where the build has none (yet). ``attention``: it waits for the user. ``changed_files``: how many files differ
    from the base, None where that is not known. ``exited``: the coding agent's process has ended.
    """

    transition: str | None = None
    build_status: str | None = None
    build_created_at: datetime | None = None
    lifecycle: str | None = None
    connected: bool = False
    app_health: str | None = None
    said: Said | None = None
    attention: bool = False
    changed_files: int | None = None
    exited: bool = False


_AGENT = {
    None: TaskStatus.initializing,
    "created": TaskStatus.initializing,
    "starting": TaskStatus.initializing,
    "ready": TaskStatus.active,
    "start_timeout": TaskStatus.active,
    "start_error": TaskStatus.active,
}
_APP = {
    "initializing": TaskStatus.initializing,
    "healthy": TaskStatus.active,
    "disabled": TaskStatus.active,
    "unhealthy": TaskStatus.error,
}
_RUNNING = {"start": "starting", "stop": "stopping", "delete": "deleting"}
_SUCCEEDED = {"start": "running", "stop": "stopped", "delete": "deleted"}


def status(facts: Facts) -> TaskStatus:
    """Coder's task status: the build decides unless it is active, then the agent, then the app.

    ==============  ============================  ============
    transition      status of the build           task status
    ==============  ============================  ============
    any             none                          pending
    any             failed, canceling, canceled   error
    stop, delete    succeeded                     paused
    start           pending                       pending
    start           running, succeeded            the agent's
    anything else                                 unknown
    ==============  ============================  ============

    Agent: none, created, starting: initializing; ready, start_timeout, start_error: the app's; else unknown.
    App: initializing: initializing; healthy, disabled: active; unhealthy: error; none: unknown.
    """
    build = _build_status(facts)
    if build is not TaskStatus.active:
        return build
    agent = _AGENT.get(facts.lifecycle, TaskStatus.unknown)
    if agent is not TaskStatus.active:
        return agent
    return _APP.get(facts.app_health or "", TaskStatus.unknown)


def _build_status(facts: Facts) -> TaskStatus:
    if facts.build_status is None:
        return TaskStatus.pending
    if facts.build_status in ("failed", "canceling", "canceled"):
        return TaskStatus.error
    if facts.transition in ("stop", "delete") and facts.build_status == "succeeded":
        return TaskStatus.paused
    if facts.transition == "start":
        if facts.build_status == "pending":
            return TaskStatus.pending
        if facts.build_status in ("running", "succeeded"):
            return TaskStatus.active
    return TaskStatus.unknown


def workspace_status(facts: Facts) -> str | None:
    """Coder's workspace status: pending, starting, running, stopping, stopped, failed, canceling, canceled, deleting,
    deleted; None where there is no build, or one that is not understood."""
    if facts.build_status == "running":
        return _RUNNING.get(facts.transition or "")
    if facts.build_status == "succeeded":
        return _SUCCEEDED.get(facts.transition or "")
    if facts.build_status in ("pending", "failed", "canceling", "canceled"):
        return facts.build_status
    return None


def current_state(facts: Facts) -> TaskStateEntry | None:
    """What the agent does.

    What it said before the newest start build began is stale and not shown; after a stop it is. Where it has said
    nothing and the task is initializing, the start itself is told.
    """
    said = facts.said
    if said is not None and _known_state(said) is not None and not _is_stale(facts, said):
        return TaskStateEntry(
            timestamp=said.created_at,
            state=TaskState(said.state),
            message=said.message,
            uri=said.uri,
            source=_source(said.source),
            since=said.since or said.created_at,
        )
    if facts.build_created_at is not None and status(facts) is TaskStatus.initializing:
        return TaskStateEntry(
            timestamp=facts.build_created_at,
            state=TaskState.working,
            message=_starting_message(facts),
            source=Source.build,
            since=facts.build_created_at,
        )
    return None


def _is_stale(facts: Facts, said: Said) -> bool:
    if facts.transition != "start" or facts.build_created_at is None:
        return False
    if said.of_newest_build is not None:
        return not said.of_newest_build  # the wall clock may have jumped in between
    return said.created_at <= facts.build_created_at


def _known_state(said: Said) -> TaskState | None:
    try:
        return TaskState(said.state)
    except ValueError:
        return None


def _source(word: str | None) -> Source | None:
    try:
        return None if word is None else Source(word)
    except ValueError:
        return None


def _starting_message(facts: Facts) -> str:
    workspace = workspace_status(facts)
    if workspace in ("pending", "starting"):
        return f"Workspace is {workspace}"
    if facts.lifecycle is None:
        return "Initializing workspace"
    if facts.lifecycle == "created":
        return "Agent is connecting"
    if facts.lifecycle == "starting":
        return "Agent is starting"
    if facts.lifecycle != "ready":
        return "Initializing workspace agent"
    return "App is initializing" if facts.app_health == "initializing" else "Initializing workspace applications"


def agent_health(facts: Facts) -> AgentHealth | None:
    """Whether the workspace agent answers; None while there is none to ask."""
    if facts.lifecycle is None or facts.transition != "start":
        return None
    if facts.connected:
        return AgentHealth(healthy=True)
    return AgentHealth(
        healthy=False,
        reason="agent has not connected yet" if facts.lifecycle == "created" else "agent has lost connection",
    )


def summary(facts: Facts) -> Summary:
    """One plain word. The first row that holds decides:

    ===============================================================  ================
    task status error                                                Failed
    a stop or delete that runs or has ended                          Paused
    the workspace agent is shutting down, or off                     Paused
    pending                                                          Starting
    the agent waits for the user (also while it is initializing)     Needs you
    its process has ended, and it did not say idle or complete       Failed
    initializing                                                     Starting
    it says failure                                                  Failed
    it says working                                                  Working
    it says idle or complete, and files have changed                 Ready to review
    it says complete, and whether files have changed is not known    Ready to review
    it says idle or complete                                         Idle
    it has said nothing yet                                          Starting
    ===============================================================  ================
    """
    infrastructure = status(facts)
    if infrastructure is TaskStatus.error:
        return Summary.failed
    if facts.build_status is not None and facts.transition != "start":
        return Summary.paused
    if infrastructure is TaskStatus.unknown and facts.lifecycle not in _AGENT:
        return Summary.paused
    if infrastructure is TaskStatus.pending:
        return Summary.starting
    if facts.attention:
        return Summary.needs_you
    if infrastructure is TaskStatus.initializing and not _failed(facts):
        return Summary.starting
    return _agents_word(facts)


def ended(facts: Facts) -> bool:
    """Whether the coding agent of this build has ended by itself: it takes nothing any more, until it is resumed."""
    stale = facts.said is not None and _is_stale(facts, facts.said)  # then it is an earlier process that has ended
    return facts.exited and not stale and facts.transition == "start"


def _failed(facts: Facts) -> bool:
    entry = current_state(facts)
    return ended(facts) and (entry is None or entry.state not in (TaskState.idle, TaskState.complete))


def _agents_word(facts: Facts) -> Summary:
    entry = current_state(facts)
    state = None if entry is None else entry.state
    if state is TaskState.failure or _failed(facts):
        return Summary.failed
    if state is None:
        return Summary.starting
    if state is TaskState.working:
        return Summary.working
    if facts.changed_files or (facts.changed_files is None and state is TaskState.complete):
        return Summary.ready
    return Summary.idle
