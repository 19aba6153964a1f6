"""What of ``TaskHandle`` is daily work: the changes into one's own files and back, the agent's question, what it cost.

Owns these methods; waiting, conversation and display are with ``handle``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_tasks import models
from jupyter_tasks.errors import Conflict, TasksError
from jupyter_tasks.notebook.amounts import count
from jupyter_tasks.notebook.choice import chosen
from jupyter_tasks.notebook.render_views import Applied, Project, Undone

if TYPE_CHECKING:
    from jupyter_tasks.notebook.handle_session import Session

__all__ = ["DailyWork"]

_FORCE = "apply() takes changes over into your files; delete(force=True) deletes them with the task."


class DailyWork:
    """Mixed into the handle."""

    _session: Session
    _task: models.Task

    def apply(
        self,
        *paths: str,
        branch: str | None = None,
        message: str | None = None,
        target: str | Path | None = None,
        dry_run: bool = False,
        accept_runnable: bool = False,
    ) -> Applied:
        """Take the agent's changes over into your own files: all or nothing, and ``undo()`` takes them back.

        Args:
            paths: files or directories as ``diff()`` names them; none: everything.
            branch: make a commit on this new branch instead, and touch no file.
            message: of that commit; by default made of the prompt.
            target: where the project is now, if it was moved.
            dry_run: only say what would be done.
            accept_runnable: also take files that would run by themselves (``.envrc``, hooks …).

        Returns: what became of each file. With a conflict, a refusal or a runnable file that was not accepted
            ``applied`` is False and nothing was touched.
        Raises: NotFound for a path without changes; Conflict; EngineUnavailable when the answer was lost.
        """
        request = models.ApplyRequest(
            paths=list(paths),
            branch=branch,
            message=message,
            target=None if target is None else str(Path(target).expanduser().absolute()),
            accept_runnable=accept_runnable,
            dry_run=dry_run,
        )
        return Applied.model_validate(self._session.client.apply(self._task.id, request).model_dump())

    def undo(self) -> Undone:
        """Take the newest ``apply()`` back; where a file was changed since, nothing is.

        Raises: Conflict when nothing was applied.
        """
        return Undone.model_validate(self._session.client.undo(self._task.id).model_dump())

    def answer(self, option: str | int) -> None:
        """Choose an option of what the agent asks (``attention``), by its number (from 1), words or id.

        Raises: Conflict when it asks nothing (or something else by then); InvalidInput, which names the options.
        """
        task = self._newest()
        self._session.client.answer(self._task.id, chosen(task, option), task.attention.id if task.attention else None)

    @property
    def cost(self) -> models.Cost | None:
        """Money spent through the engine's gateway; None where that is not known."""
        return self._newest().cost

    @property
    def usage(self) -> models.TokenUsage | None:
        """Tokens through the engine's gateway."""
        return self._newest().usage

    @property
    def project(self) -> Project | None:
        """What of your files the workspace began with."""
        info = self._newest().project
        return None if info is None else Project.model_validate(info.model_dump())

    @property
    def unapplied(self) -> int | None:
        """How many changed files were not applied; None where that is not known yet."""
        return self._newest().unapplied

    def _newest(self) -> models.Task:
        self._task = self._session.client.get(self._task.id)
        return self._task

    def _keep_unapplied(self) -> None:
        """Before a delete. Raises: Conflict while there are changes that were not applied, or may be."""
        number = self._left()
        if number:
            raise Conflict(
                f"{count(number, 'changed file')} of {self._task.name} {'was' if number == 1 else 'were'} not applied.",
                hint=_FORCE,
                retryable=False,
            )

    def _left(self) -> int:
        """How many files are not applied; where the engine does not know it yet, how many were changed."""
        task = self._newest()
        if task.unapplied is not None or not task.capabilities.diff:
            return task.unapplied or 0
        try:
            return len(self._session.client.diff(task.id).files)
        except TasksError as error:
            raise Conflict(
                f"It cannot be told whether {task.name} has changes that were not applied.",
                detail=error.message,
                hint=_FORCE,
            ) from None
