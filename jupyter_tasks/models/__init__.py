"""The wire: everything that crosses HTTP between engine, Jupyter server, kernel, shell and browser.

Owns the JSON shapes; not how they are made (``tasks``) or served (``server``). The shapes of ``/api/v2/tasks`` are
Coder's last ones (codersdk 2.36) with additions, which are marked. A field that a later version fills is null and
says so; readers ignore fields they do not know (`extra="ignore"`), writers never reuse a name.

``WIRE`` is the version of this file; an engine serves clients of ``WIRE_OLDEST`` … ``WIRE``.
"""

from __future__ import annotations

from jupyter_tasks.models.accounts import EntitlementsResponse, Feature, Period, UsageResponse
from jupyter_tasks.models.conversation import (
    DiffPart,
    Message,
    MessagesResponse,
    Part,
    PermissionOption,
    PermissionPart,
    PlanEntry,
    PlanPart,
    QuestionPart,
    TextPart,
    ToolCallPart,
)
from jupyter_tasks.models.engine import BuildInfo, Event
from jupyter_tasks.models.fault import ErrorBody, ValidationError
from jupyter_tasks.models.keys import Key, KeysResponse, KeyTestResponse, PutKeyRequest
from jupyter_tasks.models.project import LeftOut, ProjectInfo, ProjectRequest
from jupyter_tasks.models.requests import (
    AnswerRequest,
    BuildLogEntry,
    CreateTaskRequest,
    InterruptResponse,
    PauseTaskResponse,
    ResumeTaskResponse,
    TaskLogEntry,
    TaskLogsResponse,
    TaskSendRequest,
    UpdateTaskInputRequest,
    WorkspaceBuild,
)
from jupyter_tasks.models.review import (
    AppliedFile,
    ApplyRequest,
    ApplyResponse,
    CellChange,
    DiffFile,
    DiffResponse,
    DiffSkipped,
    NotebookDiff,
    UndoResponse,
)
from jupyter_tasks.models.task import (
    AgentHealth,
    Attention,
    Capabilities,
    Cost,
    IsolationInfo,
    Task,
    TaskApp,
    TasksListResponse,
    TaskStateEntry,
    TokenUsage,
)
from jupyter_tasks.models.template import Template, TemplateOption, TemplateParameter, TemplatePreset, TemplatesResponse
from jupyter_tasks.models.upkeep import PrunedTask, PruneRequest, PruneResponse
from jupyter_tasks.models.views import PreviewRequest, PreviewResponse, TerminalInput, TerminalInputResponse
from jupyter_tasks.models.words import EventType, LogKind, Source, Summary, TaskLogType, TaskState, TaskStatus

__all__ = [
    "WIRE",
    "WIRE_OLDEST",
    "AgentHealth",
    "AnswerRequest",
    "AppliedFile",
    "ApplyRequest",
    "ApplyResponse",
    "Attention",
    "BuildInfo",
    "BuildLogEntry",
    "Capabilities",
    "CellChange",
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
    "Key",
    "KeyTestResponse",
    "KeysResponse",
    "LeftOut",
    "LogKind",
    "Message",
    "MessagesResponse",
    "NotebookDiff",
    "Part",
    "PauseTaskResponse",
    "Period",
    "PermissionOption",
    "PermissionPart",
    "PlanEntry",
    "PlanPart",
    "PreviewRequest",
    "PreviewResponse",
    "ProjectInfo",
    "ProjectRequest",
    "PruneRequest",
    "PruneResponse",
    "PrunedTask",
    "PutKeyRequest",
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
    "UndoResponse",
    "UpdateTaskInputRequest",
    "UsageResponse",
    "ValidationError",
    "WorkspaceBuild",
]

WIRE = 1
WIRE_OLDEST = 1
