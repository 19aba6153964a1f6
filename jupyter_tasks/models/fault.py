"""What every error looks like on the wire."""

from __future__ import annotations

from jupyter_tasks.models.base import Wire

__all__ = ["ErrorBody", "ValidationError"]


class ValidationError(Wire):
    """One wrong field of a request."""

    field: str
    detail: str


class ErrorBody(Wire):
    """``codersdk.Response``, the body of every error. Additions: ``code``, ``hint``, ``retryable``."""

    message: str
    detail: str | None = None
    validations: list[ValidationError] | None = None
    code: str | None = None
    hint: str | None = None
    retryable: bool | None = None
