"""A real HTTP engine on the user's own socket, with a service in memory behind it, and the shell before it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from click.testing import CliRunner

from jupyter_tasks import models, places
from jupyter_tasks.cli.main import main
from jupyter_tasks.server.app import make_app
from jupyter_tasks.server.listening import EngineServer
from jupyter_tasks.server.preview_origin import PreviewOrigin
from jupyter_tasks.testing.service import FakeService, FakeTerminal

PURPLE = models.DiffResponse(
    files=[
        models.DiffFile(path="app/style.css", status="modified", additions=1, deletions=1),
        models.DiffFile(path="logo.png", status="added", binary=True),
    ],
    additions=1,
    deletions=1,
    patch="diff --git a/app/style.css b/app/style.css\n--- a/app/style.css\n+++ b/app/style.css\n"
    "@@ -1 +1 @@\n-color: blue\n+color: purple\x1b[31m\n",
)


@dataclass(eq=False)
class Live:
    """Some bytes, then more as they come."""

    kept: FakeTerminal
    more: Any

    def __post_init__(self) -> None:
        self.offset, self.cols, self.rows = self.kept.offset, self.kept.cols, self.kept.rows

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self.kept:
            yield chunk
        async for chunk in self.more:
            yield chunk


@dataclass(eq=False)
class Scripted(FakeService):
    """A service whose agent plays a part: ``on_create`` runs in the background after each create."""

    on_create: Callable[[models.Task], Any] | None = None
    on_resume: Callable[[models.Task], Any] | None = None
    entries: list[models.TaskLogEntry] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    handovers: int = 0
    checks: list[dict[str, object]] = field(default_factory=list)
    group: Any = None
    followed: anyio.Event = field(default_factory=anyio.Event)
    """Somebody reads events."""
    keyboard: Any = None
    terminal_live: Any = None
    """Both ends of a stream of chunks that come after ``terminal_bytes`` while followed; see ``go_live``."""

    def _may_fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)

    async def create(self, user: str, request: models.CreateTaskRequest) -> models.Task:
        self._may_fail()
        task = await super().create(user, request)
        if self.on_create is not None:
            self.group.start_soon(self.on_create, task)
        return task

    async def get(self, user: str, task: str) -> models.Task:
        self._may_fail()
        return await super().get(user, task)

    async def send(self, user: str, task: str, text: str, key: str | None = None) -> None:
        self._may_fail()
        await super().send(user, task, text, key)

    async def resume(self, user: str, task: str) -> models.WorkspaceBuild:
        build = await super().resume(user, task)
        if self.on_resume is not None:
            self.group.start_soon(self.on_resume, self._find(task))
        return build

    async def diff(self, user: str, task: str) -> models.DiffResponse:
        self._find(task)
        return PURPLE

    async def logs(self, user: str, task: str, kind: models.LogKind) -> models.TaskLogsResponse:
        self._find(task)
        return models.TaskLogsResponse(logs=self.entries) if kind != "chat" else await super().logs(user, task, kind)

    @asynccontextmanager
    async def events(
        self, *, after: int | None, task_id: str | None = None
    ) -> AsyncIterator[AsyncIterator[models.Event]]:
        async with super().events(after=after, task_id=task_id) as found:
            self.followed.set()
            yield found

    @asynccontextmanager
    async def terminal(self, user: str, task: str, *, offset: int, follow: bool) -> AsyncIterator[Any]:
        async with super().terminal(user, task, offset=offset, follow=follow) as found:
            yield Live(found, self.terminal_live) if follow and self.terminal_live is not None else found

    def go_live(self) -> None:
        """From now on a terminal does not end by itself."""
        self.keyboard, self.terminal_live = anyio.create_memory_object_stream[bytes](10)

    # ------------------------------------------------------------ what an agent and a build do

    def stage(self, task: models.Task, stage: str, text: str = "", level: str = "done") -> None:
        began = self._find(task.id).created_at
        entry = {
            "id": len(self._events), "build_id": "b1", "stage": stage, "level": level, "text": text,
            "time": (began + timedelta(seconds=0.25)).isoformat(),
        }  # fmt: skip
        self.publish(models.EventType.build_log, task.id, {"entry": entry})

    def say(self, task: models.Task, text: str, number: int = 0) -> None:
        talk = self._talk[task.id]
        message = models.Message(
            id=number, role="agent", time=datetime.now(timezone.utc), parts=[models.TextPart(text=text)]
        )
        talk[:] = [each for each in talk if each.id != number] + [message]
        self.publish(models.EventType.message, task.id, {"message": message.model_dump(mode="json")})

    def change(self, task: models.Task, **changes: Any) -> models.Task:
        return self._store(self._find(task.id).model_copy(update=changes))

    def become(self, task: models.Task, state: str, **changes: Any) -> models.Task:
        entry = models.TaskStateEntry(
            timestamp=datetime.now(timezone.utc), state=models.TaskState(state), message="Theme changed"
        )
        return self.change(task, **{"status": models.TaskStatus.active, "current_state": entry, **changes})


@dataclass
class Outcome:
    """What a command line did."""

    code: int
    out: str
    err: str


@dataclass
class Shell:
    """The engine and a shell before it."""

    service: Scripted
    portal: BlockingPortal
    environment: dict[str, str]

    def run(self, *words: str, input: str | None = None) -> Outcome:  # noqa: A002
        """A command line in this process: ``main`` itself, with its exit code."""
        with CliRunner().isolation(input) as (out, err, _):
            try:
                main(list(words))
            except SystemExit as ended:
                code = ended.code
            assert isinstance(code, int)
            return Outcome(code, out.getvalue().decode(), err.getvalue().decode())

    def argv(self, *words: str) -> Sequence[str]:
        """The same as a process."""
        return [sys.executable, "-m", "jupyter_tasks", *words]

    def process(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(
            self.argv(*words), capture_output=True, text=True, timeout=60, env=self.environment, check=False, **options
        )

    def create(self, name: str = "purple", **changes: Any) -> models.Task:
        request = models.CreateTaskRequest(input="make it purple", name=name)
        task = self.portal.call(lambda: FakeService.create(self.service, "me", request))
        return self.do(self.service.become, task, "idle", **changes)

    def do(self, call: Callable[..., Any], *args: Any, **changes: Any) -> Any:
        """``call`` on the engine's loop."""
        return self.portal.call(lambda: call(*args, **changes))


@asynccontextmanager
async def _served() -> AsyncIterator[Scripted]:
    service = Scripted()
    origin = PreviewOrigin(service)

    def handover() -> None:
        service.handovers += 1

    async def doctor() -> dict[str, object]:
        return {"checks": service.checks}

    server = EngineServer(make_app(service, info=service.info, handover=handover, origin=origin, doctor=doctor))
    server.bind_socket(places.engine_socket())
    async with anyio.create_task_group() as group:
        service.group = group
        yield service
        service.end_streams()
        for end in (service.keyboard, service.terminal_live):
            if end is not None:
                end.close()
        group.cancel_scope.cancel()
    await origin.stop()
    await server.close()


@pytest.fixture
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """State and runtime directories of a test's own; the latter short enough for a socket."""
    short = tempfile.mkdtemp(prefix="jt-")
    monkeypatch.setenv("JUPYTER_TASKS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("JUPYTER_TASKS_RUNTIME_DIR", short)
    for name in ("JUPYTER_TASKS_URL", "JUPYTER_TASKS_TOKEN", "JPY_PARENT_PID", "JUPYTER_SERVER_URL", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    yield tmp_path
    shutil.rmtree(short)


@pytest.fixture
def shell(own_places: Path) -> Iterator[Shell]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(_served()) as service:
        yield Shell(service, portal, dict(os.environ))
