"""Rows as the wire shows them.

Owns the conversion from the store's rows (and the plan in them) to ``models``; what they mean is decided by ``status``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from pydantic import TypeAdapter

from jupyter_tasks import models
from jupyter_tasks.errors import Conflict, InvalidInput
from jupyter_tasks.metering.entitlements import UsageFigures
from jupyter_tasks.metering.prices import dollars
from jupyter_tasks.store.build_rows import BuildRow
from jupyter_tasks.store.llm_rows import LlmTotals
from jupyter_tasks.store.talk_rows import ConversationRow, MessageRow
from jupyter_tasks.store.task_rows import TaskRow
from jupyter_tasks.tasks import status as rules
from jupyter_tasks.tasks.belongings import told
from jupyter_tasks.tasks.bundle import TaskBundle
from jupyter_tasks.tasks.owner import ORGANIZATION_ID
from jupyter_tasks.templates.analysis import Analysis
from jupyter_tasks.templates.library import Template
from jupyter_tasks.templates.plan import Agent, App

__all__ = [
    "build",
    "event_data",
    "facts_of",
    "message",
    "needs_restart",
    "require_sendable",
    "status_of",
    "task",
    "template",
    "unsent",
    "usage",
    "works",
]

_parts: TypeAdapter[list[models.Part]] = TypeAdapter(list[models.Part])


def facts_of(bundle: TaskBundle) -> rules.Facts:
    """What decides the status of this task."""
    build, said, runtime = bundle.build, bundle.said, bundle.build.runtime
    app = _chat_app(bundle)
    return rules.Facts(
        transition=build.transition,
        build_status=build.status,
        build_created_at=build.created_at,
        lifecycle=runtime.lifecycle,
        connected=runtime.connected,
        app_health=None if app is None else _health(bundle, app),
        said=None
        if said is None
        else rules.Said(
            state=said.state,
            message=said.message,
            created_at=said.created_at,
            since=said.since,
            uri=said.uri,
            source=said.source,
            of_newest_build=said.build_id == build.id,
        ),
        attention=bundle.talk is not None and bundle.talk.attention is not None,
        changed_files=runtime.changed_files if runtime.unapplied is None else runtime.unapplied,
        exited=said is not None and said.source == "exit",
    )


def status_of(bundle: TaskBundle) -> models.TaskStatus:
    """The infrastructure's word."""
    return rules.status(facts_of(bundle))


def needs_restart(bundle: TaskBundle) -> bool:
    """Whether this start of the workspace is of no more use, though it runs: its agent has ended, or a start script
    failed, so that the agent never got the prompt."""
    return rules.ended(facts_of(bundle)) or _start_failed(bundle)


def _start_failed(bundle: TaskBundle) -> bool:
    return bundle.build.transition == "start" and bundle.build.runtime.lifecycle in ("start_error", "start_timeout")


def works(bundle: TaskBundle) -> bool:
    """Whether something goes on that the engine must see to its end."""
    return (
        rules.summary(facts_of(bundle)) in (models.Summary.working, models.Summary.starting) or bundle.build.unfinished
    )


def event_data(bundle: TaskBundle, waiting: Mapping[str, int]) -> Mapping[str, Any]:
    """What a ``task`` event says: ids, states and counts, no text of anybody's."""
    facts = facts_of(bundle)
    state = rules.current_state(facts)
    attention = bundle.talk.attention if bundle.talk is not None else None
    return {
        "id": bundle.task.id,
        "name": bundle.task.name,
        "owner_name": bundle.task.owner_name,
        "status": rules.status(facts).value,
        "state": None if state is None else state.state.value,
        "source": None if state is None or state.source is None else state.source.value,
        "summary": rules.summary(facts).value,
        "attention": None if attention is None else attention["kind"],
        "stage": bundle.build.stage,
        "build_number": bundle.build.number,
        "queue_position": waiting.get(bundle.task.id),
        "llm_calls": 0 if bundle.llm is None else bundle.llm.calls,
        "deleted": bundle.task.deleted_at is not None,
    }


def task(bundle: TaskBundle, waiting: Mapping[str, int], *, last_event_id: int) -> models.Task:
    """``codersdk.Task`` with our additions."""
    row, newest, facts = bundle.task, bundle.build, facts_of(bundle)
    state = rules.current_state(facts)
    active = rules.status(facts) is models.TaskStatus.active
    talk = bundle.talk if bundle.talk is not None and facts.transition == "start" else None
    runtime = newest.runtime
    chat = _chat_app(bundle)
    return models.Task(
        id=row.id,
        organization_id=ORGANIZATION_ID,
        owner_id=row.owner_id,
        owner_name=row.owner_name,
        name=row.name,
        display_name=row.display_name,
        template_id=row.template_id,
        template_version_id=row.template_version_id,
        template_name=row.template_name,
        template_display_name=row.template_display_name,
        template_icon=row.template_icon,
        workspace_id=row.workspace_id,
        workspace_name=row.name,
        workspace_status=rules.workspace_status(facts),
        workspace_build_number=newest.number,
        workspace_agent_id=_agent(bundle).id if bundle.plan.agents else None,
        workspace_agent_lifecycle=runtime.lifecycle,
        workspace_agent_health=rules.agent_health(facts),
        workspace_app_id=None if chat is None else chat.id,
        initial_prompt=row.prompt,
        status=rules.status(facts),
        current_state=state,
        created_at=row.created_at,
        updated_at=row.updated_at,
        summary=rules.summary(facts),
        attention=_attention(talk),
        source=None if state is None else state.source,
        since=None if state is None else state.since,
        reason=newest.error or _last_words(state) or runtime.reason,
        queue_position=waiting.get(row.id),
        cost=_cost(bundle.llm),
        usage=_tokens(bundle.llm),
        capabilities=_capabilities(bundle, active),
        isolation=_isolation(bundle),
        apps=[_app(bundle, app) for agent in bundle.plan.agents for app in agent.apps],
        parameters={each.name: each.value for each in bundle.plan.parameters},
        preset=row.preset,
        project=told(row.project),
        unapplied=runtime.unapplied,
        last_event_id=last_event_id,
    )


def message(row: MessageRow) -> models.Message:
    """One message of the conversation."""
    return models.Message(
        id=row.id,
        role="user" if row.role == "user" else "agent",
        time=row.time,
        parts=_parts.validate_python(row.parts),
    )


def build(row: TaskRow, found: BuildRow) -> models.WorkspaceBuild:
    """One build."""
    return models.WorkspaceBuild(
        id=found.id,
        workspace_id=row.workspace_id,
        workspace_name=row.name,
        build_number=found.number,
        transition=cast("Any", found.transition),
        reason=found.reason,
        status=found.status,
        stage=found.stage,
        error=found.error,
        created_at=found.created_at,
        started_at=found.started_at,
        finished_at=found.finished_at,
    )


def usage(figures: UsageFigures, *, active: int, max_active: int) -> models.UsageResponse:
    """Agent Workspace Builds: actual / included."""
    return models.UsageResponse(
        actual=figures.actual,
        included=figures.included,
        period=models.Period(start=figures.period.start, end=figures.period.end),
        limit=figures.limit,
        enforcement=cast("Any", figures.enforcement),
        warnings=list(figures.warnings),
        active=active,
        max_active=max_active,
        tokens=_tokens(figures.llm),
        cost=_cost(figures.llm),
    )


def template(found: Template, analysis: Analysis | None) -> models.Template:
    """A template; with parameters and presets where it has been analysed."""
    shown = models.Template(
        id=found.id,
        name=found.name,
        display_name=found.display_name,
        description=found.description,
        icon=found.icon,
        active_version_id=found.version_id,
        active_version_name=found.version_name,
        builtin=found.builtin,
    )
    if analysis is None:
        return shown
    parameters = [
        models.TemplateParameter(
            name=each.name,
            display_name=each.display_name,
            description=each.description,
            type=each.type,
            form_type=each.form_type,
            default_value=each.default,
            required=each.required,
            mutable=each.mutable,
            ephemeral=each.ephemeral,
            icon=each.icon,
            order=each.order,
            options=[
                models.TemplateOption(name=o.name, value=o.value, description=o.description, icon=o.icon)
                for o in each.options
            ],
        )
        for each in analysis.parameters
    ]
    presets = [
        models.TemplatePreset(
            id=each.id,
            name=each.name,
            description=each.description,
            icon=each.icon,
            default=each.default,
            parameters=dict(each.parameters),
        )
        for each in analysis.presets
    ]
    return shown.model_copy(update={"parameters": parameters, "presets": presets, "has_ai_task": analysis.task_capable})


def require_sendable(bundle: TaskBundle) -> None:
    """Whether a message may be sent now (reference/coder-tasks.md 1.9). Raises: Conflict, InvalidInput."""
    status = status_of(bundle)
    if needs_restart(bundle):
        raise Conflict(
            "A start script failed." if _start_failed(bundle) else "The agent has ended.",
            detail=f'The agent of "{bundle.task.name}" takes no messages.',
            hint="Resume the task to start it again.",
            code="agent_ended",
            retryable=False,
        )
    if status is models.TaskStatus.active:
        return
    if bundle.build.transition == "stop" and bundle.build.unfinished:
        raise Conflict(
            "Task is being paused.",
            detail="Resume the task to send messages.",
            hint="Resume it once it is paused.",
            code="task_paused",
        )
    if status in (models.TaskStatus.pending, models.TaskStatus.initializing):
        raise Conflict(
            f"Task is {status.value}.",
            detail="The task is resuming. Wait for the task to become active before sending messages.",
            code="task_not_active",
        )
    if status is models.TaskStatus.paused:
        raise Conflict(
            "Task is paused.", detail="Resume the task to send messages.", code="task_paused", retryable=False
        )
    raise InvalidInput(
        "Task must be active.",
        detail=f'Task status is "{status.value}", it must be "active" to interact with the task.',
        code="task_not_active",
    )


def unsent(talk: ConversationRow) -> ConversationRow:
    """The talk of a task whose prompt was changed: it is to be given once more."""
    return replace(talk, prompt_sent=False)


def _last_words(state: models.TaskStateEntry | None) -> str | None:
    """What an agent said that has ended badly: it tells more than that its app does not answer."""
    ended = state is not None and state.source is models.Source.exit and state.state is models.TaskState.failure
    return state.message or None if state is not None and ended else None


def _agent(bundle: TaskBundle) -> Agent:
    from jupyter_tasks.workspaces.builds import main_agent

    return main_agent(bundle.plan)


def _chat_app(bundle: TaskBundle) -> App | None:
    return None if bundle.plan.task is None else bundle.plan.app(bundle.plan.task.app_id)


def _health(bundle: TaskBundle, app: App) -> str:
    if app.healthcheck is None:
        return "disabled"
    return bundle.build.runtime.apps.get(app.id, "initializing")


def _app(bundle: TaskBundle, app: App) -> models.TaskApp:
    return models.TaskApp(
        id=app.id,
        slug=app.slug,
        display_name=app.display_name or app.slug,
        icon=app.icon,
        health=cast("Any", _health(bundle, app)),
        url=app.url,
        command=app.command,
        external=app.external,
        hidden=app.hidden,
        order=app.order,
        group=app.group,
    )


def _attention(talk: ConversationRow | None) -> models.Attention | None:
    return None if talk is None or talk.attention is None else models.Attention.model_validate(talk.attention)


def _isolation(bundle: TaskBundle) -> models.IsolationInfo | None:
    runtime = bundle.build.runtime
    return (
        None
        if runtime.isolation is None
        else models.IsolationInfo(kind=runtime.isolation, reason=runtime.isolation_reason)
    )


def _tokens(used: LlmTotals | None) -> models.TokenUsage | None:
    """None: nothing went through the gateway."""
    if used is None or used.calls == 0:
        return None
    return models.TokenUsage(
        input=used.input, output=used.output, cache_read=used.cache_read, cache_write=used.cache_write
    )


def _cost(used: LlmTotals | None) -> models.Cost | None:
    if used is None or used.calls == 0 or used.cost is None:
        return None
    return models.Cost(amount=dollars(used.cost))


def _capabilities(bundle: TaskBundle, active: bool) -> models.Capabilities:
    ready = active and bundle.build.runtime.lifecycle == "ready"
    chat = _chat_app(bundle)
    preview = any(
        app is not chat and app.url and not app.external for agent in bundle.plan.agents for app in agent.apps
    )
    project = told(bundle.task.project)
    files = bundle.build.runtime.isolation is not None or bundle.build.transition != "start"
    return models.Capabilities(
        send=active and not needs_restart(bundle),
        interrupt=ready,
        terminal=active,
        preview=active and preview,
        cost=bool(bundle.plan.providers) or bundle.llm is not None,
        permissions=ready,
        diff=files,
        apply=files and project is not None and project.root is not None,
    )
