"""A tasks service in memory, for tests of whatever stands before one: server, clients, shell, front ends.

Owns a small honest behaviour (tasks, messages, events with ids, previews that dial a real address); no workspace, no
agent. Shipped, so that another project's tests can use it. It keeps what it was asked in ``calls``.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from uuid import uuid4

import anyio
from anyio.abc import ByteStream
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from jupyter_tasks import models
from jupyter_tasks._version import __version__
from jupyter_tasks.errors import AppUnreachable, Conflict, InvalidInput, NotFound

__all__ = ["FakeService", "FakeTarget", "FakeTerminal"]

OWNER_ID = "11111111-1111-4111-8111-111111111111"
OWNER = "ada"
_QUEUE = 100  # events a slow reader may be behind


@dataclass(eq=False)
class FakeTarget:
    """An app at a TCP port of this machine."""

    task_id: str
    app: str
    port: int
    revoked: bool = False

    async def dial(self) -> ByteStream:
        """Raises: NotFound, AppUnreachable."""
        if self.revoked:
            raise NotFound("This preview has ended.")
        try:
            return await anyio.connect_tcp("127.0.0.1", self.port)
        except OSError:
            raise AppUnreachable("The app does not answer.") from None


@dataclass(eq=False)
class FakeTerminal:
    """Some bytes."""

    content: bytes
    offset: int
    cols: int = 80
    rows: int = 24

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(self.offset, len(self.content), 4096):
            yield self.content[start : start + 4096]


@dataclass(eq=False)
class FakeService:
    """``tasks.api.TasksApi`` without anything behind it.

    ``app_port``: where previews lead; ``agentapi_port``: where a task's AgentAPI is.
    """

    app_port: int = 0
    agentapi_port: int = 0
    owner_id: str = OWNER_ID
    owner_name: str = OWNER
    calls: list[tuple[object, ...]] = field(default_factory=list)
    terminal_bytes: bytes = b"hello\r\n"
    _tasks: dict[str, models.Task] = field(default_factory=dict)
    _talk: dict[str, list[models.Message]] = field(default_factory=dict)
    _events: list[models.Event] = field(default_factory=list)
    _readers: list[MemoryObjectSendStream[models.Event]] = field(default_factory=list)
    _targets: dict[str, FakeTarget] = field(default_factory=dict)
    _typed: set[str] = field(default_factory=set)

    def info(self) -> models.BuildInfo:
        """What ``make_app`` takes as ``info``."""
        return models.BuildInfo(
            version=__version__,
            wire=models.WIRE,
            wire_oldest=models.WIRE_OLDEST,
            pid=1,
            started_at=_now(),
            mode="inprocess",
            owner_id=self.owner_id,
            owner_name=self.owner_name,
            last_event_id=len(self._events),
        )

    def publish(self, kind: models.EventType, task_id: str | None, data: dict[str, object]) -> models.Event:
        """A new event, to all readers; one that is too slow is ended."""
        event = models.Event(id=len(self._events) + 1, type=kind, task_id=task_id, time=_now(), data=data)
        self._events.append(event)
        for reader in list(self._readers):
            try:
                reader.send_nowait(event)
            except (anyio.WouldBlock, anyio.BrokenResourceError):
                self._readers.remove(reader)
                reader.close()
        return event

    def end_streams(self) -> None:
        """End every subscription, as an engine does that stops."""
        while self._readers:
            self._readers.pop().close()

    def set_state(
        self, task: models.Task, state: models.TaskState, status: models.TaskStatus = models.TaskStatus.active
    ) -> models.Task:
        """The agent says so."""
        entry = models.TaskStateEntry(timestamp=_now(), state=state, message="")
        return self._store(task.model_copy(update={"status": status, "current_state": entry}))

    # ------------------------------------------------------------ TasksApi

    async def list(self, query: str = "") -> models.TasksListResponse:
        self.calls.append(("list", query))
        if query.startswith(":"):
            raise InvalidInput("Invalid task search query.")
        return models.TasksListResponse(tasks=list(self._tasks.values()), count=len(self._tasks))

    async def create(self, user: str, request: models.CreateTaskRequest) -> models.Task:
        self.calls.append(("create", user, request))
        name = request.name or f"task-{len(self._tasks) + 1}"
        if any(task.name == name for task in self._tasks.values()):
            raise Conflict(f'A task named "{name}" already exists.')
        task = models.Task(
            id=str(uuid4()),
            organization_id=OWNER_ID,
            owner_id=self.owner_id,
            owner_name=self.owner_name,
            name=name,
            display_name=request.display_name or name,
            template_id=str(uuid4()),
            template_version_id=request.template_version_id or str(uuid4()),
            template_name=request.template or "quickstart",
            template_display_name="Quickstart",
            template_icon="",
            initial_prompt=request.input,
            status=models.TaskStatus.pending,
            created_at=_now(),
            updated_at=_now(),
            parameters=request.parameters,
            preset=request.preset,
        )
        self._talk[task.id] = []
        return self._store(task)

    async def get(self, user: str, task: str) -> models.Task:
        return self._find(task)

    async def delete(self, user: str, task: str) -> None:
        found = self._tasks.pop(self._find(task).id)
        self._revoke(found.id)
        self.publish(models.EventType.task, found.id, {"id": found.id, "name": found.name, "deleted": True})

    async def update_input(self, user: str, task: str, text: str) -> None:
        found = self._find(task)
        if found.status is not models.TaskStatus.paused:
            raise Conflict("Unable to update task input, task must be paused.")
        self._store(found.model_copy(update={"initial_prompt": text}))

    async def send(self, user: str, task: str, text: str, key: str | None = None) -> None:
        self.calls.append(("send", user, task, text, key))
        if not text.strip():
            raise InvalidInput("Task input is required.")
        found = self._find(task)
        talk = self._talk[found.id]
        message = models.Message(id=len(talk), role="user", time=_now(), parts=[models.TextPart(text=text)])
        talk.append(message)
        self.publish(models.EventType.message, found.id, {"message": message.model_dump(mode="json")})

    async def interrupt(self, user: str, task: str) -> bool:
        state = self._find(task).current_state
        return state is not None and state.state is models.TaskState.working

    async def pause(self, user: str, task: str) -> models.WorkspaceBuild:
        found = self._find(task)
        self.calls.append(("pause", user, found.id))
        self._revoke(found.id)
        self._store(found.model_copy(update={"status": models.TaskStatus.paused, "current_state": None}))
        return _build(found, "stop", "task_manual_pause")

    async def resume(self, user: str, task: str) -> models.WorkspaceBuild:
        found = self._find(task)
        if found.status is not models.TaskStatus.paused:
            raise Conflict(f'task "{found.name}" cannot be resumed (current status: {found.status.value})')
        self._store(found.model_copy(update={"status": models.TaskStatus.initializing}))
        return _build(found, "start", "task_resume")

    async def messages(self, user: str, task: str) -> models.MessagesResponse:
        return models.MessagesResponse(messages=self._talk[self._find(task).id])

    async def logs(self, user: str, task: str, kind: models.LogKind) -> models.TaskLogsResponse:
        talk = self._talk[self._find(task).id]
        entries = [
            models.TaskLogEntry(id=each.id, content=each.text, type=models.TaskLogType.input, time=each.time)
            for each in talk
        ]
        return models.TaskLogsResponse(logs=entries)

    async def builds(self, user: str, task: str) -> Sequence[models.WorkspaceBuild]:
        return [_build(self._find(task), "start", "initiator")]

    async def diff(self, user: str, task: str) -> models.DiffResponse:
        self._find(task)
        return models.DiffResponse(files=[], additions=0, deletions=0, patch="")

    async def usage(self) -> models.UsageResponse:
        start = datetime(2026, 1, 1, tzinfo=timezone.utc)
        period = models.Period(start=start, end=start + timedelta(days=365))
        return models.UsageResponse(actual=len(self._tasks), included=1000, period=period, max_active=8)

    async def templates(self) -> models.TemplatesResponse:
        return models.TemplatesResponse(templates=[_TEMPLATE])

    async def template(self, name: str) -> models.Template:
        if name != _TEMPLATE.name:
            raise NotFound(f'There is no template "{name}".', hint="`jupyter tasks templates list` has them all.")
        return _TEMPLATE.model_copy(update={"parameters": [], "presets": []})

    @asynccontextmanager
    async def events(
        self, *, after: int | None, task_id: str | None = None
    ) -> AsyncIterator[AsyncIterator[models.Event]]:
        send, receive = anyio.create_memory_object_stream[models.Event](_QUEUE)
        missed = [] if after is None else [event for event in self._events if event.id > after]
        self._readers.append(send)
        try:
            yield _stream(missed, receive, task_id)
        finally:
            if send in self._readers:
                self._readers.remove(send)
            send.close()
            receive.close()

    @asynccontextmanager
    async def terminal(self, user: str, task: str, *, offset: int, follow: bool) -> AsyncIterator[FakeTerminal]:
        self._find(task)
        size = len(self.terminal_bytes)
        yield FakeTerminal(self.terminal_bytes, max(0, size + offset) if offset < 0 else min(offset, size))

    async def type_terminal(self, user: str, task: str, request: models.TerminalInput) -> bool:
        self._find(task)
        self.calls.append(("type", request))
        already = request.key is not None and request.key in self._typed
        self._typed.add(request.key or "")
        return already

    async def mint_preview(
        self, user: str, task: str, request: models.PreviewRequest
    ) -> tuple[str, models.PreviewResponse]:
        found = self._find(task)
        app = request.app or "preview"
        if app != "preview":
            raise NotFound(f'The task "{found.name}" has no app "{app}".')
        word = secrets.token_hex(24)
        self._targets[word] = FakeTarget(found.id, app, self.app_port)
        expires = _now() + timedelta(hours=12)
        return word, models.PreviewResponse(app=app, path=f"preview/{word}/", expires_at=expires)

    def preview(self, capability: str) -> FakeTarget | None:
        target = self._targets.get(capability)
        return None if target is None or target.revoked else target

    @asynccontextmanager
    async def agentapi(self, user: str, task: str) -> AsyncIterator[ByteStream]:
        self._find(task)
        if not self.agentapi_port:
            raise Conflict("Task is pending.")
        async with await anyio.connect_tcp("127.0.0.1", self.agentapi_port) as stream:
            yield stream

    # ------------------------------------------------------------ inside

    def _find(self, task: str) -> models.Task:
        for found in self._tasks.values():
            if found.id == task or found.name.lower() == task.lower():
                return found
        raise NotFound("Resource not found or you do not have access to this resource")

    def _store(self, task: models.Task) -> models.Task:
        state = task.current_state.state.value if task.current_state else None
        data: dict[str, object] = {
            "id": task.id,
            "name": task.name,
            "owner_name": task.owner_name,
            "status": task.status.value,
            "state": state,
            "summary": task.summary.value,
            "attention": task.attention.model_dump(mode="json") if task.attention else None,
            "deleted": False,
        }
        event = self.publish(models.EventType.task, task.id, data)
        stored = task.model_copy(update={"last_event_id": event.id, "updated_at": _now()})
        self._tasks[task.id] = stored
        return stored

    def _revoke(self, task_id: str) -> None:
        for target in self._targets.values():
            if target.task_id == task_id:
                target.revoked = True


async def _stream(
    missed: Sequence[models.Event], live: MemoryObjectReceiveStream[models.Event], task_id: str | None
) -> AsyncIterator[models.Event]:
    for event in missed:
        if task_id in {None, event.task_id}:
            yield event
    async for event in live:
        if task_id in {None, event.task_id}:
            yield event


def _build(task: models.Task, transition: str, reason: str) -> models.WorkspaceBuild:
    return models.WorkspaceBuild.model_validate(
        {
            "id": str(uuid4()),
            "workspace_id": str(uuid4()),
            "workspace_name": task.name,
            "build_number": 1,
            "transition": transition,
            "reason": reason,
            "status": "pending",
            "created_at": _now(),
        }
    )


def _now() -> datetime:
    return datetime.now(timezone.utc)


_TEMPLATE = models.Template(
    id="22222222-2222-4222-8222-222222222222",
    name="quickstart",
    display_name="Quickstart",
    active_version_id="33333333-3333-4333-8333-333333333333",
    builtin=True,
)
