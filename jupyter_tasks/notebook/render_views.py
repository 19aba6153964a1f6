"""What handle and magics return: the wire's own values, with a face in a notebook.

``Messages``, ``Logs``, ``Table`` and ``Templates`` are lists, ``Diff`` is a ``DiffResponse``, ``Usage`` a
``UsageResponse``: use them as such; only their repr is new.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from jupyter_tasks import models
from jupyter_tasks.notebook import render

__all__ = ["Diff", "Logs", "Messages", "Table", "Templates", "Usage"]


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
        return render.diff_text(self)

    def _html(self) -> str:
        return render.diff_html(self)


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
        return [tuple(render.clean(text) for text in (t.name, t.display_name, t.description)) for t in self]

    def __str__(self) -> str:
        return render.grid_text(self.head, self._rows()) if self else "No templates found."

    def _html(self) -> str:
        return render.grid_html(self.head, self._rows()) if self else ""
