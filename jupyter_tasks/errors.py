"""Everything that can go wrong, as one tree.

Owns the error classes of the whole package; not how they become HTTP (``server.errors``) or an exit code
(``cli.errors``). Every error says what happened, to which object, and in ``hint`` what to do next.

    TasksError
    ├── UserError                 the caller's mistake; nothing was changed
    │   ├── InvalidInput          a value is wrong
    │   ├── NotFound              no such task, template, preset, app …
    │   ├── Conflict              right request, wrong moment
    │   └── Forbidden             policy or authorizer says no
    │       └── LimitReached      a pool, budget or bound is used up
    ├── TemplateInvalid           the template is wrong: carries diagnostics with places
    ├── ProvisionError            the infrastructure failed
    │   ├── SandboxUnavailable    no isolation to be had here
    │   ├── ProgramMissing        a program the template asks for is not installed
    │   └── WorkspaceFailed       a workspace could not be started, stopped or deleted
    ├── LinkError                 the link to a workspace agent
    │   ├── LinkLost              gone; may come back
    │   └── LinkViolation         the far end broke the protocol: never trusted again in this call
    ├── AgentError                the coding agent did not do what it was told
    │   ├── AgentBusy             it is working
    │   └── AppUnreachable        an app in the workspace does not answer
    ├── StoreError                the database
    │   ├── StoreReadOnly         it cannot be written
    │   └── StoreTooNew           it was written by a newer version
    └── EngineError               the engine as a whole
        ├── EngineUnavailable     it cannot be reached or started
        └── VersionMismatch       client and engine are too far apart
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = [
    "AgentBusy",
    "AgentError",
    "AppUnreachable",
    "Conflict",
    "Diagnostic",
    "EngineError",
    "EngineUnavailable",
    "FieldError",
    "Forbidden",
    "InvalidInput",
    "LimitReached",
    "LinkError",
    "LinkLost",
    "LinkViolation",
    "NotFound",
    "ProgramMissing",
    "ProvisionError",
    "SandboxUnavailable",
    "StoreError",
    "StoreReadOnly",
    "StoreTooNew",
    "TasksError",
    "TemplateInvalid",
    "UserError",
    "VersionMismatch",
    "WorkspaceFailed",
]


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field of a request, as ``validations`` of Coder's error body carries it."""

    field: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding about a template, with its place.

    ``line`` and ``column`` count from 1 (columns in code points); 0 means the finding has no place.
    ``source`` is the text of that line; ``end_column`` the column after the last marked character.
    """

    severity: str  # "error" | "warning"
    summary: str
    detail: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    end_column: int = 0
    source: str = ""
    suggestion: str = ""

    def render(self) -> str:
        """This finding as a person reads it: place, summary, the source line with a caret, what to do."""
        place = f"{self.file}:{self.line}:{self.column}: " if self.line else (f"{self.file}: " if self.file else "")
        lines = [f"{place}{self.severity}: {self.summary}"]
        if self.source:
            width = max(1, self.end_column - self.column)
            lead = "".join("\t" if c == "\t" else " " for c in self.source[: self.column - 1])
            lines += [f"    {self.source}", f"    {lead}{'^' * width}"]
        if self.detail:
            lines.append(f"  {self.detail}")
        if self.suggestion:
            lines.append(f"  {self.suggestion}")
        return "\n".join(lines)


@dataclass(eq=False)
class TasksError(Exception):
    """Root of the tree.

    ``message`` is one sentence (what, to which object); ``hint`` what to do; ``detail`` more of the cause;
    ``code`` a stable word for programs; ``retryable`` whether the same call may succeed later.
    """

    message: str
    hint: str = ""
    detail: str = ""
    code: str = ""
    retryable: bool | None = None
    validations: Sequence[FieldError] = field(default_factory=tuple)

    default_code = "internal"
    default_retryable = False

    def __post_init__(self) -> None:
        self.code = self.code or self.default_code
        if self.retryable is None:
            self.retryable = self.default_retryable
        super().__init__(self.message)

    def __str__(self) -> str:
        return " ".join(part for part in (self.message, self.detail, self.hint) if part)


class UserError(TasksError):
    """The caller's mistake; nothing was changed."""

    default_code = "user"


class InvalidInput(UserError, ValueError):
    """A value is wrong."""

    default_code = "invalid_input"


class NotFound(UserError, LookupError):
    """No such thing, or the caller may not see it."""

    default_code = "not_found"


class Conflict(UserError):
    """A right request at the wrong moment."""

    default_code = "conflict"
    default_retryable = True


class Forbidden(UserError, PermissionError):
    """A policy or the authorizer says no."""

    default_code = "forbidden"


class LimitReached(Forbidden):
    """A pool, a budget or a bound is used up."""

    default_code = "limit_reached"


@dataclass(eq=False)
class TemplateInvalid(TasksError):
    """The template is wrong; ``diagnostics`` say where."""

    diagnostics: Sequence[Diagnostic] = field(default_factory=tuple)

    default_code = "template_invalid"

    def __str__(self) -> str:
        parts = [self.message, self.detail, *(d.render() for d in self.diagnostics)]  # a client has them as detail
        return "\n".join(part for part in parts if part)


class ProvisionError(TasksError):
    """The infrastructure failed."""

    default_code = "provision_failed"


class SandboxUnavailable(ProvisionError):
    """No isolation to be had here: message is the cause, hint the exact remedy and the setting."""

    default_code = "sandbox_unavailable"


class ProgramMissing(ProvisionError):
    """A program that the template asks for is not installed."""

    default_code = "program_missing"


class WorkspaceFailed(ProvisionError):
    """A workspace could not be started, stopped or deleted."""

    default_code = "workspace_failed"
    default_retryable = True


class LinkError(TasksError, ConnectionError):
    """The link to a workspace agent."""

    default_code = "link"
    default_retryable = True


class LinkLost(LinkError):
    """The link is gone; it may come back."""

    default_code = "link_lost"


class LinkViolation(LinkError):
    """The far end broke the protocol."""

    default_code = "link_violation"
    default_retryable = False


class AgentError(TasksError):
    """The coding agent did not do what it was told."""

    default_code = "agent"


class AgentBusy(AgentError):
    """The agent is working and takes no input now."""

    default_code = "agent_busy"
    default_retryable = True


class AppUnreachable(AgentError):
    """An app in the workspace does not answer."""

    default_code = "app_unreachable"
    default_retryable = True


class StoreError(TasksError):
    """The database."""

    default_code = "store"


class StoreReadOnly(StoreError):
    """The database cannot be written (permissions, a read-only or a full disk)."""

    default_code = "store_read_only"
    default_retryable = True


class StoreTooNew(StoreError):
    """The database was written by a newer version of Jupyter Tasks."""

    default_code = "store_too_new"


class EngineError(TasksError):
    """The engine as a whole."""

    default_code = "engine"


class EngineUnavailable(EngineError, ConnectionError):
    """The engine cannot be reached or started."""

    default_code = "engine_unavailable"
    default_retryable = True


class VersionMismatch(EngineError):
    """Client and engine are too far apart to understand each other."""

    default_code = "version_mismatch"
