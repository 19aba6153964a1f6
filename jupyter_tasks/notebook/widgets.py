"""``TaskWidget``: a task as a live card, an ordinary ipywidget (nest it in ``VBox``, ``observe`` it).

The contract, which outlives the face that ``static/task.js`` gives it:

Traits, all set by the kernel only (a front end never writes one):

    task       dict     id, name, display_name, template_name, template_display_name, status, summary, created_at,
                        updated_at, reason, queue_position, capabilities, isolation, unapplied, apps; no prompt, no
                        parameters, no project: widget state may be saved with a notebook
    messages   list     wire ``Message`` objects, the newest that fit into 64 kB of text
    cut        int      how many older messages were left out
    status     str      ``TaskStatus``
    state      str      ``TaskState``, "" before the agent said anything
    summary    str      one plain word; "Deleted" when the task is gone
    since      str      since when (ISO 8601), ""
    attention  dict     ``Attention``, {} when the agent does not wait for the user
    diff_stat  dict     {files, additions, deletions}, {} when not known
    usage      dict     {cost, usage, budget} as on the wire; {} while nothing is known of them
    problem    str      why the card is not live at the moment, "" when it is

Messages from the front end (custom, answered off the main thread; ``send`` with the same ``key`` is said once):

    {kind: "tasks:do", id, action, key, text?, app?,     action: send, press (text = keys for the agent's terminal),
     option?, question?}                                 answer (option = an id of attention.options, question =
                                                         attention.id), interrupt, pause, resume, preview, refresh
    {kind: "tasks:done", id, ok, error?, hint?, value?}  the answer; ``preview``'s value is {url, expires_at}

A preview's address is a secret: it only ever is in such an answer, never in a trait. Observers run in the follower's
thread. Where the page can reach a Jupyter server, the front end calls ``<baseUrl>jupyter-tasks/api/v2`` itself and no
message is sent: nothing that the user clicks then waits for a busy kernel.
"""

from __future__ import annotations

import base64
import pathlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from jupyter_tasks import models
from jupyter_tasks.errors import InvalidInput, TasksError
from jupyter_tasks.notebook.follower import Change

if TYPE_CHECKING:
    from jupyter_tasks.notebook.client import AsyncClient
    from jupyter_tasks.notebook.handle_session import Session

__all__ = ["TaskWidget", "snapshot"]

_STATIC = pathlib.Path(__file__).parent / "static"
_TASK_FIELDS = {
    "id", "name", "display_name", "template_name", "template_display_name", "status", "summary", "created_at",
    "updated_at", "reason", "queue_position", "capabilities", "isolation", "unapplied",
}  # fmt: skip
_APP_FIELDS = {"slug", "display_name", "health", "hidden"}
_TEXT_IN_ALL = 64_000  # characters of messages that a card carries
_LONGEST_TEXT = 16_000  # of one text in it


class TaskWidget(anywidget.AnyWidget):
    """The live card of one task. ``session``: where its engine is."""

    _esm = _STATIC / "task.js"
    _css = _STATIC / "task.css"

    task = traitlets.Dict().tag(sync=True)
    messages: traitlets.List[Any] = traitlets.List().tag(sync=True)
    cut = traitlets.Int(0).tag(sync=True)
    status = traitlets.Unicode("").tag(sync=True)
    state = traitlets.Unicode("").tag(sync=True)
    summary = traitlets.Unicode("").tag(sync=True)
    since = traitlets.Unicode("").tag(sync=True)
    attention = traitlets.Dict().tag(sync=True)
    diff_stat = traitlets.Dict().tag(sync=True)
    usage = traitlets.Dict().tag(sync=True)
    problem = traitlets.Unicode("").tag(sync=True)

    def __init__(self, task: models.Task, *, session: Session, **kwargs: Any) -> None:
        self.task_id = task.id
        self._session = session
        super().__init__(**_task_traits(task), **kwargs)
        self.on_msg(self._heard)
        session.follower.add(self)

    def show(self, change: Change) -> None:
        """Take in what is new, in one message to the front end. Called in the follower's thread."""
        if self.comm is None:
            self._session.follower.remove(self)
            return
        with self.hold_sync():
            for name, value in _traits(change).items():
                self.set_trait(name, value)

    def close(self) -> None:
        """Take the card off the page; the task goes on."""
        self._session.follower.remove(self)
        super().close()

    def _heard(self, _: object, content: Any, __: object) -> None:
        """A front end wants something: hand it to the follower's thread and come back at once."""
        if not isinstance(content, dict) or content.get("kind") != "tasks:do":
            return
        request = dict(content)

        async def job(client: AsyncClient) -> None:
            answer = await _answer(client, self.task_id, request)
            if self.comm is not None:
                self.send({"kind": "tasks:done", "id": request.get("id"), **answer})

        if not self._session.follower.submit(job):
            self.send({"kind": "tasks:done", "id": request.get("id"), "ok": False, "error": "Too much at once."})


async def _answer(client: AsyncClient, task: str, request: dict[str, Any]) -> dict[str, Any]:
    """What becomes of one ``tasks:do``."""
    try:
        action = _ACTIONS.get(str(request.get("action")))
        if action is None:
            raise InvalidInput("This card asked for something that the kernel's version does not know.")
        return {"ok": True, "value": await action(client, task, request)}
    except TasksError as error:
        return {"ok": False, "error": " ".join(p for p in (error.message, error.detail) if p), "hint": error.hint}


async def _send(client: AsyncClient, task: str, request: dict[str, Any]) -> None:
    key = request.get("key")
    await client.send(task, str(request.get("text", "")), key=str(key) if key else None)


async def _press(client: AsyncClient, task: str, request: dict[str, Any]) -> None:
    data = base64.b64encode(str(request.get("text", "")).encode()).decode()
    key = request.get("key")
    await client.type_terminal(task, models.TerminalInput(data=data, key=str(key) if key else None))


async def _choose(client: AsyncClient, task: str, request: dict[str, Any]) -> None:
    question = request.get("question")
    await client.answer(task, str(request.get("option", "")), str(question) if question else None)


async def _interrupt(client: AsyncClient, task: str, _: dict[str, Any]) -> bool:
    return await client.interrupt(task)


async def _pause(client: AsyncClient, task: str, _: dict[str, Any]) -> None:
    await client.pause(task)


async def _resume(client: AsyncClient, task: str, _: dict[str, Any]) -> None:
    await client.resume(task)


async def _preview(client: AsyncClient, task: str, request: dict[str, Any]) -> dict[str, str]:
    app = request.get("app")
    answer = await client.preview(task, str(app) if app else None, origin=True)
    return {"url": answer.url or "", "expires_at": answer.expires_at.isoformat()}


async def _refresh(client: AsyncClient, task: str, _: dict[str, Any]) -> None:
    await client.get(task)


_ACTIONS: dict[str, Callable[[AsyncClient, str, dict[str, Any]], Awaitable[object]]] = {
    "send": _send,
    "press": _press,
    "answer": _choose,
    "interrupt": _interrupt,
    "pause": _pause,
    "resume": _resume,
    "preview": _preview,
    "refresh": _refresh,
}


def snapshot(task: models.Task) -> dict[str, Any]:
    """What a card may carry of a task: no prompt, no parameters, no addresses."""
    found = task.model_dump(mode="json", include=_TASK_FIELDS)
    found["apps"] = [app.model_dump(mode="json", include=_APP_FIELDS) for app in task.apps if not app.hidden]
    return found


def _traits(change: Change) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if change.task is not None:
        found |= _task_traits(change.task)
    if change.messages is not None:
        found["messages"], found["cut"] = _newest(change.messages)
    if change.diff is not None:
        diff = change.diff
        found["diff_stat"] = {"files": len(diff.files), "additions": diff.additions, "deletions": diff.deletions}
    if change.deleted:
        found |= {"summary": "Deleted", "attention": {}}
    if change.problem is not None:
        found["problem"] = change.problem
    return found


def _task_traits(task: models.Task) -> dict[str, Any]:
    whole = task.model_dump(mode="json", include={"since", "attention", "cost", "usage", "budget"})
    return {
        "task": snapshot(task),
        "status": task.status.value,
        "state": task.current_state.state.value if task.current_state else "",
        "summary": task.summary.value,
        "since": whole["since"] or "",
        "attention": whole["attention"] or {},
        "usage": {k: v for k in ("cost", "usage", "budget") if (v := whole[k]) is not None},
    }


def _newest(messages: tuple[models.Message, ...]) -> tuple[list[dict[str, Any]], int]:
    """The newest messages that fit, oldest first, and how many did not."""
    kept: list[dict[str, Any]] = []
    room = _TEXT_IN_ALL
    for message in reversed(messages):
        whole = _bounded(message.model_dump(mode="json"))
        room -= len(str(whole))
        if room < 0 and kept:
            break
        kept.append(whole)
    return kept[::-1], len(messages) - len(kept)


def _bounded(value: Any) -> Any:
    """The same JSON value with every long text cut."""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_TEXT else value[:_LONGEST_TEXT] + "… [cut]"
    if isinstance(value, list):
        return [_bounded(item) for item in value[:200]]
    if isinstance(value, dict):
        return {key: _bounded(item) for key, item in value.items()}
    return value
