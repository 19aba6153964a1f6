"""AgentAPI's HTTP API over a ``Conversation``.

Owns routes, bodies and error texts, which are AgentAPI's (coder/agentapi 0.12); ``http11`` carries them, ``event_feed``
streams, ``guard`` keeps foreign pages away. Who may call is decided by who holds the connection: in a workspace its own
loopback port, in the engine the server's authorizer. No read waits for a send.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

from jupyter_tasks._version import __version__
from jupyter_tasks.agentapi.answering import choice
from jupyter_tasks.agentapi.conversation import Conversation
from jupyter_tasks.agentapi.event_feed import EventFeed, rfc3339
from jupyter_tasks.agentapi.guard import DEFAULT_HOSTS, DEFAULT_ORIGINS, Guard
from jupyter_tasks.agentapi.http11 import Request, Response
from jupyter_tasks.agentapi.openapi import openapi, schema
from jupyter_tasks.agentapi.uploads import uploaded_file
from jupyter_tasks.clock import Clock, SystemClock
from jupyter_tasks.errors import TasksError

__all__ = ["MAX_UPLOAD", "AgentApi", "Upload"]

MAX_UPLOAD = 10 << 20

Upload = Callable[[str, bytes], Awaitable[str]]
"""Puts a file (base name, content) into the workspace and returns its absolute path there."""

_STREAM_HEADERS = [
    ("content-type", "text/event-stream"),
    ("cache-control", "no-cache, no-store, must-revalidate"),
    ("pragma", "no-cache"),
    ("expires", "0"),
    ("x-accel-buffering", "no"),
    ("x-proxy-buffering", "no"),
    ("connection", "keep-alive"),
]
_SPACE = " \t\n\r\f\v"


class AgentApi:
    """The app; use it as an async context manager, so that it is told of events.

    Args:
        conversation: what it speaks for.
        agent_type: AgentAPI's name of the agent.
        transport: how the agent is spoken to.
        upload: where uploaded files go; without it uploads are refused.
        clock: time.
        hosts: see ``Guard``.
        origins: see ``Guard``.
    """

    def __init__(
        self,
        conversation: Conversation,
        *,
        agent_type: str = "custom",
        transport: Literal["pty", "acp"] = "pty",
        upload: Upload | None = None,
        clock: Clock | None = None,
        hosts: Sequence[str] = DEFAULT_HOSTS,
        origins: Sequence[str] = DEFAULT_ORIGINS,
    ) -> None:
        self._guard = Guard(hosts, origins)
        self._conversation, self._agent_type, self._transport = conversation, agent_type, transport
        self._upload = upload
        self._feed = EventFeed(conversation, agent_type, clock or SystemClock())
        self._unsubscribe: Callable[[], None] | None = None

    async def __aenter__(self) -> AgentApi:
        self._unsubscribe = self._conversation.subscribe(self._feed)
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._feed.close()

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        refused = self._guard.refusal(request)
        if refused is not None:
            return refused
        answer = await self._route(request)
        return replace(answer, headers=[*answer.headers, *self._guard.cors(request)])

    async def _route(self, request: Request) -> Response:
        routes: dict[tuple[str, str], Callable[[Request], Awaitable[Response]]] = {
            ("GET", "/status"): self._status,
            ("GET", "/messages"): self._messages,
            ("POST", "/message"): self._message,
            ("POST", "/upload"): self._uploaded,
            ("GET", "/events"): self._events,
            ("GET", "/internal/screen"): self._screen,
            ("GET", "/openapi.json"): self._openapi,
            ("GET", "/openapi-3.0.json"): self._openapi,
            ("GET", "/"): self._root,
        }
        method = "GET" if request.method == "HEAD" else request.method
        route = routes.get((method, request.path))
        if route is not None:
            return await route(request)
        if method == "GET" and request.path.startswith("/schemas/") and request.path.endswith(".json"):
            found = schema(request.path.removeprefix("/schemas/").removesuffix(".json"))
            if found is not None:
                return Response(200, [("content-type", "application/json")], json.dumps(found).encode())
        if any(path == request.path for _, path in routes):
            return _error(request, 405, "method not allowed")
        if request.path.startswith("/chat"):
            return Response(
                404, [("content-type", "text/plain; charset=utf-8")], b"The chat page is part of Jupyter Tasks.\n"
            )
        return _error(request, 404, "not found")

    # ---------------------------------------------------------------- reading

    async def _status(self, request: Request) -> Response:
        body = {
            "agent_type": self._agent_type,
            "status": self._conversation.status,
            "transport": self._transport,
        }
        return _json(request, "StatusResponseBody", body)

    async def _messages(self, request: Request) -> Response:
        messages = [
            {"content": message.text, "id": message.id, "role": message.role, "time": rfc3339(message.time)}
            for message in self._conversation.messages
        ]
        return _json(request, "MessagesResponseBody", {"messages": messages})

    async def _events(self, request: Request) -> Response:
        return Response(200, _STREAM_HEADERS, _unless_head(request, self._feed.events()))

    async def _screen(self, request: Request) -> Response:
        return Response(200, _STREAM_HEADERS, _unless_head(request, self._feed.screens()))

    async def _openapi(self, request: Request) -> Response:
        return Response(200, [("content-type", "application/openapi+json")], json.dumps(openapi(__version__)).encode())

    async def _root(self, request: Request) -> Response:
        return Response(307, [("location", "/chat/embed")])

    # ---------------------------------------------------------------- writing

    async def _message(self, request: Request) -> Response:
        content, kind, refused = _message_body(request)
        if refused is not None:
            return refused
        try:
            if kind == "raw":
                await self._conversation.raw(content.encode("utf-8", "replace"), uuid.uuid4().hex)
            else:
                await self._send(content.strip(_SPACE))
        except TasksError as error:
            return _failed(request, f"failed to send message: {error.message}")
        return _json(request, "MessageResponseBody", {"ok": True})

    async def _send(self, content: str) -> None:
        if not content:
            raise TasksError("message must not be empty")
        attention = self._conversation.attention
        refused = attention is not None and attention.kind == "permission" and choice(attention, content) is None
        if self._conversation.status != "stable" or refused:
            raise TasksError("message can only be sent when the agent is waiting for user input")
        await self._conversation.send(content, key=uuid.uuid4().hex)

    async def _uploaded(self, request: Request) -> Response:
        found = uploaded_file(request.headers.get("content-type", ""), request.body)
        if found is None:
            errors = [{"message": "File required", "location": "file", "value": None}]
            return _error(request, 422, "validation failed", errors)
        if len(found[1]) > MAX_UPLOAD:
            return _error(request, 400, "file size exceeds 10MB limit")
        if self._upload is None:
            return _failed(request, "failed to upload file: there is no place for it")
        try:
            path = await self._upload(*found)
        except TasksError as error:
            return _failed(request, f"failed to upload file: {error.message}")
        return _json(request, "UploadResponseBody", {"filePath": path, "ok": True})


def _message_body(request: Request) -> tuple[str, str, Response | None]:
    """(content, type, None), or the refusal."""
    if not request.body:
        return "", "", _error(request, 400, "request body is required")
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return "", "", _error(request, 400, "request body is not valid JSON")
    errors: list[dict[str, Any]] = []
    if not isinstance(body, dict):
        errors.append({"message": "expected object", "location": "body", "value": body})
        body = {}
    else:
        for name in ("content", "type"):
            if name not in body:
                errors.append({"message": f"expected required property {name} to be present", "location": "body"})
            elif not isinstance(body[name], str):
                errors.append({"message": "expected string", "location": f"body.{name}", "value": body[name]})
        if isinstance(body.get("type"), str) and body["type"] not in ("user", "raw"):
            message = 'expected value to be one of "raw, user"'
            errors.append({"message": message, "location": "body.type", "value": body["type"]})
        errors += [
            {"message": "unexpected property", "location": f"body.{name[:100]}", "value": body[name]}
            for name in sorted(body.keys() - {"content", "type", "$schema"})
        ]
    if errors:
        return "", "", _error(request, 422, "validation failed", errors)
    return body["content"], body["type"], None


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


def _unless_head(request: Request, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    return _nothing() if request.method == "HEAD" else stream


def _json(request: Request, name: str, body: dict[str, Any], status: int = 200, kind: str = "json") -> Response:
    host = request.headers.get("host") or "localhost"
    data = json.dumps({"$schema": f"http://{host}/schemas/{name}.json", **body}, ensure_ascii=False)
    headers = [("content-type", f"application/{kind}"), ("link", f'</schemas/{name}.json>; rel="describedBy"')]
    return Response(status, headers, data.encode("utf-8", "replace"))


def _error(request: Request, status: int, detail: str, errors: list[dict[str, Any]] | None = None) -> Response:
    from http import HTTPStatus

    body: dict[str, Any] = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    if errors:
        body["errors"] = errors
    return _json(request, "ErrorModel", body, status, "problem+json")


def _failed(request: Request, message: str) -> Response:
    return _error(request, 500, "unexpected error occurred", [{"message": message}])
