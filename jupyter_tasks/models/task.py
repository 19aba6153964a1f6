"""A task as a client sees it (Coder's ``codersdk.Task`` with additions), and lists of them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from jupyter_tasks.models.base import Wire
from jupyter_tasks.models.conversation import PermissionOption
from jupyter_tasks.models.project import ProjectInfo
from jupyter_tasks.models.words import Source, Summary, TaskState, TaskStatus

__all__ = [
    "AgentHealth",
    "Attention",
    "Capabilities",
    "Cost",
    "IsolationInfo",
    "Task",
    "TaskApp",
    "TaskStateEntry",
    "TasksListResponse",
    "TokenUsage",
]


class AgentHealth(Wire):
    """Whether the workspace agent answers."""

    healthy: bool
    reason: str | None = None


class TaskStateEntry(Wire):
    """What the agent does, since when, how we know. Additions: ``source``, ``since``."""

    timestamp: datetime
    state: TaskState
    message: str
    uri: str = ""
    source: Source | None = None
    since: datetime | None = None


class Attention(Wire):
    """The agent waits for the user. ``options`` is empty where only free text will do."""

    kind: Literal["permission", "question", "auth", "budget"]
    text: str
    options: list[PermissionOption] = Field(default_factory=list)
    since: datetime
    id: str | None = None
    """Names the question, for the answer to it."""


class Cost(Wire):
    """Money spent through the gateway; null where the price of a model that was used is not known."""

    amount: str
    """Decimal, as "0.0123"."""
    currency: str = "USD"


class TokenUsage(Wire):
    """Tokens through the gateway."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0


class Capabilities(Wire):
    """What this agent in this workspace can do now: a client shows no control that it lacks."""

    send: bool = False
    interrupt: bool = False
    terminal: bool = False
    preview: bool = False
    diff: bool = False
    permissions: bool = False  # answers by option, not by typed text
    cost: bool = False
    budget: bool = False
    apply: bool = False


class IsolationInfo(Wire):
    """How the workspace is kept apart from this machine; ``kind`` "none" is shown as "not isolated"."""

    kind: str
    reason: str = ""


class TaskApp(Wire):
    """An app that the template declares."""

    id: str
    slug: str
    display_name: str
    icon: str = ""
    health: Literal["disabled", "initializing", "healthy", "unhealthy"] = "disabled"
    url: str = ""
    command: str = ""
    external: bool = False
    hidden: bool = False
    order: int = 0
    group: str = ""


class Task(Wire):
    """Coder's ``codersdk.Task``; what follows ``updated_at`` is ours."""

    id: str
    organization_id: str
    owner_id: str
    owner_name: str
    owner_avatar_url: str | None = None
    name: str
    display_name: str
    template_id: str
    template_version_id: str
    template_name: str
    template_display_name: str
    template_icon: str
    workspace_id: str | None = None
    workspace_name: str = ""
    workspace_status: str | None = None
    workspace_build_number: int | None = None
    workspace_agent_id: str | None = None
    workspace_agent_lifecycle: str | None = None
    workspace_agent_health: AgentHealth | None = None
    workspace_app_id: str | None = None
    initial_prompt: str
    status: TaskStatus
    current_state: TaskStateEntry | None = None
    created_at: datetime
    updated_at: datetime
    summary: Summary = Summary.starting
    attention: Attention | None = None
    source: Source | None = None
    since: datetime | None = None
    reason: str | None = None
    """Why it is paused or in error, in one sentence."""
    queue_position: int | None = None
    """Place among the waiting ones (1 = next) while ``max_active`` tasks are active."""
    cost: Cost | None = None
    usage: TokenUsage | None = None
    budget: Cost | None = None
    """Filled by the metering release."""
    capabilities: Capabilities = Field(default_factory=Capabilities)
    isolation: IsolationInfo | None = None
    apps: list[TaskApp] = Field(default_factory=list)
    parameters: dict[str, str] = Field(default_factory=dict)
    preset: str | None = None
    project: ProjectInfo | None = None
    """What of the user's files the workspace began with."""
    unapplied: int | None = None
    """How many changed files were not applied since they changed; null where that is not known yet."""
    last_event_id: int = 0
    """Id of the newest event that this value includes: follow ``events`` from here."""


class TasksListResponse(Wire):
    """GET /tasks."""

    tasks: list[Task]
    count: int
