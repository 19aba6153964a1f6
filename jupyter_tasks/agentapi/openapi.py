"""The OpenAPI document of AgentAPI's HTTP API.

Owns the document alone; ``api`` serves what it describes. Names, operation ids and schema names are AgentAPI's.
"""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["openapi", "schema"]

_STATUS = "Current agent status. 'running' means that the agent works, 'stable' that it waits for input."


def _object(properties: dict[str, Any], *, optional: tuple[str, ...] = (), doc: bool = True) -> dict[str, Any]:
    found: dict[str, Any] = dict(properties)
    if doc:
        found["$schema"] = {
            "type": "string",
            "format": "uri",
            "readOnly": True,
            "description": "A URL to the JSON Schema for this object.",
        }
    whole: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": dict(sorted(found.items())),
    }
    required = sorted(properties.keys() - set(optional))
    return {**whole, "required": required} if required else whole


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, **more}


_TIME = {"type": "string", "format": "date-time", "description": "When."}
_ID = {"type": "integer", "format": "int64", "description": "Position in the conversation, from 0."}

_SCHEMAS: dict[str, dict[str, Any]] = {
    "AgentStatus": _text(_STATUS, enum=["running", "stable"]),
    "ConversationRole": _text("Who said it.", enum=["agent", "user"]),
    "ErrorBody": _object({"level": _ref("ErrorLevel"), "message": _text("What went wrong."), "time": _TIME}, doc=False),
    "ErrorDetail": _object(
        {
            "location": _text("Where the error occurred, e.g. 'body.type'."),
            "message": _text("What is wrong."),
            "value": {"description": "The value at this place."},
        },
        optional=("location", "message", "value"),
        doc=False,
    ),
    "ErrorLevel": _text("How bad it is.", enum=["error", "warning"]),
    "ErrorModel": _object(
        {
            "detail": _text("An explanation of this occurrence."),
            "errors": {"type": "array", "items": _ref("ErrorDetail"), "nullable": True},
            "instance": _text("A URI of this occurrence.", format="uri"),
            "status": {"type": "integer", "format": "int64", "description": "HTTP status."},
            "title": _text("A short summary of the kind of problem."),
            "type": _text("A URI of documentation.", format="uri", default="about:blank"),
        },
        optional=("detail", "errors", "instance", "status", "title", "type"),
    ),
    "Message": _object(
        {"content": _text("What was said."), "id": _ID, "role": _ref("ConversationRole"), "time": _TIME}, doc=False
    ),
    "MessageRequestBody": _object({"content": _text("What to say."), "type": _ref("MessageType")}),
    "MessageResponseBody": _object({"ok": {"type": "boolean", "description": "Whether the agent took it."}}),
    "MessageType": _text("'user' is recorded and submitted, 'raw' is typed as it is.", enum=["raw", "user"]),
    "MessageUpdateBody": _object(
        {"id": _ID, "message": _text("The whole text."), "role": _ref("ConversationRole"), "time": _TIME}, doc=False
    ),
    "MessagesResponseBody": _object({"messages": {"type": "array", "items": _ref("Message"), "nullable": True}}),
    "ScreenUpdateBody": _object({"screen": _text("The agent's screen.")}, doc=False),
    "StatusChangeBody": _object({"agent_type": _text("The agent."), "status": _ref("AgentStatus")}, doc=False),
    "StatusResponseBody": _object(
        {"agent_type": _text("The agent."), "status": _ref("AgentStatus"), "transport": _ref("Transport")}
    ),
    "Transport": _text("How the agent is spoken to.", enum=["acp", "pty"]),
    "UploadResponseBody": _object(
        {"filePath": _text("Where the file is now."), "ok": {"type": "boolean", "description": "Always true."}}
    ),
}


def schema(name: str) -> dict[str, Any] | None:
    """One schema, as ``/schemas/{name}.json`` serves it; None when there is none of that name."""
    return _SCHEMAS.get(name)


def _operation(name: str, summary: str, body: str, request: dict[str, Any] | None = None) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "responses": {
            "200": {"description": "OK", "content": {"application/json": {"schema": _ref(body)}}},
            "default": {
                "description": "Error",
                "content": {"application/problem+json": {"schema": _ref("ErrorModel")}},
            },
        },
    }
    if request is not None:
        operation["requestBody"] = {"required": True, "content": request}
    return operation


def _events() -> dict[str, Any]:
    kinds = {"message_update": "MessageUpdateBody", "status_change": "StatusChangeBody", "agent_error": "ErrorBody"}
    one_of = [
        {
            "type": "object",
            "required": ["data", "event"],
            "properties": {
                "data": _ref(body),
                "event": {"type": "string", "enum": [event]},
                "id": {"type": "integer"},
                "retry": {"type": "integer"},
            },
        }
        for event, body in sorted(kinds.items())
    ]
    operation = _operation("subscribeEvents", "Subscribe to events", "ErrorModel")
    operation["responses"]["200"]["content"] = {
        "text/event-stream": {"schema": {"type": "array", "items": {"oneOf": one_of}}}
    }
    return operation


@cache
def openapi(version: str) -> dict[str, Any]:
    """The document (OpenAPI 3.0.3). ``version`` is the product's."""
    json_body = {"application/json": {"schema": _ref("MessageRequestBody")}}
    file_body = {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "format": "binary"}},
            }
        }
    }
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "AgentAPI",
            "version": version,
            "description": "HTTP API for coding agents in a terminal, as coder/agentapi defines it.",
        },
        "paths": {
            "/events": {"get": _events()},
            "/message": {"post": _operation("post-message", "Send a message", "MessageResponseBody", json_body)},
            "/messages": {"get": _operation("get-messages", "Get the conversation", "MessagesResponseBody")},
            "/status": {"get": _operation("get-status", "Get the agent's status", "StatusResponseBody")},
            "/upload": {"post": _operation("post-upload", "Upload a file", "UploadResponseBody", file_body)},
        },
        "components": {"schemas": _SCHEMAS},
    }
