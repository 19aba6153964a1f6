"""One operation on the link: dial, ask, read the answer.

Owns the request line, the deadline of the answer and what a refusal becomes. Operations are ``connection``'s.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import anyio

from jupyter_tasks.errors import Conflict, InvalidInput, LinkError, LinkLost, LinkViolation, NotFound, VersionMismatch
from jupyter_tasks.workspaces.link_fields import Fields, parse
from jupyter_tasks.workspaces.link_stream import LINE_LIMIT, LinkStream, dial
from jupyter_tasks.workspaces.provisioner import LinkAddress

__all__ = ["GONE", "Caller", "lost", "silent"]

PROTOCOL = 1
DIAL_LIMIT = 5.0

GONE = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


class Caller:
    """Address, token and rules of one link. ``limit``: seconds for an answer that needs no work."""

    def __init__(self, address: LinkAddress, token: str, allow_uids: Collection[int], limit: float) -> None:
        self._address = address
        self._token = token
        self._allow_uids = frozenset(allow_uids)
        self.limit = limit

    async def call(self, op: str, arguments: dict[str, Any], *, limit: float | None = None) -> Fields:
        """An operation that is its answer. Raises: as ``open``."""
        stream, answer = await self.open(op, arguments, limit=limit)
        stream.close()
        return answer

    async def open(
        self, op: str, arguments: dict[str, Any], *, limit: float | None = None
    ) -> tuple[LinkStream, Fields]:
        """An operation whose connection goes on behind its answer; the caller closes it.

        Raises: LinkLost, LinkViolation, VersionMismatch; NotFound, Conflict, LinkError as the agent refuses.
        """
        request = {"v": PROTOCOL, "op": op, "token": self._token, **arguments}
        line = json.dumps(request, separators=(",", ":")).encode() + b"\n"
        if len(line) > LINE_LIMIT:
            raise InvalidInput(
                f"What {op} is asked for is longer than {LINE_LIMIT} bytes.",
                hint="Put long scripts or texts into files of the template.",
            )
        stream = await dial(self._address, self._allow_uids, timeout=min(DIAL_LIMIT, self.limit))
        try:
            await self._ask(stream, op, line)
            return stream, await self.answer(stream, op, limit or self.limit)
        except BaseException:
            stream.close()
            raise

    async def _ask(self, stream: LinkStream, op: str, line: bytes) -> None:
        try:
            with anyio.fail_after(self.limit):
                await stream.send(line)
        except anyio.BrokenResourceError:
            return  # an answer may be there all the same
        except TimeoutError:
            raise silent(op, self.limit) from None

    async def answer(self, stream: LinkStream, op: str, limit: float) -> Fields:
        """The next answer line, within ``limit`` seconds. Raises: as ``open``."""
        try:
            with anyio.fail_after(limit):
                line = await stream.line()
        except TimeoutError:
            raise silent(op, limit) from None
        except GONE:
            raise lost() from None
        if line is None:
            raise lost()
        answer = parse(line)
        if not answer.flag("ok"):
            raise _refusal(op, answer)
        return answer


def lost() -> LinkLost:
    """The agent closed a connection that was not at its end."""
    return LinkLost(
        "The workspace agent closed the connection.", hint="The workspace may have ended; look at its status."
    )


def silent(op: str, limit: float) -> LinkLost:
    """The agent did not answer in time."""
    return LinkLost(f"The workspace agent did not answer {op} within {limit:g} s.", hint="Try again.")


def _refusal(op: str, answer: Fields) -> Exception:
    """The error that a refusal is."""
    error = answer.inner("error")
    if error is None:
        return LinkViolation("The workspace agent refused without saying why.")
    code, detail = error.text("code", 64), error.text("message", 1000, default="")
    if code == "version":
        return VersionMismatch(
            "The workspace agent speaks another version of the link.",
            hint="Pause and resume the task: that starts the workspace with this version's agent.",
        )
    if code == "token":
        return LinkViolation("The workspace agent did not take our token.")
    message = f"The workspace agent refused {op}."
    if code == "not_found":
        return NotFound(message, detail=detail)
    if code == "conflict":
        return Conflict(message, detail=detail)
    return LinkError(message, detail=detail, code=code, retryable=False)
