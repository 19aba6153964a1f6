"""The wire: everything that crosses HTTP between engine, Jupyter server, kernel, shell and browser.

Owns the JSON shapes; not how they are made (``tasks``) or served (``server``). The shapes of ``/api/v2/tasks`` are
Coder's last ones (codersdk 2.36) with additions, which are marked. A field that a later version fills is null and
says so; readers ignore fields they do not know (`extra="ignore"`), writers never reuse a name.

``WIRE`` is the version of this file; an engine serves clients of ``WIRE_OLDEST`` … ``WIRE``.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated, Literal, Union

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "WIRE",
    "WIRE_OLDEST",
    "AgentHealth",
    "Attention",
    "BuildInfo",
    "BuildLogEntry",
    "Capabilities",
    "Cost",
    "CreateTaskRequest",
    "DiffFile",
    "DiffPart",
    "DiffResponse",
    "DiffSkipped",
    "EntitlementsResponse",
    "ErrorBody",
    "Event",
    "EventType",
    "Feature",
    "InterruptResponse",
    "IsolationInfo",
    "LogKind",
    "Message",
    "MessagesResponse",
    "Part",
    "PauseTaskResponse",
    "Period",
    "PermissionOption",
    "PermissionPart",
    "PlanEntry",
    "PlanPart",
    "PreviewRequest",
    "PreviewResponse",
    "QuestionPart",
    "ResumeTaskResponse",
    "Source",
    "Summary",
    "Task",
    "TaskApp",
    "TaskLogEntry",
    "TaskLogType",
    "TaskLogsResponse",
    "TaskSendRequest",
    "TaskState",
    "TaskStateEntry",
    "TaskStatus",
    "TasksListResponse",
    "Template",
    "TemplateOption",
    "TemplateParameter",
    "TemplatePreset",
    "TemplatesResponse",
    "TerminalInput",
    "TerminalInputResponse",
    "TextPart",
    "TokenUsage",
    "ToolCallPart",
    "UpdateTaskInputRequest",
    "UsageResponse",
    "ValidationError",
    "WorkspaceBuild",
]

WIRE = 1
WIRE_OLDEST = 1


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", defer_build=True)


# ---------------------------------------------------------------- errors


class ValidationError(_Wire):
    """One wrong field of a request."""

    field: str
    detail: str


class ErrorBody(_Wire):
    """``codersdk.Response``, the body of every error. Additions: ``code``, ``hint``, ``retryable``."""

    message: str
    detail: str | None = None
    validations: list[ValidationError] | None = None
    code: str | None = None
    hint: str | None = None
    retryable: bool | None = None


# ---------------------------------------------------------------- words


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


# ---------------------------------------------------------------- conversation


class TextPart(_Wire):
    """Words. Markdown when the agent speaks ACP, plain text from a terminal."""

    type: Literal["text"] = "text"
    text: str


class ToolCallPart(_Wire):
    """A tool that the agent used. ``kind`` and ``status`` are ACP's words."""

    type: Literal["tool_call"] = "tool_call"
    id: str
    title: str
    kind: str = "other"  # read edit delete move search execute think fetch switch_mode other
    status: str = "pending"  # pending in_progress completed failed
    locations: list[str] = Field(default_factory=list)
    output: str | None = None


class DiffPart(_Wire):
    """A file that a tool changed; ``old_text`` null: new file."""

    type: Literal["diff"] = "diff"
    path: str
    old_text: str | None = None
    new_text: str


class PlanEntry(_Wire):
    """One step of a plan."""

    content: str
    priority: str = "medium"
    status: str = "pending"  # pending in_progress completed


class PlanPart(_Wire):
    """What the agent means to do."""

    type: Literal["plan"] = "plan"
    entries: list[PlanEntry]


class PermissionOption(_Wire):
    """One answer that can be given. ``kind``: allow_once allow_always reject_once reject_always, "" where unknown."""

    id: str
    label: str
    kind: str = ""


class PermissionPart(_Wire):
    """The agent asks whether it may."""

    type: Literal["permission"] = "permission"
    id: str
    text: str
    options: list[PermissionOption] = Field(default_factory=list)
    answer: str | None = None


class QuestionPart(_Wire):
    """The agent asks something else."""

    type: Literal["question"] = "question"
    id: str
    text: str
    options: list[PermissionOption] = Field(default_factory=list)
    answer: str | None = None


Part = Annotated[
    Union[TextPart, ToolCallPart, DiffPart, PlanPart, PermissionPart, QuestionPart],  # noqa: UP007
    Field(discriminator="type"),
]


class Message(_Wire):
    """One turn of the conversation. ``id`` counts from 0 and never changes; an agent's last message may still grow."""

    id: int
    role: Literal["user", "agent"]
    time: datetime
    parts: list[Part]

    @property
    def text(self) -> str:
        """The words alone, as AgentAPI's ``content`` has them."""
        return "\n".join(part.text for part in self.parts if isinstance(part, TextPart))


class MessagesResponse(_Wire):
    """GET …/messages."""

    messages: list[Message]


# ---------------------------------------------------------------- task


class AgentHealth(_Wire):
    """Whether the workspace agent answers."""

    healthy: bool
    reason: str | None = None


class TaskStateEntry(_Wire):
    """What the agent does, since when, how we know. Additions: ``source``, ``since``."""

    timestamp: datetime
    state: TaskState
    message: str
    uri: str = ""
    source: Source | None = None
    since: datetime | None = None


class Attention(_Wire):
    """The agent waits for the user. ``options`` is empty where only free text will do."""

    kind: Literal["permission", "question", "auth", "budget"]
    text: str
    options: list[PermissionOption] = Field(default_factory=list)
    since: datetime


class Cost(_Wire):
    """Money spent through the gateway. Filled from the daily-work release on."""

    amount: str
    currency: str = "USD"


class TokenUsage(_Wire):
    """Tokens through the gateway. Filled from the daily-work release on."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0


class Capabilities(_Wire):
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


class IsolationInfo(_Wire):
    """How the workspace is kept apart from this machine; ``kind`` "none" is shown as "not isolated"."""

    kind: str
    reason: str = ""


class TaskApp(_Wire):
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


class Task(_Wire):
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
    last_event_id: int = 0
    """Id of the newest event that this value includes: follow ``events`` from here."""


class CreateTaskRequest(_Wire):
    """POST /tasks/{user}. Coder's fields first; a template by name, parameters and the rest are additions."""

    input: str = ""
    template_version_id: str | None = None
    template_version_preset_id: str | None = None
    name: str | None = None
    display_name: str | None = None
    template: str | None = None
    preset: str | None = None
    parameters: dict[str, str] = Field(default_factory=dict)
    python_env: str | None = None
    """``sys.prefix`` of the kernel or shell that asks: shown read-only in a local workspace."""
    path: str | None = None
    """PATH of the asker, where the template's programs are looked for."""
    directory: str | None = None
    """The notebook's or shell's directory. Used by the daily-work release."""
    idempotency_key: str | None = None
    """The same key again (within a day) returns the task that the first call made."""


class TasksListResponse(_Wire):
    """GET /tasks."""

    tasks: list[Task]
    count: int


class UpdateTaskInputRequest(_Wire):
    """PATCH …/input."""

    input: str = ""


class TaskSendRequest(_Wire):
    """POST …/send. ``key``: the same key again is not sent again."""

    input: str = ""
    key: str | None = None


class InterruptResponse(_Wire):
    """POST …/interrupt: whether a turn was running."""

    interrupted: bool


class TaskLogEntry(_Wire):
    """One entry of ``logs``. For kinds other than chat ``type`` is "output" and ``source`` names script or stage."""

    id: int
    content: str
    type: TaskLogType
    time: datetime
    source: str | None = None


class TaskLogsResponse(_Wire):
    """GET …/logs."""

    logs: list[TaskLogEntry]
    snapshot: bool | None = None
    snapshot_at: datetime | None = None


class WorkspaceBuild(_Wire):
    """One start, stop or delete of a workspace."""

    id: str
    workspace_id: str
    workspace_name: str
    build_number: int
    transition: Literal["start", "stop", "delete"]
    reason: str
    status: str
    """pending running succeeded failed canceling canceled"""
    stage: str = ""
    """plan workspace files scripts apps agent, or "" before and after"""
    error: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None


class PauseTaskResponse(_Wire):
    """POST …/pause."""

    workspace_build: WorkspaceBuild | None = None


class ResumeTaskResponse(_Wire):
    """POST …/resume."""

    workspace_build: WorkspaceBuild | None = None


class BuildLogEntry(_Wire):
    """One line of a build: ``stage`` is plan, workspace, files, scripts, apps or agent."""

    id: int
    build_id: str
    stage: str
    level: Literal["info", "warn", "error", "done"]
    text: str
    time: datetime


# ---------------------------------------------------------------- diff, preview, terminal


class DiffFile(_Wire):
    """One changed file; counts are null for a binary one."""

    path: str
    old_path: str | None = None
    status: Literal["added", "deleted", "modified", "renamed", "type_changed"]
    additions: int | None = None
    deletions: int | None = None
    binary: bool = False


class DiffSkipped(_Wire):
    """Something in the workspace that no diff can show, and why."""

    path: str
    reason: str


class DiffResponse(_Wire):
    """GET …/diff: what the agent changed since the workspace began. ``patch`` is unified, bounded (``truncated``)."""

    files: list[DiffFile]
    additions: int
    deletions: int
    patch: str
    truncated: bool = False
    skipped: list[DiffSkipped] = Field(default_factory=list)
    """At most the first hundred."""


class PreviewRequest(_Wire):
    """POST …/preview: which app, else the one with slug ``preview``. ``origin`` asks for a URL on the engine's own
    loopback port (``http://<cap>.localhost:<port>/``), for a shell without any Jupyter server."""

    app: str | None = None
    origin: bool = False


class PreviewResponse(_Wire):
    """A capability. ``path`` is relative to the server's ``…/jupyter-tasks/``; ``url`` only with ``origin``."""

    app: str
    path: str
    url: str | None = None
    expires_at: datetime


class TerminalInput(_Wire):
    """POST …/terminal: keystrokes (base64) and/or a new size. The same ``key`` again is not typed again."""

    data: str | None = None
    key: str | None = None
    cols: int | None = None
    rows: int | None = None


class TerminalInputResponse(_Wire):
    """Whether ``data`` had been typed before."""

    already: bool = False


# ---------------------------------------------------------------- usage, templates, engine


class Period(_Wire):
    """Dates in UTC; ``end`` is the moment the period ends."""

    start: datetime
    end: datetime


class UsageResponse(_Wire):
    """GET /usage: Agent Workspace Builds. ``limit`` is null unless an administrator set one."""

    actual: int
    included: int
    period: Period
    limit: int | None = None
    enforcement: Literal["advisory", "block"] = "advisory"
    warnings: list[str] = Field(default_factory=list)
    active: int = 0
    max_active: int = 0


class Feature(_Wire):
    """One entry of Coder's ``entitlements.features``."""

    entitlement: str
    enabled: bool
    limit: int | None = None
    actual: int | None = None
    usage_period: dict[str, datetime] | None = None


class EntitlementsResponse(_Wire):
    """GET /entitlements, as Coder's clients read it: ``features.managed_agent_limit`` is the pool."""

    features: dict[str, Feature]
    warnings: list[str] = Field(default_factory=list)
    errors: list[str] = Field(default_factory=list)
    has_license: bool = False
    trial: bool = False
    require_telemetry: bool = False
    refreshed_at: datetime


class TemplateOption(_Wire):
    """One choice of a parameter."""

    name: str
    value: str
    description: str = ""
    icon: str = ""


class TemplateParameter(_Wire):
    """A ``coder_parameter``. ``default_value`` null: required."""

    name: str
    display_name: str = ""
    description: str = ""
    type: str = "string"
    form_type: str = "input"
    default_value: str | None = None
    required: bool = False
    mutable: bool = False
    ephemeral: bool = False
    icon: str = ""
    order: int = 0
    options: list[TemplateOption] = Field(default_factory=list)


class TemplatePreset(_Wire):
    """A ``coder_workspace_preset``."""

    id: str
    name: str
    description: str = ""
    icon: str = ""
    default: bool = False
    parameters: dict[str, str] = Field(default_factory=dict)


class Template(_Wire):
    """A template and its active version; ``parameters`` and ``presets`` only in GET /templates/{name}."""

    id: str
    name: str
    display_name: str
    description: str = ""
    icon: str = ""
    active_version_id: str
    active_version_name: str = ""
    builtin: bool = False
    has_ai_task: bool = True
    parameters: list[TemplateParameter] | None = None
    presets: list[TemplatePreset] | None = None


class TemplatesResponse(_Wire):
    """GET /templates."""

    templates: list[Template]


class BuildInfo(_Wire):
    """GET /buildinfo: who answers. ``mode`` "process" or "inprocess"."""

    version: str
    wire: int
    wire_oldest: int
    pid: int
    started_at: datetime
    mode: str
    owner_id: str
    owner_name: str
    last_event_id: int = 0


class EventType(str, Enum):
    """Kinds of events on ``…/events``."""

    task = "task"  # {id, name, owner_name, status, state, summary, attention, deleted}
    message = "message"  # {message: Message}
    build_log = "build_log"  # {entry: BuildLogEntry}
    usage = "usage"  # {actual, included}


class Event(_Wire):
    """One event. On SSE: ``id`` and ``event`` are the frame's fields, the rest is its data."""

    id: int
    type: EventType
    task_id: str | None = None
    time: datetime
    data: dict[str, object] = Field(default_factory=dict)
