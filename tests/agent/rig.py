"""What the tests of the agent share: manifests, and waiting for an event."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import TypeVar

import anyio

from jupyter_tasks.workspaces.connection import Link
from jupyter_tasks.workspaces.link_events import LinkEvent

E = TypeVar("E", bound=LinkEvent)


def manifest_of(**fields: object) -> dict[str, object]:
    """A manifest with the given parts."""
    base: dict[str, object] = {
        "build_id": "build-1",
        "agent": {"id": "a", "name": "main", "dir": "~/project"},
        "workspace": {"id": "w", "name": "my-workspace", "owner": "me"},
        "token": "agent-token",
        "env": {},
    }
    return {**base, **fields}


def script(name: str, text: str, **fields: object) -> dict[str, object]:
    """A start script."""
    return {"id": name, "display_name": name, "script": text, "run_on_start": True, **fields}


async def until(link: Link, kind: type[E], wanted: Callable[[E], bool] = lambda _: True, *, since: int = 0) -> E:
    """The first event of that kind, from the log's beginning, for which ``wanted`` holds."""
    with anyio.fail_after(40):
        async with aclosing(link.watch(since)) as events:
            async for event in events:
                if isinstance(event, kind) and wanted(event):
                    return event
    raise AssertionError("the agent's events ended")


async def whole(link: Link, terminal: str) -> bytes:
    """Everything that a terminal writes until it closes."""
    with anyio.fail_after(40):
        async with link.read_terminal(terminal) as reading:
            return b"".join([chunk async for chunk in reading.chunks])


async def log_of(link: Link, name: str) -> str:
    """A log up to its head."""
    async with link.read_log(name, follow=False) as reading:
        return b"".join([chunk async for chunk in reading.chunks]).decode()
