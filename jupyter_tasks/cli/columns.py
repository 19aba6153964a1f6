"""The columns of a task, by the names that ``coder task`` gives them (and a few more).

Owns how each field of a task reads in a table cell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import click

from jupyter_tasks.cli.output import clean, duration, stamp

if TYPE_CHECKING:
    from jupyter_tasks.models import Task

__all__ = ["TASK_CELLS", "warn_unisolated"]

_PLAIN = (
    "id", "organization id", "owner id", "owner name", "owner avatar url", "name", "display name", "template id",
    "template version id", "template name", "template display name", "template icon", "workspace id",
    "workspace name", "workspace status", "workspace build number", "workspace agent id",
    "workspace agent lifecycle", "workspace app id", "initial prompt", "preset", "reason", "queue position",
)  # fmt: skip


def _field(name: str) -> Callable[[Task], str]:
    attribute = name.replace(" ", "_")

    def cell(task: Task) -> str:
        value = getattr(task, attribute)
        return "" if value is None else str(value)

    return cell


def _healthy(task: Task) -> str:
    health = task.workspace_agent_health
    return str(health is not None and health.healthy).lower()


def _state_changed(task: Task) -> str:
    if task.current_state is None:
        return ""
    return f"{duration((datetime.now(timezone.utc) - task.current_state.timestamp).total_seconds())} ago"


def _message(task: Task) -> str:
    if task.attention is not None:
        return task.attention.text
    if task.current_state is not None and task.current_state.message:
        return task.current_state.message
    return task.reason or ""


def _cost(task: Task) -> str:
    from jupyter_tasks.notebook.amounts import money

    return money(task.cost)


def _tokens(task: Task) -> str:
    from jupyter_tasks.notebook.amounts import tokens

    return tokens(task.usage)


def _project(task: Task) -> str:
    from jupyter_tasks.notebook.project_words import home_short

    return home_short(task.project.root or "") if task.project else ""


def warn_unisolated(tasks: Sequence[Task]) -> None:
    """Say on stderr which of these tasks run without isolation, and why: whoever reads stdout is not disturbed."""
    for task in tasks:
        if task.isolation is not None and task.isolation.kind == "none":
            click.echo(clean(f"{task.name} is not isolated. {task.isolation.reason}".rstrip()), err=True)


TASK_CELLS: Mapping[str, Callable[[Task], str]] = {
    **{name: _field(name) for name in _PLAIN},
    "workspace agent health": _healthy,
    "healthy": _healthy,
    "status": lambda task: task.status.value,
    "state": lambda task: task.current_state.state.value if task.current_state else "",
    "state changed": _state_changed,
    "message": lambda task: " ".join(_message(task).split()),
    "summary": lambda task: task.summary.value,
    "source": lambda task: task.source.value if task.source else "",
    "cost": _cost,
    "tokens": _tokens,
    "unapplied": lambda task: "" if task.unapplied is None else str(task.unapplied),
    "project": _project,
    "branch": lambda task: (task.project.branch or "") if task.project else "",
    "isolation": lambda task: task.isolation.kind if task.isolation else "",
    "created at": lambda task: stamp(task.created_at),
    "updated at": lambda task: stamp(task.updated_at),
}
