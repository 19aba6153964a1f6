"""Logs of a task: the conversation, or the lines of builds, scripts and the agent (``?kind=``)."""

from __future__ import annotations

from jupyter_tasks.errors import FieldError, InvalidInput
from jupyter_tasks.models import LogKind
from jupyter_tasks.server.handlers.base import ApiHandler

__all__ = ["LogsHandler"]


class LogsHandler(ApiHandler):
    """Coder's ``logs``; ``kind`` is an addition, "chat" by default."""

    path = "/api/v2/tasks/{user}/{task}/logs"

    async def get(self, user: str, task: str) -> None:
        text = self.get_query_argument("kind", LogKind.chat.value)
        try:
            kind = LogKind(text)
        except ValueError:
            known = ", ".join(each.value for each in LogKind)
            raise InvalidInput(
                f'There are no logs of kind "{text[:64]}".',
                hint=f"Kinds are {known}.",
                validations=(FieldError("kind", f"must be one of {known}"),),
            ) from None
        await self.answer(await self.tasks.logs(self.owner(user), task, kind))
