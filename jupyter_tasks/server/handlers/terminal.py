"""The agent's own terminal: its bytes from an offset on, and keystrokes into it."""

from __future__ import annotations

from jupyter_tasks.models import TerminalInput, TerminalInputResponse
from jupyter_tasks.server.handlers.streams import StreamHandler

__all__ = ["TerminalHandler"]


class TerminalHandler(StreamHandler):
    """GET streams raw bytes; where they begin and the size of the screen are in headers. POST types."""

    path = "/api/v2/tasks/{user}/{task}/terminal"

    async def get(self, user: str, task: str) -> None:
        offset = self.number("offset", 0) or 0
        follow = self.flag("follow", False)
        owner = self.owner(user)

        async def deliver() -> None:
            async with self.tasks.terminal(owner, task, offset=offset, follow=follow) as terminal:
                self.set_header("Content-Type", "application/octet-stream")
                self.set_header("X-Terminal-Offset", str(terminal.offset))
                self.set_header("X-Terminal-Cols", str(terminal.cols))
                self.set_header("X-Terminal-Rows", str(terminal.rows))
                await self.send_chunk(b"")
                async for chunk in terminal:
                    await self.send_chunk(chunk)

        await self.streaming(deliver)

    async def post(self, user: str, task: str) -> None:
        request = self.parse(TerminalInput)
        already = await self.tasks.type_terminal(self.owner(user), task, request)
        await self.answer(TerminalInputResponse(already=already))
