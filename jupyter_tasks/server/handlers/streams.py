"""What answers that never end by themselves share: they are cancelled when the reader goes, and never wait for ever.

Owns writing to a reader that may be slow or gone; not what is written.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
from tornado.iostream import StreamClosedError

from jupyter_tasks.errors import TasksError
from jupyter_tasks.server.context import Context
from jupyter_tasks.server.errors import sole
from jupyter_tasks.server.handlers.base import ApiHandler, log

__all__ = ["StreamHandler"]

_STALLED = 60.0  # seconds a reader may leave its buffer full


class StreamHandler(ApiHandler):
    """Base of a resource that streams."""

    def initialize(self, context: Context) -> None:
        super().initialize(context)
        self._scope = anyio.CancelScope()
        self._writing = anyio.Lock()  # tornado's flush is not made for two at once

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._scope.cancel()

    async def send_chunk(self, data: bytes | str) -> None:
        """Write and wait until it is on its way. Ends the whole stream (by cancelling it) when the reader is gone."""
        try:
            async with self._writing:
                with anyio.fail_after(_STALLED):
                    self.write(data)
                    await self.flush()
        except (StreamClosedError, TimeoutError):
            self.cut_off()
            self._scope.cancel()
            await anyio.lowlevel.checkpoint()

    async def streaming(self, body: Callable[[], Awaitable[None]]) -> None:
        """Run ``body`` until it ends or the reader goes. After the first byte an error can only cut the answer off."""
        with self._scope:
            try:
                await body()
            except Exception as error:
                if not self._headers_written:
                    raise
                cause = sole(error)
                if isinstance(cause, TasksError):
                    log.info("%s ended early: %s", self.request.path, cause.message)
                else:
                    log.exception("%s failed while it streamed", self.request.path)
                self.cut_off()

    def cut_off(self) -> None:
        """Close the connection, so that the reader does not take what it has for the whole."""
        connection = self.request.connection
        stream = getattr(connection, "stream", None)
        if stream is not None:
            stream.close()
