"""A tasks service in memory, for tests of whatever stands before one: server, clients, shell, front ends.

Owns a small honest behaviour (tasks, messages, events with ids, previews that dial a real address, changes that can be
applied and taken back, credentials that never come out); no workspace, no agent, no file of the user's is touched.
Shipped, so that another project's tests can use it. It keeps what it was asked in ``calls``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from uuid import uuid4

from jupyter_tasks import models
from jupyter_tasks.errors import Conflict, InvalidInput, NotFound
from jupyter_tasks.testing.service_daily import FakeDaily
from jupyter_tasks.testing.service_room import OWNER, OWNER_ID, now
from jupyter_tasks.testing.service_views import FakeTarget, FakeTerminal, FakeViews

__all__ = ["OWNER", "OWNER_ID", "FakeService", "FakeTarget", "FakeTerminal"]


@dataclass(eq=False)
class FakeService(FakeDaily, FakeViews):
    """``tasks.api.TasksApi`` without anything behind it; see its bases for what can be set."""

    _talk: dict[str, list[models.Message]] = field(default_factory=dict)

    def set_state(
        self, task: models.Task, state: models.TaskState, status: models.TaskStatus = models.TaskStatus.active
    ) -> models.Task:
        """The agent says so."""
        entry = models.TaskStateEntry(timestamp=now(), state=state, message="")
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
            created_at=now(),
            updated_at=now(),
            parameters=request.parameters,
            preset=request.preset,
            project=self.project,
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
        message = models.Message(id=len(talk), role="user", time=now(), parts=[models.TextPart(text=text)])
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
            "created_at": now(),
        }
    )


_TEMPLATE = models.Template(
    id="22222222-2222-4222-8222-222222222222",
    name="quickstart",
    display_name="Quickstart",
    active_version_id="33333333-3333-4333-8333-333333333333",
    builtin=True,
)
