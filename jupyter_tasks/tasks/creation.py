"""Creating a task, resuming one: everything that is checked before anything is built and counted.

Owns the order of checks (Coder's, reference/coder-tasks.md 1.5) and the transaction that makes the task. Nothing here
touches infrastructure but ``Provisioner.check``, which only looks.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import anyio
import anyio.to_thread

from jupyter_tasks import models
from jupyter_tasks.errors import InvalidInput, NotFound, TasksError
from jupyter_tasks.store.journal import Change
from jupyter_tasks.store.task_rows import Asker, TaskRow, by_idempotency_key, insert_task
from jupyter_tasks.tasks import naming
from jupyter_tasks.tasks.belongings import Belongings, brings_files, look, refuse_project, told, workspace_ref
from jupyter_tasks.tasks.bundle import TaskBundle
from jupyter_tasks.tasks.house import House
from jupyter_tasks.tasks.machine import machine_variables
from jupyter_tasks.tasks.owner import Owner
from jupyter_tasks.tasks.project import Chosen, choose
from jupyter_tasks.tasks.requests import Admit, new_start
from jupyter_tasks.tasks.review_git import shown
from jupyter_tasks.templates.library import Library, Template
from jupyter_tasks.templates.plan import PlanInputs, WorkspacePlan
from jupyter_tasks.templates.planning import plan

__all__ = ["Creation"]

MOST_PROMPT = 640 << 10


@dataclass(frozen=True, slots=True)
class Creation:
    """What creating needs."""

    house: House
    library: Library
    owner: Owner
    admit: Admit
    default_template: str
    allow_unisolated: Callable[[WorkspacePlan, str], bool]
    planning: anyio.CapacityLimiter
    surveying: anyio.CapacityLimiter
    namer: naming.Namer | None = None

    async def create(self, request: models.CreateTaskRequest) -> str:
        """Make a task and accept its first start build. Returns the task's id. Raises: UserError, TemplateInvalid,
        ProvisionError, LimitReached, StoreError."""
        if request.idempotency_key:
            known = await self.house.journal.read(
                lambda connection: by_idempotency_key(connection, self.owner.id, request.idempotency_key or "")
            )
            if known is not None:
                return known.id
        prompt = _prompt(request.input)
        template = await self._template(request)
        name, display_name = await self._names(request, prompt)
        row = self._row(request, template, name, display_name, prompt)
        build_id = str(uuid4())
        chosen = await self._chosen(request)  # the template may want to know where in it the agent is to work
        planned = await self.plan_start(row, template, build_id, chosen=chosen)
        if brings_files(planned):
            refuse_project(template.name, request)
        else:
            found = await self.belongings(request, chosen)
            row = replace(row, project=await anyio.to_thread.run_sync(found.to_json, limiter=self.surveying))
        await self.check(row, planned, build_id=build_id)

        def transaction(change: Change) -> str:
            insert_task(change.connection, replace(row, created_at=change.now, updated_at=change.now))
            new_start(change, row.id, planned, "initiator", self.admit, build_id)
            return row.id

        return await self.house.change(row.id, transaction)

    async def belongings(self, ask: models.ProjectRequest, chosen: Chosen | None = None) -> Belongings:
        """What of the user's goes in. Raises: InvalidInput, ProgramMissing, WorkspaceFailed."""
        decide = partial(look, ask, clock=self.house.clock, home=Path.home(), chosen=chosen)
        return await anyio.to_thread.run_sync(decide, limiter=self.surveying)

    async def _chosen(self, ask: models.ProjectRequest) -> Chosen | None:
        """The project; None where it cannot be one, which ``belongings`` tells the user, if any is wanted."""
        try:
            return await anyio.to_thread.run_sync(partial(choose, ask, home=Path.home()), limiter=self.surveying)
        except TasksError:
            return None

    async def plan_start(
        self,
        row: TaskRow,
        template: Template,
        build_id: str,
        before: WorkspacePlan | None = None,
        *,
        chosen: Chosen | None = None,
    ) -> WorkspacePlan:
        """The plan of this start build of this task. What was chosen ``before`` stays chosen.

        ``chosen``: the project, of a task whose row does not have it yet.
        """
        path, directory = row.asker.path or "", told(row.project)
        subdirectory = shown(os.fsencode(chosen.subdirectory)) if chosen is not None else ""
        variables = await anyio.to_thread.run_sync(
            partial(
                machine_variables,
                template,
                path,
                directory.subdirectory if directory is not None else subdirectory,
                wanted=row.parameters.get("agent"),
            ),
            limiter=self.planning,
        )
        inputs = PlanInputs(
            workspace_id=row.workspace_id,
            workspace_name=row.name,
            owner_id=row.owner_id,
            owner_name=row.owner_name,
            task_id=row.id,
            prompt=row.prompt,
            parameters=row.parameters,
            previous_parameters={} if before is None else {each.name: each.value for each in before.parameters},
            variables=variables,
            preset=row.preset,
            template_id=template.id,
            template_name=template.name,
            template_version=template.version_name,
            task_token=self.house.task_tokens.token(build_id),
        )
        planned = await anyio.to_thread.run_sync(
            partial(plan, template.tree, inputs, template_version_id=template.version_id), limiter=self.planning
        )
        if planned.task is None or planned.app(planned.task.app_id) is None:
            raise InvalidInput(
                'Template does not have a valid "coder_ai_task" resource.',
                detail=f'Template "{template.name}".',
                hint="`jupyter tasks templates list` shows the templates that make tasks.",
                code="not_task_capable",
            )
        return planned

    async def check(self, row: TaskRow, planned: WorkspacePlan, *, build_id: str) -> None:
        """Whether this machine can run that plan, and the engine has the keys for it.

        Raises: SandboxUnavailable, ProgramMissing, InvalidInput ("key_missing").
        """
        provisioner = self.house.provisioners.get(planned.kind)
        if provisioner is None:
            raise InvalidInput(
                f'No provisioner for "{planned.kind}" workspaces.',
                hint=f"Configured are: {', '.join(sorted(self.house.provisioners))} (c.TasksEngine.provisioners).",
            )
        await provisioner.check(
            workspace_ref(
                row,
                build_id,
                allow_unisolated=self.allow_unisolated(planned, row.template_id),
                clock=self.house.clock,
            ),
            planned,
        )
        self.house.credentials.require(planned.providers)

    async def template_of(self, bundle: TaskBundle) -> Template:
        """The template that this task was made from, as it is now."""
        return await anyio.to_thread.run_sync(self.library.get, bundle.task.template_name, limiter=self.planning)

    async def _template(self, request: models.CreateTaskRequest) -> Template:
        def find() -> Template:
            if request.template_version_id:
                return self.library.version(_uuid(request.template_version_id, "template_version_id"))
            return self.library.get(request.template or self.default_template)

        try:
            return await anyio.to_thread.run_sync(find, limiter=self.planning)
        except NotFound as error:
            raise InvalidInput(
                error.message, hint=error.hint, detail=error.detail, code="template_not_found"
            ) from error

    async def _names(self, request: models.CreateTaskRequest, prompt: str) -> tuple[str, str]:
        if request.name:
            naming.check_name(request.name)
        display = (request.display_name or "").strip()
        if len(display) > 64:
            raise InvalidInput("Display name must be 64 characters or less.")
        if request.name:
            return request.name, display or request.name
        made = await naming.name_task(prompt, namer=self.namer)
        return made.name, display or made.display_name

    def _row(
        self, request: models.CreateTaskRequest, template: Template, name: str, display_name: str, prompt: str
    ) -> TaskRow:
        now = self.house.clock.now()
        return TaskRow(
            id=str(uuid4()),
            owner_id=self.owner.id,
            owner_name=self.owner.name,
            name=name,
            display_name=display_name,
            template_id=template.id,
            template_version_id=template.version_id,
            template_name=template.name,
            template_display_name=template.display_name,
            template_icon=template.icon,
            workspace_id=str(uuid4()),
            prompt=prompt,
            parameters=dict(request.parameters),
            preset=self._preset(request, template),
            asker=Asker(python_env=request.python_env, path=request.path, directory=request.directory),
            idempotency_key=request.idempotency_key,
            created_at=now,
            updated_at=now,
        )

    def _preset(self, request: models.CreateTaskRequest, template: Template) -> str | None:
        if request.preset and request.preset.lower() != "none":
            return request.preset
        if request.template_version_preset_id:
            wanted = _uuid(request.template_version_preset_id, "template_version_preset_id")
            for preset in self.library.analysis(template).presets:
                if preset.id == wanted:
                    return preset.name
            raise InvalidInput("Preset not found or you do not have access to this resource")
        return None


def _prompt(text: str) -> str:
    if not text.strip():
        raise InvalidInput(
            "a task cannot be started with an empty input", hint="Say what the agent is to do.", code="empty_prompt"
        )
    if len(text.encode("utf-8", "surrogatepass")) > MOST_PROMPT:
        raise InvalidInput(
            "The prompt is over 640 KiB.", hint="Put long material into a file of the project and name it."
        )
    if "\0" in text:
        raise InvalidInput("The prompt holds a NUL character.", hint="Remove it.")
    return text.encode("utf-8", "replace").decode("utf-8")


def _uuid(text: str, field: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as error:
        raise InvalidInput(f"{field} is not a UUID: {text[:64]!r}.") from error
