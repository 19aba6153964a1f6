"""What all handlers of the engine's API share: bodies in, bodies out, errors, the version of the wire.

Owns the limits of a request's body and the meaning of ``{user}``. Authentication is not here: the socket is the
user's own (0600, peer checked), and a Jupyter server in front has its own (``extension``).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

import pydantic
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler, stream_request_body

from jupyter_tasks import errors
from jupyter_tasks.errors import FieldError, InvalidInput, NotFound, TasksError, VersionMismatch
from jupyter_tasks.models import WIRE, WIRE_OLDEST, ErrorBody
from jupyter_tasks.server.context import Context
from jupyter_tasks.server.errors import error_body, internal_body, sole, status_of

__all__ = ["LARGEST_BODY", "WIRE_HEADER", "ApiHandler"]

M = TypeVar("M", bound=pydantic.BaseModel)

WIRE_HEADER = "Jupyter-Tasks-Wire"
LARGEST_BODY = 4 * 1024 * 1024  # bytes; a prompt of 10,000 long lines fits
_LARGEST_NUMBER = 2**53  # what JSON's readers agree upon

log = logging.getLogger(__name__)


@stream_request_body
class ApiHandler(RequestHandler):
    """Base of one resource. ``path`` is its route as in OpenAPI: ``{name}`` is one segment, ``{name*}`` the rest."""

    path: ClassVar[str]
    checks_wire: ClassVar[bool] = True

    def initialize(self, context: Context) -> None:
        self.context = context
        self.tasks = context.tasks
        self._received = bytearray()
        self._too_large = False
        self._reference = ""

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        self.set_header(WIRE_HEADER, str(WIRE))
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")

    async def prepare(self) -> None:
        spoken = self.request.headers.get(WIRE_HEADER)
        if spoken is not None and self.checks_wire:
            _check_wire(spoken)

    def data_received(self, chunk: bytes) -> None:
        # what is too large is read to its end and dropped, so that the client hears why
        if len(self._received) + len(chunk) > LARGEST_BODY:
            self._too_large = True
            self._received.clear()
        elif not self._too_large:
            self._received += chunk

    def compute_etag(self) -> None:
        """No hash over every answer: nothing here is cached."""

    # ------------------------------------------------------------ requests

    def raw_body(self) -> bytes:
        """The request's body. Raises: InvalidInput when it was larger than ``LARGEST_BODY``."""
        if self._too_large:
            raise InvalidInput(
                "The request body is too large.",
                detail=f"The most is {LARGEST_BODY} bytes.",
                hint="Shorten the prompt, or put the text in a file of the project.",
                validations=(FieldError("body", f"longer than {LARGEST_BODY} bytes"),),
            )
        return bytes(self._received)

    def parse(self, model: type[M], *, optional: bool = False) -> M:
        """The request's body as ``model``; without a body its defaults where ``optional``.

        Raises: InvalidInput, with one entry a wrong field.
        """
        raw = self.raw_body()
        if not raw and optional:
            raw = b"{}"
        try:
            return model.model_validate_json(raw)
        except pydantic.ValidationError as error:
            raise _invalid(error) from None

    def number(self, name: str, default: int | None = None) -> int | None:
        """An integer of the query. Raises: InvalidInput."""
        text = self.get_query_argument(name, None)
        return default if text is None or text == "" else parse_number(name, text)

    def flag(self, name: str, default: bool) -> bool:
        """A truth value of the query. Raises: InvalidInput."""
        text = self.get_query_argument(name, "").lower()
        if not text:
            return default
        if text in {"true", "1", "false", "0"}:
            return text in {"true", "1"}
        raise InvalidInput(
            f'Query parameter "{name}" is neither true nor false.',
            validations=(FieldError(name, "must be true or false"),),
        )

    def owner(self, user: str) -> str:
        """Whose tasks ``{user}`` means, as the owner's UUID. Raises: NotFound for anyone but the owner."""
        info = self.context.info()
        if user == "me" or user.lower() in {info.owner_id.lower(), info.owner_name.lower()}:
            return info.owner_id
        raise NotFound("Resource not found or you do not have access to this resource")

    # ------------------------------------------------------------ answers

    async def answer(self, value: pydantic.BaseModel | Sequence[pydantic.BaseModel], status: int = 200) -> None:
        """Finish with a value of the wire."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        if isinstance(value, pydantic.BaseModel):
            await self.finish(value.model_dump_json())
        else:
            await self.finish(f"[{','.join(item.model_dump_json() for item in value)}]")

    async def empty(self, status: int = 204) -> None:
        """Finish without a body."""
        self.set_status(status)
        self.clear_header("Content-Type")
        await self.finish()

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        value = sole(value)
        if isinstance(value, TasksError):
            log.info("%s %s: %s (%s)", self.request.method, self.request.path, value.code, type(value).__name__)
        elif not isinstance(value, HTTPError | StreamClosedError):
            self._reference = secrets.token_hex(4)
            log.error("%s: %s %s failed", self._reference, self.request.method, self.request.path, exc_info=value)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = sole(kwargs.get("exc_info", (None, None, None))[1])
        status, body = self.describe(status_code, error)
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(body.model_dump_json(exclude_none=True))

    def describe(self, status: int, error: BaseException | None) -> tuple[int, ErrorBody]:
        """Status and body for whatever went wrong."""
        if isinstance(error, TasksError):
            return status_of(error), error_body(error)
        if status == 404:
            return 404, ErrorBody(message="Route not found.", code=errors.NotFound.default_code)
        if status == 405:
            return 405, ErrorBody(message=f"{self.request.method} is not allowed here.", code="method_not_allowed")
        if isinstance(error, HTTPError):
            return status, ErrorBody(message=f"{self._reason}.", code=errors.InvalidInput.default_code)
        return 500, internal_body(self._reference)


def parse_number(name: str, text: str) -> int:
    """``text`` as an integer of bearable size. Raises: InvalidInput that names ``name``."""
    try:
        value = int(text)
    except ValueError:
        value = _LARGEST_NUMBER + 1
    if abs(value) > _LARGEST_NUMBER:
        raise InvalidInput(f'"{name}" is not a number.', validations=(FieldError(name, "must be an integer"),))
    return value


def _check_wire(spoken: str) -> None:
    version = parse_number(WIRE_HEADER, spoken)
    if version < WIRE_OLDEST:
        raise VersionMismatch(
            f"This client speaks version {version} of the wire, the engine understands {WIRE_OLDEST} to {WIRE}.",
            hint="Upgrade jupyter-tasks where the client runs, then restart the kernel.",
        )
    if version > WIRE:
        raise VersionMismatch(
            f"This client speaks version {version} of the wire, the engine only understands up to {WIRE}.",
            hint="Upgrade jupyter-tasks where the engine runs (the Jupyter server's environment) and restart it.",
        )


def _invalid(error: pydantic.ValidationError) -> InvalidInput:
    found = error.errors(include_url=False, include_input=False, include_context=False)
    if found and found[0]["type"] == "json_invalid":
        return InvalidInput(
            "Request body must be valid JSON.",
            detail=found[0]["msg"],
            validations=(FieldError("body", found[0]["msg"]),),
        )
    return InvalidInput(
        "Validation failed.",
        validations=tuple(
            FieldError(".".join(str(part) for part in each["loc"]) or "body", each["msg"]) for each in found
        ),
    )
