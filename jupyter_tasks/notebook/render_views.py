"""What handle and magics return: the wire's own values, with a face in a notebook.

``Messages``, ``Logs``, ``Table``, ``Templates`` and ``Keys`` are lists, ``Diff`` is a ``DiffResponse``, ``Applied`` an
``ApplyResponse`` and so on: use them as such; only their repr is new.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from jupyter_tasks import models
from jupyter_tasks.notebook import render, render_changes
from jupyter_tasks.notebook.amounts import count, size
from jupyter_tasks.notebook.project_words import lines as project_lines

__all__ = [
    "Applied",
    "Diff",
    "Keys",
    "Logs",
    "Messages",
    "Project",
    "Pruned",
    "Table",
    "Templates",
    "Undone",
    "Usage",
]


class _Face:
    """Shows ``str(self)`` as plain text; ``_html`` may add HTML."""

    def _html(self) -> str:
        return ""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))  # IPython has a printer for lists that would be asked before a mimebundle

    def _repr_html_(self) -> str | None:
        return self._html() or None


class Messages(_Face, list[models.Message]):
    """The conversation."""

    def __str__(self) -> str:
        return render.messages_text(self)


class Logs(_Face, list[models.TaskLogEntry]):
    """Log entries of one kind."""

    def __str__(self) -> str:
        return render.logs_text(self)


class Diff(_Face, models.DiffResponse):
    """What the agent changed; ``str()`` has the files and the patch, ``.patch`` the patch alone."""

    def __str__(self) -> str:
        return render_changes.diff_text(self)

    def _html(self) -> str:
        return render_changes.diff_html(self)


class Applied(_Face, models.ApplyResponse):
    """What an apply did with each file; ``.applied`` says whether it did."""

    def __str__(self) -> str:
        return "\n".join(line for _, line in render_changes.applied_lines(self))

    def _html(self) -> str:
        (_, head), *lines = render_changes.applied_lines(self)
        return render_changes.lines_html(head, lines)


class Undone(_Face, models.UndoResponse):
    """What taking it back did; ``.undone`` says whether it did."""

    def __str__(self) -> str:
        return "\n".join(line for _, line in render_changes.undone_lines(self))

    def _html(self) -> str:
        (_, head), *lines = render_changes.undone_lines(self)
        return render_changes.lines_html(head, lines)


class Project(_Face, models.ProjectInfo):
    """What of the user's files went into a workspace."""

    def __str__(self) -> str:
        return "\n".join(render.clean(line).replace("\n", "\ufffd") for line in project_lines(self))


class Usage(_Face, models.UsageResponse):
    """The usage pool."""

    def __str__(self) -> str:
        return render.usage_text(self)


class Table(_Face, list[models.Task]):
    """Tasks as a table, newest first."""

    def __init__(self, tasks: Sequence[models.Task], now: datetime) -> None:
        super().__init__(tasks)
        self._now = now

    head = ("name", "status", "state", "state changed", "message")

    def _rows(self) -> list[tuple[str, ...]]:
        return [render.task_row(task, self._now) for task in self]

    def __str__(self) -> str:
        return render.grid_text(self.head, self._rows()) if self else "No tasks found."

    def _html(self) -> str:
        return render.grid_html(self.head, self._rows()) if self else ""


class Templates(_Face, list[models.Template]):
    """Templates as a table."""

    head = ("name", "title", "description")

    def _rows(self) -> list[tuple[str, ...]]:
        told = ((t.name, t.display_name, f"cannot be used: {t.error}" if t.error else t.description) for t in self)
        return [tuple(render.clean(text) for text in row) for row in told]

    def __str__(self) -> str:
        return render.grid_text(self.head, self._rows()) if self else "No templates found."

    def _html(self) -> str:
        return render.grid_html(self.head, self._rows()) if self else ""


class Keys(_Face, list[models.Key]):
    """Credentials as a table, without their secrets."""

    head = ("provider", "kind", "source", "base url")

    def _rows(self) -> list[tuple[str, ...]]:
        found = ((key.provider, key.kind.replace("_", " "), key.variable or key.source, key.base_url) for key in self)
        return [tuple(render.clean(text) for text in row) for row in found]

    def __str__(self) -> str:
        return render.grid_text(self.head, self._rows()) if self else "No credentials (`jupyter tasks keys add`)."

    def _html(self) -> str:
        return render.grid_html(self.head, self._rows()) if self else ""


class Pruned(_Face, models.PruneResponse):
    """What clean-up did or would do."""

    head: ClassVar = ("name", "action", "size", "unapplied", "reason")

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                task.name,
                task.action,
                size(task.bytes),
                "" if task.unapplied is None else str(task.unapplied),
                render.clean(task.reason),
            )
            for task in self.tasks
        ]

    def _verdict(self) -> str:
        leaving = sum(task.action == "delete" for task in self.tasks)
        if not leaving:
            return "Nothing to delete."
        return f"{'Would delete' if self.dry_run else 'Deleted'} {count(leaving, 'task')} ({size(self.bytes)})."

    def __str__(self) -> str:
        table = [render.grid_text(self.head, self._rows())] if self.tasks else []
        return "\n".join([*table, self._verdict()])

    def _html(self) -> str:
        return f"{render.grid_html(self.head, self._rows())}<div>{self._verdict()}</div>" if self.tasks else ""
