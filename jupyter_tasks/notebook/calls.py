"""Every call of the HTTP API, described once.

Owns method, path, body and answer type of each route, and whether it may be repeated; ``Client`` and ``AsyncClient``
only carry these out. A task is named as in Coder: a UUID, ``name`` (of one's own) or ``owner/name``. Nothing here
touches the network, and ``models`` (pydantic) is loaded only when the first answer is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast
from urllib.parse import quote
from uuid import uuid4

from jupyter_tasks.errors import InvalidInput, VersionMismatch

if TYPE_CHECKING:
    from jupyter_tasks import models

__all__ = ["Call", "decode", "task_path"]

T = TypeVar("T")

_QUICK = 30.0
_LONG = 240.0  # a whole project is read or written; a Jupyter server before the engine waits longer still
_SLOW = 90.0  # diff and send reach into the workspace; the engine gives up on that before we give up on the engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """One request. ``answer`` names a class of ``models`` ("" = the answer has no body); ``many``: a list of it."""

    method: str
    path: str
    answer: str = ""
    many: bool = False
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = field(default=None, repr=False)  # it may hold a secret
    repeatable: bool = False
    """The same call twice has the effect of one: it is sent again when the engine was restarted meanwhile."""
    timeout: float = _QUICK
    """Seconds until we stop waiting for the answer."""


def decode(call: Call[T], raw: bytes) -> T:
    """The answer to ``call``.

    Raises: VersionMismatch when the far end speaks another language.
    """
    if not call.answer:
        return cast("T", None)
    import pydantic

    from jupyter_tasks import models

    try:
        if call.answer == "json":
            return cast("T", pydantic.TypeAdapter(dict[str, Any]).validate_json(raw))
        kind: Any = getattr(models, call.answer)
        return cast("T", pydantic.TypeAdapter(list[kind] if call.many else kind).validate_json(raw))
    except pydantic.ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise VersionMismatch(
            f"The answer to {call.method} {call.path} is not what this version of Jupyter Tasks understands.",
            detail=f"{place}: {first['msg']}" if place else first["msg"],
            hint="Install the same version of jupyter-tasks here and where the engine runs, then restart the kernel.",
        ) from None


def task_path(task: str) -> str:
    """The path of a task given as UUID, ``name`` or ``owner/name``.

    Raises: InvalidInput when it is none of them.
    """
    parts = task.strip().split("/")
    if len(parts) > 2 or not all(parts):
        raise InvalidInput(
            f'invalid task identifier: "{task}"', hint="Give a task's name, owner/name or UUID (`jupyter tasks list`)."
        )
    owner, name = parts if len(parts) == 2 else ("me", parts[0])
    return f"tasks/{_word(owner)}/{_word(name)}"


def buildinfo() -> Call[models.BuildInfo]:
    return Call(method="GET", path="buildinfo", answer="BuildInfo", repeatable=True)


def list_tasks(query: str) -> Call[models.TasksListResponse]:
    terms = {"q": query} if query else {}
    return Call(method="GET", path="tasks", answer="TasksListResponse", query=terms, repeatable=True)


def create(user: str, request: models.CreateTaskRequest) -> Call[models.Task]:
    body = request.model_dump(mode="json", exclude_none=True)
    body.setdefault("idempotency_key", str(uuid4()))
    return Call(method="POST", path=f"tasks/{_word(user)}", answer="Task", body=body, repeatable=True, timeout=_SLOW)


def get(task: str) -> Call[models.Task]:
    return Call(method="GET", path=task_path(task), answer="Task", repeatable=True)


def delete(task: str) -> Call[None]:
    return Call(method="DELETE", path=task_path(task))


def update_input(task: str, text: str) -> Call[None]:
    return Call(method="PATCH", path=f"{task_path(task)}/input", body={"input": text}, repeatable=True)


def send(task: str, text: str, key: str | None) -> Call[None]:
    body = {"input": text, "key": key or str(uuid4())}
    return Call(method="POST", path=f"{task_path(task)}/send", body=body, repeatable=True, timeout=_SLOW)


def interrupt(task: str) -> Call[models.InterruptResponse]:
    return Call(method="POST", path=f"{task_path(task)}/interrupt", answer="InterruptResponse", timeout=_SLOW)


def pause(task: str) -> Call[models.PauseTaskResponse]:
    return Call(method="POST", path=f"{task_path(task)}/pause", answer="PauseTaskResponse")


def resume(task: str) -> Call[models.ResumeTaskResponse]:
    return Call(method="POST", path=f"{task_path(task)}/resume", answer="ResumeTaskResponse")


def messages(task: str) -> Call[models.MessagesResponse]:
    return Call(method="GET", path=f"{task_path(task)}/messages", answer="MessagesResponse", repeatable=True)


def logs(task: str, kind: str) -> Call[models.TaskLogsResponse]:
    query = {"kind": kind}
    return Call(method="GET", path=f"{task_path(task)}/logs", answer="TaskLogsResponse", query=query, repeatable=True)


def builds(task: str) -> Call[list[models.WorkspaceBuild]]:
    return Call(method="GET", path=f"{task_path(task)}/builds", answer="WorkspaceBuild", many=True, repeatable=True)


def diff(task: str) -> Call[models.DiffResponse]:
    return Call(method="GET", path=f"{task_path(task)}/diff", answer="DiffResponse", repeatable=True, timeout=_SLOW)


def answer(task: str, option: str, question: str | None = None) -> Call[None]:
    # not repeated: the agent may ask the next thing by then, with an option of the same name
    body = {"option": option} if question is None else {"option": option, "question": question}
    return Call(method="POST", path=f"{task_path(task)}/answer", body=body, timeout=_SLOW)


def survey(request: models.ProjectRequest) -> Call[models.ProjectInfo]:
    body = request.model_dump(mode="json", exclude_none=True)
    return Call(method="POST", path="project", answer="ProjectInfo", body=body, repeatable=True, timeout=_LONG)


def apply(task: str, request: models.ApplyRequest) -> Call[models.ApplyResponse]:
    body = request.model_dump(mode="json", exclude_none=True)
    # looking twice is looking once; applying twice is not
    return Call(
        method="POST",
        path=f"{task_path(task)}/apply",
        answer="ApplyResponse",
        body=body,
        repeatable=request.dry_run,
        timeout=_LONG,
    )


def undo(task: str) -> Call[models.UndoResponse]:
    return Call(method="POST", path=f"{task_path(task)}/undo", answer="UndoResponse", timeout=_LONG)


def keys() -> Call[models.KeysResponse]:
    return Call(method="GET", path="keys", answer="KeysResponse", repeatable=True)


def put_key(provider: str, request: models.PutKeyRequest) -> Call[models.Key]:
    body = request.model_dump(mode="json", exclude_none=True) | {"secret": request.secret.get_secret_value()}
    return Call(method="PUT", path=f"keys/{_word(provider)}", answer="Key", body=body, repeatable=True)


def delete_key(provider: str) -> Call[None]:
    return Call(method="DELETE", path=f"keys/{_word(provider)}")


def test_key(provider: str) -> Call[models.KeyTestResponse]:
    path = f"keys/{_word(provider)}/test"
    return Call(method="POST", path=path, answer="KeyTestResponse", repeatable=True, timeout=_SLOW)


def prune(request: models.PruneRequest) -> Call[models.PruneResponse]:
    body = request.model_dump(mode="json", exclude_none=True)
    # a second one would answer that there was nothing to delete
    return Call(
        method="POST", path="prune", answer="PruneResponse", body=body, repeatable=request.dry_run, timeout=_LONG
    )


def revoke_previews(task: str) -> Call[None]:
    return Call(method="DELETE", path=f"{task_path(task)}/preview", repeatable=True)


def preview(task: str, app: str | None, origin: bool) -> Call[models.PreviewResponse]:
    body: dict[str, Any] = {"origin": origin}
    if app is not None:
        body["app"] = app
    # one capability more is harmless: it ends with the others
    return Call(method="POST", path=f"{task_path(task)}/preview", answer="PreviewResponse", body=body, repeatable=True)


def terminal(task: str, offset: int, follow: bool) -> Call[None]:
    query = {"offset": str(offset), "follow": "true" if follow else "false"}
    return Call(method="GET", path=f"{task_path(task)}/terminal", query=query)


def type_terminal(task: str, request: models.TerminalInput) -> Call[models.TerminalInputResponse]:
    body = request.model_dump(mode="json", exclude_none=True)
    if request.data is not None:
        body.setdefault("key", str(uuid4()))
    return Call(
        method="POST",
        path=f"{task_path(task)}/terminal",
        answer="TerminalInputResponse",
        body=body,
        repeatable=True,
    )


def events(task: str | None) -> Call[None]:
    return Call(method="GET", path="events" if task is None else f"{task_path(task)}/events")


def usage() -> Call[models.UsageResponse]:
    return Call(method="GET", path="usage", answer="UsageResponse", repeatable=True)


def templates() -> Call[models.TemplatesResponse]:
    return Call(method="GET", path="templates", answer="TemplatesResponse", repeatable=True)


def template(name: str) -> Call[models.Template]:
    return Call(method="GET", path=f"templates/{_word(name)}", answer="Template", repeatable=True)


def doctor() -> Call[dict[str, Any]]:
    return Call(method="GET", path="engine/doctor", answer="json", repeatable=True, timeout=_SLOW)


def handover() -> Call[None]:
    return Call(method="POST", path="engine/handover")


def _word(text: str) -> str:
    return quote(text, safe="")
