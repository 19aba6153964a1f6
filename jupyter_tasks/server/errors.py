"""Errors as HTTP: the one place that knows which class of the tree is which status and how the body looks.

Owns the table and the body of every error answer; not the errors themselves (``jupyter_tasks.errors``).

Choices that Coder's table does not make: 424 (Failed Dependency) where this machine lacks what a right request needs
(a sandbox, a program); 502 where something behind the engine failed (workspace, link, agent, app); 503 where the engine
itself cannot serve now (its database, itself); 426 where client and engine are too far apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_tasks import errors

if TYPE_CHECKING:
    from jupyter_tasks.models import ErrorBody

__all__ = ["STATUS", "error_body", "internal_body", "sole", "status_of"]

STATUS: dict[type[errors.TasksError], int] = {
    errors.TasksError: 500,
    errors.UserError: 400,
    errors.InvalidInput: 400,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Forbidden: 403,
    errors.LimitReached: 403,
    errors.TemplateInvalid: 400,
    errors.ProvisionError: 502,
    errors.SandboxUnavailable: 424,
    errors.ProgramMissing: 424,
    errors.WorkspaceFailed: 502,
    errors.LinkError: 502,
    errors.LinkLost: 502,
    errors.LinkViolation: 502,
    errors.AgentError: 502,
    errors.AgentBusy: 409,
    errors.AppUnreachable: 502,
    errors.StoreError: 503,
    errors.StoreReadOnly: 503,
    errors.StoreTooNew: 503,
    errors.EngineError: 503,
    errors.EngineUnavailable: 503,
    errors.VersionMismatch: 426,
}


def status_of(error: errors.TasksError) -> int:
    """The status of an error: that of its class, else of the nearest class above that the table has."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def error_body(error: errors.TasksError) -> ErrorBody:
    """What a client reads: Coder's three fields, and ours.

    A wrong template's findings stand in ``detail`` as a person reads them, and in ``validations`` by their place.
    """
    from jupyter_tasks.models import ErrorBody, ValidationError

    fields = [ValidationError(field=each.field, detail=each.detail) for each in error.validations]
    detail = error.detail
    if isinstance(error, errors.TemplateInvalid):
        fields += [ValidationError(field=_place(each), detail=each.summary) for each in error.diagnostics]
        detail = "\n".join([part for part in (detail,) if part] + [each.render() for each in error.diagnostics])
    return ErrorBody(
        message=error.message,
        detail=detail or None,
        validations=fields or None,
        code=error.code,
        hint=error.hint or None,
        retryable=error.retryable,
    )


def internal_body(reference: str) -> ErrorBody:
    """The body for an exception nobody foresaw: nothing of its inside, but the word under which the log has it."""
    from jupyter_tasks.models import ErrorBody

    return ErrorBody(
        message="The Jupyter Tasks engine made a mistake.",
        hint=f"Its log has the cause under {reference}; please report it.",
        code="internal",
        retryable=False,
    )


def sole(error: BaseException | None) -> BaseException | None:
    """The error inside a group of one: a task group wraps what is raised in it, also when nothing else went wrong."""
    while error is not None and len(getattr(error, "exceptions", ())) == 1:
        error = error.exceptions[0]  # type: ignore[attr-defined]
    return error


def _place(found: errors.Diagnostic) -> str:
    return f"{found.file}:{found.line}:{found.column}" if found.line else (found.file or "template")
