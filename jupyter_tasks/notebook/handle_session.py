"""What the handles, magics and cards of one kernel share: a client, and the follower.

Owns nothing but these two; both connect when they are first needed.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from jupyter_tasks.notebook.client import Client
from jupyter_tasks.notebook.follower import Follower

if TYPE_CHECKING:
    from jupyter_tasks.notebook.client import AsyncClient
    from jupyter_tasks.notebook.discovery import Connection

__all__ = ["Session", "session"]


class Session:
    """The way from here to the engine. ``connection``: a certain one, else it is looked for (and started)."""

    def __init__(self, connection: Connection | None = None, *, start: bool = True) -> None:
        self._connection, self._start = connection, start
        self.client = Client(connection, start=start)
        self.follower = Follower(self.connect)

    def connect(self) -> AsyncClient:
        """An async client for whichever event loop asks; close it."""
        from jupyter_tasks.notebook.async_client import AsyncClient

        return AsyncClient(self._connection, start=self._start)

    def close(self) -> None:
        """End the follower and the connections; the next use opens them again."""
        self.follower.close()
        self.client.close()


@cache
def session() -> Session:
    """The one of this process."""
    return Session()
