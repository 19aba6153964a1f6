"""Tasks: list, create, get, delete, and what is done with one. Shapes and codes are Coder's (``/api/v2/tasks``)."""

from __future__ import annotations

from jupyter_tasks import models
from jupyter_tasks.server.handlers.base import ApiHandler

__all__ = [
    "AnswerHandler",
    "BuildsHandler",
    "InputHandler",
    "InterruptHandler",
    "MessagesHandler",
    "PauseHandler",
    "ResumeHandler",
    "SendHandler",
    "TaskHandler",
    "TasksHandler",
    "UserTasksHandler",
]


class TasksHandler(ApiHandler):
    """All tasks that match ``?q=``."""

    path = "/api/v2/tasks"

    async def get(self) -> None:
        await self.answer(await self.tasks.list(self.get_query_argument("q", "")))


class UserTasksHandler(ApiHandler):
    """A user's tasks: where a new one is made."""

    path = "/api/v2/tasks/{user}"

    async def post(self, user: str) -> None:
        request = self.parse(models.CreateTaskRequest)
        await self.answer(await self.tasks.create(self.owner(user), request), 201)


class TaskHandler(ApiHandler):
    """One task."""

    path = "/api/v2/tasks/{user}/{task}"

    async def get(self, user: str, task: str) -> None:
        await self.answer(await self.tasks.get(self.owner(user), task))

    async def delete(self, user: str, task: str) -> None:
        await self.tasks.delete(self.owner(user), task)
        await self.empty(202)


class InputHandler(ApiHandler):
    """The prompt of a paused task."""

    path = "/api/v2/tasks/{user}/{task}/input"

    async def patch(self, user: str, task: str) -> None:
        request = self.parse(models.UpdateTaskInputRequest)
        await self.tasks.update_input(self.owner(user), task, request.input)
        await self.empty()


class SendHandler(ApiHandler):
    """A message to the agent."""

    path = "/api/v2/tasks/{user}/{task}/send"

    async def post(self, user: str, task: str) -> None:
        request = self.parse(models.TaskSendRequest)
        await self.tasks.send(self.owner(user), task, request.input, request.key)
        await self.empty()


class AnswerHandler(ApiHandler):
    """The user's choice among the options of what the agent asks (``Task.attention``)."""

    path = "/api/v2/tasks/{user}/{task}/answer"

    async def post(self, user: str, task: str) -> None:
        request = self.parse(models.AnswerRequest)
        await self.tasks.answer(self.owner(user), task, request.option, request.question)
        await self.empty()


class InterruptHandler(ApiHandler):
    """End the agent's present turn."""

    path = "/api/v2/tasks/{user}/{task}/interrupt"

    async def post(self, user: str, task: str) -> None:
        interrupted = await self.tasks.interrupt(self.owner(user), task)
        await self.answer(models.InterruptResponse(interrupted=interrupted))


class PauseHandler(ApiHandler):
    """Stop the workspace, keep its files."""

    path = "/api/v2/tasks/{user}/{task}/pause"

    async def post(self, user: str, task: str) -> None:
        build = await self.tasks.pause(self.owner(user), task)
        await self.answer(models.PauseTaskResponse(workspace_build=build), 202)


class ResumeHandler(ApiHandler):
    """Start the workspace again."""

    path = "/api/v2/tasks/{user}/{task}/resume"

    async def post(self, user: str, task: str) -> None:
        build = await self.tasks.resume(self.owner(user), task)
        await self.answer(models.ResumeTaskResponse(workspace_build=build), 202)


class MessagesHandler(ApiHandler):
    """The conversation."""

    path = "/api/v2/tasks/{user}/{task}/messages"

    async def get(self, user: str, task: str) -> None:
        await self.answer(await self.tasks.messages(self.owner(user), task))


class BuildsHandler(ApiHandler):
    """The workspace's builds."""

    path = "/api/v2/tasks/{user}/{task}/builds"

    async def get(self, user: str, task: str) -> None:
        await self.answer(list(await self.tasks.builds(self.owner(user), task)))
