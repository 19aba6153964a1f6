"""What is asked of tasks, and the answers that hold no task."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from jupyter_tasks.models.base import Wire
from jupyter_tasks.models.project import ProjectRequest
from jupyter_tasks.models.words import TaskLogType

__all__ = [
    "AnswerRequest",
    "BuildLogEntry",
    "CreateTaskRequest",
    "InterruptResponse",
    "PauseTaskResponse",
    "ResumeTaskResponse",
    "TaskLogEntry",
    "TaskLogsResponse",
    "TaskSendRequest",
    "UpdateTaskInputRequest",
    "WorkspaceBuild",
]


class CreateTaskRequest(ProjectRequest):
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
    idempotency_key: str | None = None
    """The same key again (within a day) returns the task that the first call made."""


class UpdateTaskInputRequest(Wire):
    """PATCH …/input."""

    input: str = ""


class TaskSendRequest(Wire):
    """POST …/send. ``key``: the same key again is not sent again."""

    input: str = ""
    key: str | None = None


class AnswerRequest(Wire):
    """POST …/answer: one of the options of the task's ``attention``."""

    option: str
    question: str | None = None
    """``id`` of the ``attention`` that is answered: 409 where it is no longer asked. Without it: what is asked now."""


class InterruptResponse(Wire):
    """POST …/interrupt: whether a turn was running."""

    interrupted: bool


class TaskLogEntry(Wire):
    """One entry of ``logs``. For kinds other than chat ``type`` is "output" and ``source`` names script or stage."""

    id: int
    content: str
    type: TaskLogType
    time: datetime
    source: str | None = None


class TaskLogsResponse(Wire):
    """GET …/logs."""

    logs: list[TaskLogEntry]
    snapshot: bool | None = None
    snapshot_at: datetime | None = None


class WorkspaceBuild(Wire):
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


class PauseTaskResponse(Wire):
    """POST …/pause."""

    workspace_build: WorkspaceBuild | None = None


class ResumeTaskResponse(Wire):
    """POST …/resume."""

    workspace_build: WorkspaceBuild | None = None


class BuildLogEntry(Wire):
    """One line of a build: ``stage`` is plan, workspace, files, scripts, apps or agent."""

    id: int
    build_id: str
    stage: str
    level: Literal["info", "warn", "error", "done"]
    text: str
    time: datetime
