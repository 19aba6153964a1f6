"""What a workspace may tell the engine: the HTTP API at ``CODER_AGENT_URL`` inside.

Owns the routes that Coder's modules and shims call with the workspace agent's token (reference/coder-tasks.md 1.12,
2.5). It is served on this workspace's own reverse connections only, so who calls is known by where the call comes from;
what it says is hostile input: checked, cut, cleaned.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

from jupyter_tasks.agentapi.http11 import Request, Response
from jupyter_tasks.errors import FieldError, InvalidInput

__all__ = ["Report", "WorkspaceApi", "clean"]

MOST_MESSAGE = 160
MOST_SNAPSHOT = 64 << 10
STATES = ("complete", "failure", "idle", "working")

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Report:
    """What the agent says of itself (``coder_report_task``)."""

    slug: str
    state: Literal["working", "idle", "complete", "failure"]
    message: str
    uri: str


class WorkspaceApi:
    """The HTTP app. ``report`` takes a checked report; ``snapshot`` the last messages before a stop."""

    def __init__(
        self,
        task_id: str,
        slugs: frozenset[str],
        report: Callable[[Report], Awaitable[None]],
        snapshot: Callable[[str], Awaitable[None]],
    ) -> None:
        self._task_id = task_id
        self._slugs = slugs
        self._report = report
        self._snapshot = snapshot

    async def __call__(self, request: Request) -> Response:
        """Answer one request; mistakes of the workspace are its own and answered as Coder answers them."""
        prefix = "/api/v2/workspaceagents/me"
        try:
            if request.method == "PATCH" and request.path == f"{prefix}/app-status":
                await self._report(_report(_object(request.body), self._slugs))
                return _json(200, {"message": "App status updated."})
            if request.method == "POST" and request.path == f"{prefix}/tasks/{self._task_id}/log-snapshot":
                await self._snapshot(_snapshot(request))
                return _json(204, None)
            if request.method == "GET" and request.path == "/api/v2/buildinfo":
                return _json(200, {"version": "v2.36.0+jupyter-tasks"})
        except InvalidInput as error:
            body: dict[str, Any] = {"message": error.message}
            if error.detail:
                body["detail"] = error.detail
            if error.validations:
                body["validations"] = [{"field": each.field, "detail": each.detail} for each in error.validations]
            return _json(400, body)
        return _json(404, {"message": "Route not found."})


def clean(text: str, limit: int = MOST_MESSAGE) -> str:
    """One line of text without control characters or terminal sequences, at most ``limit`` code points."""
    return _CONTROL.sub(" ", text)[:limit].strip()


def _report(body: dict[str, Any], slugs: frozenset[str]) -> Report:
    slug, state = str(body.get("app_slug", "")), str(body.get("state", ""))
    message, uri = str(body.get("message", "")), str(body.get("uri", ""))
    if len(message.encode("utf-8", "replace")) > MOST_MESSAGE:
        raise InvalidInput("Message is too long.", detail="Message must be less than 160 characters.")
    if state not in STATES:
        detail = "State must be one of: complete, failure, working, idle."
        raise InvalidInput("Invalid state provided.", validations=[FieldError("state", detail)])
    if slug not in slugs:
        raise InvalidInput("Failed to get workspace app.", detail=f'No app found with slug "{clean(slug, 64)}"')
    if not re.match(r"(https?|file)://", uri) or len(uri) > 2048:
        uri = ""
    return Report(slug, cast("Any", state), clean(message), clean(uri, 2048))


def _snapshot(request: Request) -> str:
    if request.query.get("format", "") != "agentapi":
        given = clean(request.query.get("format", ""), 64)
        raise InvalidInput(
            "Invalid format parameter.", detail=f'Only "agentapi" format is currently supported, got "{given}".'
        )
    if len(request.body) > MOST_SNAPSHOT:
        raise InvalidInput("Failed to decode request payload.")
    messages = _object(request.body).get("messages")
    if not isinstance(messages, list):
        raise InvalidInput("Invalid agentapi payload structure.", detail='Missing required "messages" field.')
    return json.dumps(messages)


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("Request body must be valid JSON.") from error
    if not isinstance(value, dict):
        raise InvalidInput("Request body must be a JSON object.")
    return value


def _json(status: int, value: Any) -> Response:
    body = b"" if value is None else json.dumps(value).encode()
    return Response(status, [("content-type", "application/json")], body)
