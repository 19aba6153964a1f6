"""``TaskHandle``: one task, in a notebook or a console.

Owns the Python face of a task: what can be asked and told, waiting (blocking and ``await``), and what is displayed. A
handle holds an id and the last answer; the truth is the engine's, and the properties that change ask for it each time.
The card it shows is ``widgets.TaskWidget``; the text around it ``render``.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Generator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from jupyter_tasks import models
from jupyter_tasks.errors import NotFound, TasksError
from jupyter_tasks.notebook import render
from jupyter_tasks.notebook.handle_daily import DailyWork
from jupyter_tasks.notebook.handle_session import Session, session
from jupyter_tasks.notebook.render_views import Diff, Logs, Messages

if TYPE_CHECKING:
    from jupyter_tasks.notebook.widgets import TaskWidget

__all__ = ["Preview", "TaskHandle", "WaitInterrupted"]

_WAKE = 0.25  # seconds


class WaitInterrupted(KeyboardInterrupt):
    """The user interrupted the waiting; the task goes on. IPython shows its sentence and no traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class Preview:
    """Where an app of a task is to be seen. Its address is a secret: it is in ``url``, in no repr and no output."""

    def __init__(self, task: str, answer: models.PreviewResponse) -> None:
        self.app = answer.app
        self.expires_at: datetime = answer.expires_at
        self.url = answer.url or answer.path
        self._task = task

    def open(self) -> bool:
        """Show it in a browser on this machine; False: there is none."""
        import webbrowser

        return webbrowser.open(self.url)

    def __repr__(self) -> str:
        return f"<Preview of app {self.app!r} of task {self._task!r}: .open() shows it, .url is its (secret) address>"


class TaskHandle(DailyWork):
    """A task.

    Args:
        task: a task as the client returned it; or its name, ``owner/name`` or UUID, then it is fetched.
        session: where its engine is; else this kernel's own.

    Raises: NotFound; EngineUnavailable; VersionMismatch (so does everything that asks the engine).
    """

    def __init__(self, task: models.Task | str, *, session: Session | None = None) -> None:
        self._session = session or _own_session()
        self._task = self._session.client.get(task) if isinstance(task, str) else task
        self._deleted = False
        self._stat = ""
        self._widget: TaskWidget | None = None

    # ------------------------------------------------------------ what it is

    @property
    def id(self) -> str:
        """Its UUID."""
        return self._task.id

    @property
    def name(self) -> str:
        """Its name, as shells and URLs have it."""
        return self._task.name

    @property
    def display_name(self) -> str:
        """Its title."""
        return self._task.display_name

    @property
    def status(self) -> str:
        """What the infrastructure says: pending, initializing, active, paused, unknown or error."""
        return self.refresh()._task.status.value

    @property
    def state(self) -> str | None:
        """What the agent says: working, idle, complete or failure; None before it said anything."""
        current = self.refresh()._task.current_state
        return current.state.value if current else None

    @property
    def summary(self) -> str:
        """One plain word: Starting, Working, Needs you, Ready to review, Idle, Paused or Failed."""
        return self.refresh()._task.summary.value

    @property
    def attention(self) -> models.Attention | None:
        """What the agent waits for, if it waits for you."""
        return self.refresh()._task.attention

    @property
    def snapshot(self) -> models.Task:
        """Everything, as last heard; ``refresh()`` first for the newest."""
        return self._task

    def refresh(self) -> TaskHandle:
        """Ask the engine now."""
        self._task = self._session.client.get(self.id)
        return self

    # ------------------------------------------------------------ conversation and results

    def messages(self) -> Messages:
        """The conversation so far."""
        return Messages(self._session.client.messages(self.id))

    def send(self, text: str, *, key: str | None = None) -> TaskHandle:
        """Say something to the agent. With the same ``key`` it is said once, however often it is sent."""
        self._session.client.send(self.id, text, key=key)
        return self

    def interrupt(self) -> bool:
        """End the agent's turn. False: none was running."""
        return self._session.client.interrupt(self.id)

    def diff(self) -> Diff:
        """What the agent changed since the workspace began."""
        diff = Diff.model_validate(self._session.client.diff(self.id).model_dump())
        self._stat = render.stat_words(len(diff.files), diff.additions, diff.deletions)
        return diff

    def logs(self, kind: str = "chat") -> Logs:
        """Logs: "chat", "build", "script" or "agent"."""
        return Logs(self._session.client.logs(self.id, kind).logs)

    def preview(self, app: str | None = None) -> Preview:
        """Mint an address for an app (default: the one called preview). Display the handle to see it inline."""
        return Preview(self.name, self._session.client.preview(self.id, app, origin=True))

    # ------------------------------------------------------------ lifecycle

    def pause(self) -> TaskHandle:
        """Stop the workspace; its files stay. Returns at once."""
        self._session.client.pause(self.id)
        return self

    def resume(self) -> TaskHandle:
        """Start the workspace again. Returns at once."""
        self._session.client.resume(self.id)
        return self

    def delete(self, *, force: bool = False) -> None:
        """Delete the task and its workspace; the latter goes on in the background.

        Raises: Conflict while changes of it were not applied, unless ``force``.
        """
        if not force:
            self._keep_unapplied()
        self._session.client.delete(self.id)
        self._deleted = True

    def wait(self, timeout: float | None = None) -> TaskHandle:
        """Wait until the agent is idle, complete, failed or needs you; at most ``timeout`` seconds.

        Interrupting the kernel ends the waiting and this cell, not the task.
        Raises: TimeoutError; WaitInterrupted (a KeyboardInterrupt); NotFound when it was deleted meanwhile.
        """
        try:
            self._task = self._session.client.wait(self.id, timeout=timeout)
        except KeyboardInterrupt:
            raise WaitInterrupted(self._still_runs()) from None
        return self

    def __await__(self) -> Generator[Any, None, TaskHandle]:
        """``await task`` is ``wait()`` for event loops: nothing is blocked."""
        return self._waited().__await__()

    async def _waited(self) -> TaskHandle:
        async with self._session.connect() as client:
            waiting = asyncio.ensure_future(client.wait(self.id))
            try:
                # ipykernel notes an interrupt without waking the loop: it would be heard at the next event only
                while not (await asyncio.wait({waiting}, timeout=_WAKE))[0]:
                    pass
            except asyncio.CancelledError as cancelled:
                sentence = self._still_runs()
                cancelled._render_traceback_ = lambda: [sentence]  # type: ignore[attr-defined]
                raise
            finally:
                waiting.cancel()
                await asyncio.wait({waiting})
            self._task = waiting.result()
        return self

    def _still_runs(self) -> str:
        return f"Stopped waiting; task {self.name} goes on."

    # ------------------------------------------------------------ display

    @property
    def widget(self) -> TaskWidget:
        """The live card: an ordinary ipywidget, the same at each call."""
        if self._widget is None or self._widget.comm is None:
            from jupyter_tasks.notebook.widgets import TaskWidget

            self._widget = TaskWidget(self._task, session=self._session)
        return self._widget

    def __repr__(self) -> str:
        word = "Deleted" if self._deleted else self._task.summary.value
        return f"<TaskHandle {self.name!r}: {word}>"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The card, where a kernel can carry it, with plain text and escaped HTML beside it. Never fails."""
        word, stat = self._latest_word(), self._known_stat()
        data: dict[str, Any] = {
            "text/plain": render.task_text(self._task, summary=word, stat=stat),
            "text/html": render.task_html(self._task, summary=word, stat=stat),
        }
        if _in_kernel():
            view, _metadata = self.widget._repr_mimebundle_() or ({}, {})
            data = {**view, **data}
        return data, {}

    def _latest_word(self) -> str:
        """The summary word; asks the engine, and takes the last known one when that fails."""
        if not self._deleted:
            try:
                self.refresh()
            except NotFound:
                self._deleted = True
            except TasksError as error:
                sys.stderr.write(f"{error}\n")
        return "Deleted" if self._deleted else self._task.summary.value

    def _known_stat(self) -> str:
        """The diff in a phrase, as far as it is known: reading it may take long, and nobody asked for it here."""
        stat = self._widget.diff_stat if self._widget is not None else {}
        return render.stat_words(**stat) if stat else self._stat


def _own_session() -> Session:
    return session()


def _in_kernel() -> bool:
    """Whether a front end may be listening: a terminal cannot show widgets, and making one costs a second."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None
