"""Tasks, as the HTTP API, the notebook and the shell see them.

Owns the facade (``tasks.api.TasksApi``): it finds the task, asks the right room, and answers in the wire's own shapes.
No rule is decided here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from uuid import uuid4

import anyio.to_thread
from anyio.abc import ByteStream
from sqlalchemy import Connection

from jupyter_tasks import models
from jupyter_tasks.errors import Conflict, InvalidInput, NotFound
from jupyter_tasks.metering.entitlements import Entitlements
from jupyter_tasks.store.build_rows import builds_of
from jupyter_tasks.store.event_rows import EventRow
from jupyter_tasks.store.journal import Change, EventStream
from jupyter_tasks.store.talk_rows import add_input, messages_of, set_conversation
from jupyter_tasks.store.task_rows import live_tasks, update_prompt
from jupyter_tasks.tasks import logs, search, views
from jupyter_tasks.tasks.api import Subscription, TerminalStream
from jupyter_tasks.tasks.bundle import TaskBundle, bundle_of, bundles, found_bundle
from jupyter_tasks.tasks.creation import Creation
from jupyter_tasks.tasks.machine import machine_variables
from jupyter_tasks.tasks.previews import Capability
from jupyter_tasks.tasks.requests import request_start, request_stop
from jupyter_tasks.tasks.retention import Retention
from jupyter_tasks.tasks.service_keys import KeyService
from jupyter_tasks.tasks.service_review import ReviewService
from jupyter_tasks.tasks.service_upkeep import UpkeepService
from jupyter_tasks.tasks.session import Sessions
from jupyter_tasks.templates.analysis import Analysis
from jupyter_tasks.templates.library import Template
from jupyter_tasks.templates.planning import template_invalid

__all__ = ["TaskService"]

MOST_INPUT = 1 << 20


class TaskService(KeyService, ReviewService, UpkeepService):
    """The service of one user's engine."""

    def __init__(
        self, creation: Creation, sessions: Sessions, entitlements: Entitlements, retention: Retention
    ) -> None:
        super().__init__(creation.house, creation.owner, sessions, retention)
        self._creation = creation
        self._entitlements = entitlements

    # ------------------------------------------------------------ reading

    async def list(self, query: str = "") -> models.TasksListResponse:
        """GET /tasks."""
        wanted = search.parse(query, self._owner)

        def load(connection: Connection) -> Sequence[TaskBundle]:
            return bundles(connection, live_tasks(connection, owner_name=wanted.owner))

        newest = self._house.journal.newest_id
        found = await self._house.journal.read(load)
        waiting = self._house.slots.waiting()
        tasks = [views.task(bundle, waiting, last_event_id=newest) for bundle in found]
        if wanted.status is not None:
            tasks = [task for task in tasks if task.status.value == wanted.status]
        return models.TasksListResponse(tasks=tasks, count=len(tasks))

    async def get(self, user: str, task: str) -> models.Task:
        """GET /tasks/{user}/{task}."""
        newest = self._house.journal.newest_id
        return views.task(await self._bundle(user, task), self._house.slots.waiting(), last_event_id=newest)

    async def messages(self, user: str, task: str) -> models.MessagesResponse:
        """The conversation."""
        bundle = await self._bundle(user, task)
        rows = await self._house.journal.read(lambda connection: messages_of(connection, bundle.task.id))
        return models.MessagesResponse(messages=[views.message(row) for row in rows])

    async def logs(self, user: str, task: str, kind: models.LogKind) -> models.TaskLogsResponse:
        """GET …/logs."""
        bundle = await self._bundle(user, task)
        return await logs.read(self._house, bundle, self._sessions.live(bundle.task.id), kind)

    async def builds(self, user: str, task: str) -> Sequence[models.WorkspaceBuild]:
        """Every build of a task, oldest first."""
        bundle = await self._bundle(user, task)
        rows = await self._house.journal.read(lambda connection: builds_of(connection, bundle.task.id))
        return [views.build(bundle.task, row) for row in rows]

    async def usage(self) -> models.UsageResponse:
        """GET /usage."""
        figures = await self._house.journal.read(
            lambda connection: self._entitlements.usage(connection, self._house.clock.now())
        )
        return views.usage(figures, active=self._house.slots.held, max_active=self._house.slots.limit)

    async def templates(self) -> models.TemplatesResponse:
        """GET /templates."""
        library = self._creation.library

        def load() -> list[models.Template]:
            return [_listed(each, library.analysis(each, machine_variables(each, ""))) for each in library.list()]

        found = await anyio.to_thread.run_sync(load, limiter=self._creation.planning)
        return models.TemplatesResponse(templates=found)

    async def survey(self, request: models.ProjectRequest) -> models.ProjectInfo:
        """POST /project: what would go into a workspace."""
        found = await self._creation.belongings(request)
        return await anyio.to_thread.run_sync(found.info, limiter=self._creation.surveying)

    async def template(self, name: str) -> models.Template:
        """GET /templates/{name}: with parameters and presets. Raises: TemplateInvalid, NotFound."""
        library = self._creation.library

        def load() -> models.Template:
            found = library.get(name)
            analysis = library.analysis(found, machine_variables(found, ""))
            if not analysis.valid:
                wrong = [each for each in analysis.diagnostics if each.severity == "error"]
                raise template_invalid(found.name, wrong)
            return views.template(found, analysis)

        return await anyio.to_thread.run_sync(load, limiter=self._creation.planning)

    # ------------------------------------------------------------ changing

    async def create(self, user: str, request: models.CreateTaskRequest) -> models.Task:
        """POST /tasks/{user}."""
        self._owner.require(user)
        before = self._house.journal.newest_id
        task_id = await self._creation.create(request)
        self._sessions.wake(task_id)
        bundle = await self._house.journal.read(lambda connection: bundle_of(connection, task_id))
        if bundle is None:
            raise NotFound("The task was deleted meanwhile.")
        return views.task(bundle, self._house.slots.waiting(), last_event_id=before)

    async def delete(self, user: str, task: str) -> None:
        """DELETE /tasks/{user}/{task}."""
        await self._drop((await self._bundle(user, task)).task.id)

    async def update_input(self, user: str, task: str, text: str) -> None:
        """PATCH …/input: only while paused; given at the next start."""
        bundle = await self._bundle(user, task)
        if not text.strip():
            raise InvalidInput("Task input is required.")
        if views.status_of(bundle) is not models.TaskStatus.paused:
            raise Conflict(
                "Unable to update task input, task must be paused.",
                detail="Please stop the task's workspace before updating the input.",
            )

        def work(change: Change) -> None:
            update_prompt(change.connection, bundle.task.id, text, change.now)
            if bundle.talk is not None and text != bundle.task.prompt:
                set_conversation(change.connection, views.unsent(bundle.talk))

        await self._house.change(bundle.task.id, work)

    async def send(self, user: str, task: str, text: str, key: str | None = None) -> None:
        """POST …/send: acknowledged once it is stored; given to the agent in order, when it takes input."""
        if not text.strip():
            raise InvalidInput("Task input is required.")
        if len(text) > MOST_INPUT:
            raise InvalidInput("The message is over 1 MiB.", hint="Put long material into a file and name it.")
        bundle = await self._bundle(user, task)
        views.require_sendable(bundle)
        await self._house.change(
            bundle.task.id,
            lambda change: add_input(change.connection, bundle.task.id, key or str(uuid4()), text, change.now),
        )
        live = self._sessions.live(bundle.task.id)
        if live is not None:
            live.talk.look()

    async def answer(self, user: str, task: str, option: str, question: str | None = None) -> None:
        """POST …/answer: one of the options that the agent offers."""
        live = self._require_live(await self._bundle(user, task))
        await live.talk.answer(option, question)

    async def interrupt(self, user: str, task: str) -> bool:
        """POST …/interrupt: stop the turn that runs."""
        live = self._require_live(await self._bundle(user, task))
        return await live.talk.interrupt()

    async def pause(self, user: str, task: str) -> models.WorkspaceBuild:
        """POST …/pause."""
        bundle = await self._bundle(user, task)
        await logs.keep(self._house, bundle, self._sessions.live(bundle.task.id))

        def work(change: Change) -> models.WorkspaceBuild:
            now = bundle_of(change.connection, bundle.task.id)
            if now is None or now.task.deleted_at is not None:
                raise NotFound("Resource not found or you do not have access to this resource")
            return views.build(bundle.task, request_stop(change, now))

        build = await self._house.change(bundle.task.id, work)
        self._house.capabilities.revoke(bundle.task.id)
        self._sessions.wake(bundle.task.id)
        return build

    async def resume(self, user: str, task: str) -> models.WorkspaceBuild:
        """POST …/resume: from paused, from error, and where the agent has ended or a start script failed."""
        bundle = await self._bundle(user, task)
        build_id = str(uuid4())
        planned = await self._creation.plan_start(
            bundle.task, await self._creation.template_of(bundle), build_id, bundle.plan
        )
        await self._creation.check(bundle.task, planned, build_id=build_id)

        def work(change: Change) -> models.WorkspaceBuild:
            now = found_bundle(change.connection, self._owner.id, bundle.task.id)
            useless = views.needs_restart(now)
            build = request_start(change, now, views.status_of(now), useless, planned, self._creation.admit, build_id)
            return views.build(bundle.task, build)

        build = await self._house.change(bundle.task.id, work)
        self._house.capabilities.revoke(bundle.task.id)
        self._sessions.wake(bundle.task.id)
        return build

    # ------------------------------------------------------------ live

    @asynccontextmanager
    async def events(self, *, after: int | None, task_id: str | None = None) -> AsyncIterator[Subscription]:
        """Events with an id above ``after``, then live."""
        async with self._house.journal.subscribe(after=after, task_id=task_id) as stream:
            yield _Events(stream)

    @asynccontextmanager
    async def terminal(self, user: str, task: str, *, offset: int, follow: bool) -> AsyncIterator[TerminalStream]:
        """The agent's own terminal."""
        live = self._require_live(await self._bundle(user, task))
        async with live.terminal(offset=offset, follow=follow) as stream:
            yield stream

    async def type_terminal(self, user: str, task: str, request: models.TerminalInput) -> bool:
        """Keystrokes and size."""
        live = self._require_live(await self._bundle(user, task))
        return await live.type_terminal(request)

    async def mint_preview(
        self, user: str, task: str, request: models.PreviewRequest
    ) -> tuple[str, models.PreviewResponse]:
        """A capability for an app of a running task."""
        bundle = await self._bundle(user, task)
        live = self._require_live(bundle)
        app = live.app(request.app)
        word, capability = self._house.capabilities.mint(bundle.task.id, app.slug, partial(live.dial, app))
        answer = models.PreviewResponse(
            app=app.slug, path=f"preview/{word}{app.path}", url=None, expires_at=capability.expires_at
        )
        return word, answer

    async def revoke_previews(self, user: str, task: str) -> None:
        """DELETE …/preview."""
        bundle = await self._bundle(user, task)
        self._house.capabilities.revoke(bundle.task.id)

    def preview(self, capability: str) -> Capability | None:
        """What a capability leads to."""
        return self._house.capabilities.find(capability)

    def agentapi(self, user: str, task: str) -> AbstractAsyncContextManager[ByteStream]:
        """A connection to the task's own AgentAPI."""
        return self._agentapi(user, task)

    @asynccontextmanager
    async def _agentapi(self, user: str, task: str) -> AsyncIterator[ByteStream]:
        live = self._require_live(await self._bundle(user, task))
        async with live.talk.connect_api() as stream:
            yield stream


def _listed(template: Template, analysis: Analysis) -> models.Template:
    """A template in a list: without what it asks, but with what is wrong with it."""
    wrong = next((each for each in analysis.diagnostics if each.severity == "error"), None)
    place = "" if wrong is None or not wrong.line else f" ({wrong.file}:{wrong.line})"
    error = None if wrong is None else f"{wrong.summary}{place}"
    return views.template(template, None).model_copy(update={"error": error, "has_ai_task": analysis.task_capable})


class _Events:
    """Rows as the wire's events."""

    def __init__(self, stream: EventStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[models.Event]:
        async for row in self._stream:
            yield _event(row)


def _event(row: EventRow) -> models.Event:
    return models.Event(
        id=row.id, type=models.EventType(row.type), task_id=row.task_id, time=row.time, data=dict(row.data)
    )
