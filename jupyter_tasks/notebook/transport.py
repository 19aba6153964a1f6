"""What both clients do the same way with httpx: build a request, read a refusal, name a failure, decide on a retry.

Owns the table from error codes back to error classes. Not the calls (``calls``) nor the sending (``client``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jupyter_tasks._version import __version__
from jupyter_tasks.errors import (
    AgentError,
    Conflict,
    EngineUnavailable,
    FieldError,
    Forbidden,
    InvalidInput,
    LimitReached,
    LinkLost,
    NotFound,
    TasksError,
    VersionMismatch,
)
from jupyter_tasks.notebook.calls import Call
from jupyter_tasks.notebook.discovery import Connection, engine_answers

if TYPE_CHECKING:
    import httpx

__all__ = [
    "PAUSE",
    "again",
    "ended",
    "failures",
    "look",
    "refusal",
    "request_arguments",
    "settings",
    "terminal_head",
    "timeouts",
    "unknown_outcome",
]

WIRE_HEADER = "Jupyter-Tasks-Wire"
PAUSE = 0.5  # seconds before a call is made again where we cannot wait for the engine's start ourselves
_CONNECT = 5.0  # seconds
_HINT = "`jupyter tasks doctor` says what is wrong."
_LONGEST_TEXT = 4000  # characters of an error body that is not ours


class _NotSent(EngineUnavailable):
    """Nobody was there to take the request: it had no effect, so any call may be made again."""


def error_classes() -> dict[str, type[TasksError]]:
    """The class of every ``code`` that a body can carry."""
    found: dict[str, type[TasksError]] = {}
    stack: list[type[TasksError]] = [TasksError]
    while stack:
        kind = stack.pop()
        found.setdefault(kind.default_code, kind)
        stack += [sub for sub in kind.__subclasses__() if sub.__module__ == TasksError.__module__]
    return found


_CLASSES = error_classes()
_BY_STATUS: dict[int, type[TasksError]] = {
    400: InvalidInput,
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    405: NotFound,
    409: Conflict,
    422: InvalidInput,
    429: LimitReached,
    502: AgentError,
    503: EngineUnavailable,
    504: EngineUnavailable,
}


def settings(connection: Connection) -> dict[str, Any]:
    """Keyword arguments of both httpx clients. No redirect is followed: a token goes nowhere but where it was meant."""
    from jupyter_tasks.models import WIRE

    headers = {
        WIRE_HEADER: str(WIRE),
        "User-Agent": f"jupyter-tasks/{__version__}",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
    }
    if connection.token:
        headers["Authorization"] = f"token {connection.token}"
    # only an address that the user named may lie behind a proxy of the environment
    return {
        "base_url": f"{connection.base}api/v2/",
        "headers": headers,
        "trust_env": connection.kind == "url" and connection.socket is None,
        "follow_redirects": False,
    }


def timeouts(read: float | None) -> httpx.Timeout:
    """Seconds for each part of a call; ``read`` for the answer (None: as long as it takes)."""
    import httpx

    return httpx.Timeout(read, connect=_CONNECT, pool=_CONNECT)


def request_arguments(call: Call[Any]) -> dict[str, Any]:
    """Keyword arguments of ``build_request`` for a call."""
    arguments: dict[str, Any] = {
        "method": call.method,
        "url": call.path,
        "params": dict(call.query) or None,
        "timeout": timeouts(call.timeout),
    }
    if call.body is not None:
        arguments["json"] = dict(call.body)
    return arguments


def look(connection: Connection) -> None:
    """Before a blocking request: nobody at the socket is found out here, as httpcore leaves a failed connect's open.

    Raises: EngineUnavailable.
    """
    if connection.socket is not None and not engine_answers(connection.socket):
        raise _not_sent(connection)


@contextmanager
def failures(connection: Connection) -> Iterator[None]:
    """httpx's exceptions as ours.

    Raises: EngineUnavailable, InvalidInput.
    """
    import httpx

    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
        raise _not_sent(connection) from None
    except httpx.TimeoutException:
        raise EngineUnavailable(f"The engine at {connection.where} did not answer in time.", hint=_HINT) from None
    except httpx.TransportError as error:
        raise EngineUnavailable(
            f"The connection to the engine at {connection.where} broke.", detail=type(error).__name__, hint=_HINT
        ) from None
    except httpx.InvalidURL:
        raise InvalidInput(f"{connection.where} is not an address.", hint="Look at JUPYTER_TASKS_URL.") from None


def again(call: Call[Any], error: TasksError) -> bool:
    """Whether ``call`` may be made once more after ``error``."""
    if isinstance(error, _NotSent):
        return True
    return call.repeatable and isinstance(error, EngineUnavailable | LinkLost)


@contextmanager
def unknown_outcome(task: str, what: str, *, known: bool = False) -> Iterator[None]:
    """Around a call that changes the user's files and is not repeated: says how to find out what became of it.
    ``known``: nothing is changed after all, so there is nothing to find out.

    Raises: EngineUnavailable.
    """
    try:
        yield
    except EngineUnavailable as error:
        if known or isinstance(error, _NotSent):
            raise
        raise EngineUnavailable(
            error.message,
            detail=f"It is not known whether {what} was done; it was done whole or not at all.",
            hint=f"`jupyter tasks status {task} -c name,unapplied` shows what is not applied, "
            f"`jupyter tasks apply {task} --undo` takes the newest apply back.",
        ) from None


def refusal(status: int, raw: bytes, connection: Connection) -> TasksError:
    """The error that the engine (or the Jupyter server before it) answered with, as the class it was there."""
    body = _object(raw)
    text = body.get("message")
    message = text if isinstance(text, str) and text else f"HTTP {status} from {connection.where}."
    code = body.get("code")
    if not isinstance(code, str):
        return _foreign(status, message, connection)
    kind = _CLASSES.get(code) or _BY_STATUS.get(status, TasksError)
    retryable = body.get("retryable")
    return kind(
        message=message,
        hint=_text(body, "hint"),
        detail=_text(body, "detail"),
        code=code,
        retryable=retryable if isinstance(retryable, bool) else None,
        validations=tuple(_fields(body.get("validations"))),
    )


def _foreign(status: int, message: str, connection: Connection) -> TasksError:
    """An answer that is not of our making: a Jupyter server, a proxy, a login page."""
    if status in {301, 302, 303, 307, 308, 401, 403}:
        return Forbidden(
            f"The Jupyter server at {connection.base} wants a login.",
            hint="Set JUPYTER_TASKS_TOKEN to its token (`jupyter server list`).",
        )
    if status == 404 and connection.kind != "socket":
        return EngineUnavailable(
            f"There is no Jupyter Tasks at {connection.base}.",
            hint="Install jupyter-tasks where that Jupyter server runs, then restart it.",
            retryable=False,
        )
    kind = _BY_STATUS.get(status, TasksError)
    return kind(message[:_LONGEST_TEXT], detail=f"HTTP {status}")


def _not_sent(connection: Connection) -> EngineUnavailable:
    return _NotSent(f"The engine does not answer at {connection.where}.", hint=_HINT)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except ValueError:  # a page of HTML, half an answer, bytes that are no text
        return {}
    return value if isinstance(value, dict) else {}


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def _fields(value: object) -> Iterator[FieldError]:
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict):
            yield FieldError(_text(item, "field"), _text(item, "detail"))


def ended(connection: Connection) -> TasksError:
    """What to call the end of a stream that has no end of its own."""
    return EngineUnavailable(f"The engine at {connection.where} closed the stream of events.")


def terminal_head(response: httpx.Response) -> tuple[int, int, int]:
    """Offset, columns and rows of a terminal's answer.

    Raises: VersionMismatch when it does not say.
    """
    try:
        offset, cols, rows = (int(response.headers[f"X-Terminal-{name}"]) for name in ("Offset", "Cols", "Rows"))
    except (KeyError, ValueError):
        raise VersionMismatch(
            "The terminal came without its offset and size.",
            hint="Install the same version of jupyter-tasks here and where the engine runs.",
        ) from None
    return offset, cols, rows
