"""The HTTP API in OpenAPI's words: ``python -m jupyter_tasks.server.openapi > jupyter_tasks/server/openapi.yaml``.

Owns the table of operations; the shapes come from ``models``. A test holds the file true: it is what this makes, it has
every route and verb of the application and no other, and real answers validate against it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pydantic

from jupyter_tasks import models
from jupyter_tasks._version import __version__

__all__ = ["OPERATIONS", "Operation", "document"]

_TASK = "/api/v2/tasks/{user}/{task}"
_KEY = "/api/v2/keys/{provider}"
_ANY: dict[str, Any] = {"*/*": {"schema": {}}}
_DESCRIPTION = """\
Tasks of one user, as the engine serves them over its unix socket and a Jupyter server forwards them below
`<base_url>jupyter-tasks/`. Paths and shapes of `/api/v2/tasks` are those of Coder Tasks (codersdk 2.36) with additions.
`{user}` is `me`, the owner's name or UUID; `{task}` a UUID or a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One verb of one route. ``answer`` and ``body`` name classes of ``models``; ``many``: a list of them."""

    verb: str
    path: str
    summary: str
    status: int = 200
    answer: str = ""
    many: bool = False
    media: str = ""
    """Media type of an answer that is no JSON of ``models``."""
    body: str = ""
    optional_body: bool = False
    query: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Name -> (JSON type, what it means)."""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers of the answer."""
    relayed: bool = False
    """Somebody else gives the answer: any status, any body."""


def _relayed(verbs: str, path: str, summary: str) -> tuple[Operation, ...]:
    return tuple(Operation(verb=verb, path=path, summary=summary, relayed=True) for verb in verbs.split())


_AFTER = {"after": ("integer", "Id of the last event seen; the header `Last-Event-ID` says the same.")}
_SSE = "text/event-stream"
_TERMINAL = {
    "X-Terminal-Offset": "Offset of the first byte",
    "X-Terminal-Cols": "Columns of the screen",
    "X-Terminal-Rows": "Rows of the screen",
}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        verb="get",
        path="/api/v2/tasks",
        summary="List tasks",
        answer="TasksListResponse",
        query={"q": ("string", "Terms key:value; keys are owner, organization, status")},
    ),
    Operation(
        verb="post",
        path="/api/v2/tasks/{user}",
        summary="Create a task",
        status=201,
        body="CreateTaskRequest",
        answer="Task",
    ),
    Operation(verb="get", path=_TASK, summary="A task", answer="Task"),
    Operation(verb="delete", path=_TASK, summary="Delete a task", status=202),
    Operation(
        verb="patch",
        path=f"{_TASK}/input",
        summary="Change the prompt of a paused task",
        status=204,
        body="UpdateTaskInputRequest",
    ),
    Operation(
        verb="post", path=f"{_TASK}/send", summary="Send a message to the agent", status=204, body="TaskSendRequest"
    ),
    Operation(
        verb="post", path=f"{_TASK}/interrupt", summary="End the agent's present turn", answer="InterruptResponse"
    ),
    Operation(verb="post", path=f"{_TASK}/pause", summary="Stop the workspace", status=202, answer="PauseTaskResponse"),
    Operation(
        verb="post",
        path=f"{_TASK}/resume",
        summary="Start the workspace again",
        status=202,
        answer="ResumeTaskResponse",
    ),
    Operation(verb="get", path=f"{_TASK}/messages", summary="The conversation", answer="MessagesResponse"),
    Operation(verb="get", path=f"{_TASK}/builds", summary="The workspace's builds", answer="WorkspaceBuild", many=True),
    Operation(
        verb="get",
        path=f"{_TASK}/logs",
        summary="Logs",
        answer="TaskLogsResponse",
        query={"kind": ("string", "chat (default), build, script or agent")},
    ),
    Operation(verb="get", path=f"{_TASK}/diff", summary="What the agent changed", answer="DiffResponse"),
    Operation(
        verb="post",
        path=f"{_TASK}/answer",
        summary="Choose an option of what the agent asks",
        status=204,
        body="AnswerRequest",
    ),
    Operation(
        verb="post",
        path=f"{_TASK}/apply",
        summary="Take the agent's changes over: all or nothing",
        body="ApplyRequest",
        optional_body=True,
        answer="ApplyResponse",
    ),
    Operation(verb="post", path=f"{_TASK}/undo", summary="Take the newest apply back", answer="UndoResponse"),
    Operation(
        verb="post",
        path=f"{_TASK}/preview",
        summary="A new capability for an app",
        status=201,
        body="PreviewRequest",
        optional_body=True,
        answer="PreviewResponse",
    ),
    Operation(verb="delete", path=f"{_TASK}/preview", summary="End every capability of the task", status=204),
    Operation(
        verb="get",
        path=f"{_TASK}/terminal",
        summary="The agent's terminal, as bytes",
        media="application/octet-stream",
        headers=_TERMINAL,
        query={
            "offset": ("integer", "Where to begin; negative counts from the end"),
            "follow": ("boolean", "Go on until the program ends"),
        },
    ),
    Operation(
        verb="post",
        path=f"{_TASK}/terminal",
        summary="Type, or change the size",
        body="TerminalInput",
        answer="TerminalInputResponse",
    ),
    *_relayed("get post put patch delete", f"{_TASK}/agentapi/{{path*}}", "The task's own AgentAPI"),
    Operation(
        verb="get",
        path=f"{_TASK}/events",
        summary="Events of a task; each frame's data is an Event without id and type",
        media=_SSE,
        query=_AFTER,
    ),
    Operation(verb="get", path="/api/v2/events", summary="Events of all tasks", media=_SSE, query=_AFTER),
    Operation(
        verb="post",
        path="/api/v2/project",
        summary="What of the user's files a workspace would get; nothing is made",
        body="ProjectRequest",
        answer="ProjectInfo",
    ),
    Operation(verb="get", path="/api/v2/keys", summary="Credentials, without their secrets", answer="KeysResponse"),
    Operation(verb="put", path=_KEY, summary="Keep a provider's credential", body="PutKeyRequest", answer="Key"),
    Operation(verb="delete", path=_KEY, summary="Remove it", status=204),
    Operation(verb="post", path=f"{_KEY}/test", summary="Ask the vendor about it", answer="KeyTestResponse"),
    Operation(
        verb="post",
        path="/api/v2/prune",
        summary="Delete what retention lets go; only told unless dry_run is false",
        body="PruneRequest",
        optional_body=True,
        answer="PruneResponse",
    ),
    Operation(verb="get", path="/api/v2/usage", summary="Agent Workspace Builds", answer="UsageResponse"),
    Operation(
        verb="get",
        path="/api/v2/entitlements",
        summary="The same in Coder's shape",
        answer="EntitlementsResponse",
    ),
    Operation(verb="get", path="/api/v2/templates", summary="All templates", answer="TemplatesResponse"),
    Operation(verb="get", path="/api/v2/templates/{template}", summary="A template", answer="Template"),
    Operation(verb="get", path="/api/v2/buildinfo", summary="Who answers; of any wire version", answer="BuildInfo"),
    Operation(
        verb="post",
        path="/api/v2/engine/handover",
        summary="End, so that an engine of another version takes over; workspaces run on",
        status=202,
    ),
    Operation(verb="get", path="/api/v2/engine/doctor", summary="What the engine found out", media="application/json"),
    *_relayed(
        "get head post put patch delete options",
        "/preview/{capability}/{path*}",
        "An app under its capability: no login, credentials stripped both ways, every answer sandboxed",
    ),
)


def document() -> dict[str, Any]:
    """The whole description, as plain data."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        path = operation.path.replace("*}", "}")
        paths.setdefault(path, {"parameters": list(_path_parameters(path))})[operation.verb] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Jupyter Tasks",
            "version": __version__,
            "description": _DESCRIPTION,
            "x-schemas-by": f"pydantic {'.'.join(pydantic.VERSION.split('.')[:2])}",
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [
            {
                "url": "{server}jupyter-tasks",
                "description": "Through a Jupyter server",
                "variables": {"server": {"default": "http://127.0.0.1:8888/"}},
            },
            {"url": "http://engine", "description": "The engine's unix socket; no login"},
        ],
        "security": [{"jupyter": []}, {"coder": []}],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "parameters": {
                "Wire": {
                    "name": "Jupyter-Tasks-Wire",
                    "in": "header",
                    "description": f"Version of the wire that the client speaks: {models.WIRE_OLDEST} to {models.WIRE}",
                    "schema": {"type": "integer"},
                },
            },
            "responses": {
                "Error": {"description": "What went wrong", "content": _json({"$ref": _ref("ErrorBody")})},
            },
            "securitySchemes": {
                "jupyter": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "`token …`, as everywhere in Jupyter",
                },
                "coder": {"type": "apiKey", "in": "header", "name": "Coder-Session-Token"},
            },
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    made: dict[str, Any] = {"summary": operation.summary}
    if operation.path.startswith("/preview/"):
        made["security"] = []
    parameters = [
        {"name": name, "in": "query", "schema": {"type": kind}, "description": text}
        for name, (kind, text) in operation.query.items()
    ]
    if operation.media == _SSE:
        parameters.append({"name": "Last-Event-ID", "in": "header", "schema": {"type": "integer"}})
    if operation.path.startswith("/api/") and not operation.relayed:
        parameters.append({"$ref": "#/components/parameters/Wire"})
    if parameters:
        made["parameters"] = parameters
    if operation.body:
        made["requestBody"] = {
            "required": not operation.optional_body,
            "content": _json({"$ref": _ref(operation.body)}),
        }
    made["responses"] = _responses(operation)
    return made


def _responses(operation: Operation) -> dict[str, Any]:
    if operation.relayed:
        return {"default": {"description": "Whatever it answers, or an error of ours", "content": _ANY}}
    answer: dict[str, Any] = {"description": operation.summary}
    if operation.answer:
        one = {"$ref": _ref(operation.answer)}
        answer["content"] = _json({"type": "array", "items": one} if operation.many else one)
    elif operation.media:
        answer["content"] = {operation.media: {"schema": {}}}
    if operation.headers:
        answer["headers"] = {
            name: {"description": text, "schema": {"type": "integer"}} for name, text in operation.headers.items()
        }
    return {str(operation.status): answer, "default": {"$ref": "#/components/responses/Error"}}


def _path_parameters(path: str) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"\{([a-z]+)\}", path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _schemas() -> dict[str, Any]:
    bodies = {operation.body for operation in OPERATIONS if operation.body}
    answers = {operation.answer for operation in OPERATIONS if operation.answer} | {"ErrorBody", "Event"}
    from pydantic.json_schema import models_json_schema

    wanted: Any = [(getattr(models, name), "validation") for name in sorted(bodies)]
    wanted += [(getattr(models, name), "serialization") for name in sorted(answers)]
    _, found = models_json_schema(wanted, ref_template="#/components/schemas/{model}")
    schemas: dict[str, Any] = found["$defs"]
    return dict(sorted(schemas.items()))


def _ref(name: str) -> str:
    return f"#/components/schemas/{name}"


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def main() -> None:
    """Print the description as YAML."""
    import yaml  # type: ignore[import-untyped]

    yaml.safe_dump(document(), sys.stdout, sort_keys=False, width=110, allow_unicode=True)


if __name__ == "__main__":
    main()
