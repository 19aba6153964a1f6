"""The engine's HTTP application: every route, below one roof.

Owns which handler serves which path, and the access log. What it all means is the tasks service's business; who may
connect is the socket's (``listening``).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping

from tornado.web import Application, RequestHandler

from jupyter_tasks.clock import Clock, SystemClock
from jupyter_tasks.models import BuildInfo
from jupyter_tasks.server.context import Context
from jupyter_tasks.server.handlers import (
    agentapi,
    apply,
    diff,
    engine,
    events,
    keys,
    logs,
    preview,
    project,
    templates,
    terminal,
    upkeep,
    usage,
)
from jupyter_tasks.server.handlers import tasks as task_handlers
from jupyter_tasks.server.handlers.base import ApiHandler
from jupyter_tasks.server.preview_origin import PreviewOrigin
from jupyter_tasks.server.preview_rules import masked
from jupyter_tasks.server.previews import PREVIEW_ROUTE, PreviewHandler
from jupyter_tasks.tasks.api import TasksApi

__all__ = ["HANDLERS", "make_app", "pattern"]

HANDLERS: tuple[type[ApiHandler], ...] = (
    task_handlers.TasksHandler,
    task_handlers.UserTasksHandler,
    task_handlers.TaskHandler,
    task_handlers.InputHandler,
    task_handlers.SendHandler,
    task_handlers.AnswerHandler,
    task_handlers.InterruptHandler,
    task_handlers.PauseHandler,
    task_handlers.ResumeHandler,
    task_handlers.MessagesHandler,
    task_handlers.BuildsHandler,
    logs.LogsHandler,
    diff.DiffHandler,
    apply.ApplyHandler,
    apply.UndoHandler,
    preview.MintPreviewHandler,
    terminal.TerminalHandler,
    agentapi.AgentApiHandler,
    events.TaskEventsHandler,
    events.EventsHandler,
    project.ProjectHandler,
    keys.KeysHandler,
    keys.KeyHandler,
    keys.KeyTestHandler,
    upkeep.PruneHandler,
    usage.UsageHandler,
    usage.EntitlementsHandler,
    templates.TemplatesHandler,
    templates.TemplateHandler,
    engine.BuildInfoHandler,
    engine.HandoverHandler,
    engine.DoctorHandler,
)

log = logging.getLogger("jupyter_tasks.access")


def make_app(
    tasks: TasksApi,
    *,
    info: Callable[[], BuildInfo],
    handover: Callable[[], None],
    clock: Clock | None = None,
    origin: PreviewOrigin | None = None,
    doctor: Callable[[], Awaitable[Mapping[str, object]]] | None = None,
) -> Application:
    """The application that the engine serves.

    Args:
        tasks: what does the work.
        info: who we are, asked at each request (its ``last_event_id`` moves on).
        handover: called once ``POST engine/handover`` has been answered; must return at once.
        clock: for heartbeats.
        origin: the loopback port for previews; without it no ``url`` is given out.
        doctor: what ``GET engine/doctor`` answers; without it there is none (404).
    """
    context = Context(tasks, info, handover, clock or SystemClock(), origin, doctor)
    routes: list[tuple[str, type[RequestHandler], dict[str, object]]] = [
        (pattern(handler.path), handler, {"context": context}) for handler in HANDLERS
    ]
    routes.append((PREVIEW_ROUTE, PreviewHandler, {"tasks": tasks}))
    return Application(
        routes,
        default_handler_class=engine.RouteNotFound,
        default_handler_args={"context": context},
        log_function=_log_request,
    )


def pattern(path: str) -> str:
    """A route of OpenAPI as tornado's regular expression: ``{name}`` is one segment, ``{name*}`` everything."""
    parts = re.split(r"(\{[a-z]+\*?\})", path)
    return "".join(
        ("(.*)" if part.endswith("*}") else "([^/]+)") if part.startswith("{") else re.escape(part) for part in parts
    )


def _log_request(handler: RequestHandler) -> None:
    # no query: it may hold a prompt's words; no address: there is only one user
    request = handler.request
    log.debug(
        "%d %s %s %.1f ms", handler.get_status(), request.method, masked(request.path), 1000 * request.request_time()
    )
