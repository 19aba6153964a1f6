"""What ``logs`` shows: the chat, the builds, the start scripts, the workspace agent.

Owns where each kind is read from. While a workspace runs its logs are read through the link; before it stops their
ends are kept, so that a paused task can still be read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import anyio

from jupyter_tasks import models
from jupyter_tasks.errors import LinkError, NotFound, TasksError
from jupyter_tasks.store.journal import Change
from jupyter_tasks.store.log_rows import build_logs_of, set_snapshot, snapshots_of
from jupyter_tasks.store.talk_rows import messages_of
from jupyter_tasks.tasks import views
from jupyter_tasks.tasks.bundle import TaskBundle
from jupyter_tasks.tasks.house import House
from jupyter_tasks.tasks.live import LiveWorkspace
from jupyter_tasks.templates.plan import Script
from jupyter_tasks.workspaces.builds import main_agent
from jupyter_tasks.workspaces.connection import Link

__all__ = ["keep", "read"]

MOST_LOG = 256 << 10
MOST_KEPT = 64 << 10
READ_TIMEOUT = 5.0

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f]")


async def read(
    house: House, bundle: TaskBundle, live: LiveWorkspace | None, kind: models.LogKind
) -> models.TaskLogsResponse:
    """The entries of one kind, in order."""
    if kind is models.LogKind.chat:
        return await _chat(house, bundle, live)
    if kind is models.LogKind.build:
        lines = await house.journal.read(lambda connection: build_logs_of(connection, bundle.task.id))
        return models.TaskLogsResponse(
            logs=[_entry(line.id, line.text, line.time, f"{line.stage}") for line in lines],
        )
    names = ["agent"] if kind is models.LogKind.agent else [f"script-{each.id}" for each in _scripts(bundle)]
    titles = {f"script-{each.id}": each.display_name for each in _scripts(bundle)}
    if live is not None and live.attached:
        texts = [(name, await _log(live.link, name, MOST_LOG)) for name in names]
        logs = [
            _entry(index, text, house.clock.now(), titles.get(name, name)) for index, (name, text) in enumerate(texts)
        ]
        return models.TaskLogsResponse(logs=[entry for entry in logs if entry.content])
    kept = await house.journal.read(lambda connection: snapshots_of(connection, bundle.task.id))
    rows = [row for row in kept if row.name in names]
    return models.TaskLogsResponse(
        logs=[_entry(i, row.text, row.created_at, titles.get(row.name, row.name)) for i, row in enumerate(rows)],
        snapshot=True,
        snapshot_at=max((row.created_at for row in rows), default=None),
    )


async def keep(house: House, bundle: TaskBundle, live: LiveWorkspace | None) -> None:
    """Keep the ends of a running workspace's logs, because it is about to stop."""
    if live is None:
        return
    names = ["agent", *(f"script-{script.id}" for script in _scripts(bundle))]
    try:
        texts = {name: await _log(live.link, name, MOST_KEPT) for name in names}
    except TasksError:  # it stops all the same; there is nothing to keep
        return

    def work(change: Change) -> None:
        for name, text in texts.items():
            set_snapshot(change.connection, bundle.task.id, name, text, change.now)

    await house.journal.change(work)


async def _chat(house: House, bundle: TaskBundle, live: LiveWorkspace | None) -> models.TaskLogsResponse:
    rows = await house.journal.read(lambda connection: messages_of(connection, bundle.task.id))
    said = [views.message(row) for row in rows]
    logs = [
        models.TaskLogEntry(
            id=each.id,
            content=each.text,
            type=models.TaskLogType.input if each.role == "user" else models.TaskLogType.output,
            time=each.time,
        )
        for each in said
    ]
    if live is not None:
        return models.TaskLogsResponse(logs=logs)
    return models.TaskLogsResponse(logs=logs, snapshot=True, snapshot_at=logs[-1].time if logs else None)


def _scripts(bundle: TaskBundle) -> Sequence[Script]:
    return main_agent(bundle.plan).scripts


async def _log(link: Link, name: str, most: int) -> str:
    """The end of a log, as text that a terminal can show."""
    try:
        with anyio.fail_after(READ_TIMEOUT):
            async with link.read_log(name, 0, follow=False) as header:
                start = max(0, header.head - most)
            async with link.read_log(name, start, follow=False) as reading:
                data = b"".join([chunk async for chunk in reading.chunks])
    except NotFound:
        return ""
    except TimeoutError as error:
        raise LinkError("The workspace agent did not give its log in time.", hint="Try again.") from error
    text = data.decode("utf-8", "replace")
    return _ESCAPE.sub("", text.replace("\r\n", "\n"))


def _entry(entry_id: int, content: str, time: datetime, source: str) -> models.TaskLogEntry:
    return models.TaskLogEntry(id=entry_id, content=content, type=models.TaskLogType.output, time=time, source=source)
