"""The engine: one process a user that owns store, builds, links and previews (design D9).

Owns how it is put together, that there is one (a lock that the kernel releases on kill -9), and when it ends: asked to,
handed over to another version, or idle. Its HTTP API is ``server.app``; its clients come over a 0600 unix socket.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from anyio.abc import TaskStatus
from sqlalchemy import Connection
from traitlets.config import Config

from jupyter_tasks import models, places
from jupyter_tasks._version import __version__
from jupyter_tasks.clock import Clock, SystemClock
from jupyter_tasks.config import TasksEngine, load_config
from jupyter_tasks.errors import EngineUnavailable, TasksError
from jupyter_tasks.metering.entitlements import Entitlements
from jupyter_tasks.server.activity import Activity
from jupyter_tasks.server.app import make_app
from jupyter_tasks.server.engine_parts import make_creation, make_house
from jupyter_tasks.server.listening import EngineServer
from jupyter_tasks.server.preview_origin import PreviewOrigin
from jupyter_tasks.store.build_rows import tasks_with_work
from jupyter_tasks.store.database import Database
from jupyter_tasks.store.journal import Journal
from jupyter_tasks.store.task_rows import live_tasks
from jupyter_tasks.tasks.apply_recovery import recover
from jupyter_tasks.tasks.bundle import TaskBundle
from jupyter_tasks.tasks.house import House
from jupyter_tasks.tasks.notify import Notify
from jupyter_tasks.tasks.owner import this_user
from jupyter_tasks.tasks.retention import Retention
from jupyter_tasks.tasks.service import TaskService
from jupyter_tasks.tasks.session import Sessions
from jupyter_tasks.tasks.unisolated import may_run_unisolated
from jupyter_tasks.templates.library import Library, default_library

__all__ = ["Engine", "serve"]

_log = logging.getLogger(__name__)

IDLE_CHECK = 15.0
LOCK_TIMEOUT = 15.0
CLOSE_TIMEOUT = 3.0


class Engine:
    """One user's engine. ``run`` lives until ``stop`` is called; ``start``/``stop`` do the same for a host's loop."""

    def __init__(self, *, config: Config | None = None, mode: str = "process", clock: Clock | None = None) -> None:
        self.settings = TasksEngine(config=config or Config())
        self.entitlements = Entitlements(config=config or Config())
        self.mode = mode
        self.clock = clock or SystemClock()
        self.owner = this_user()
        self.started_at: datetime = self.clock.now()
        self._config = config or Config()
        self._stopping = anyio.Event()
        self._activity = Activity(self.clock)
        self._holder: Any = None

    # ------------------------------------------------------------ life

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Take the lock, open the store, take up what runs, serve. Raises: EngineUnavailable, StoreError."""
        self._stopping = anyio.Event()
        async with _locked(places.engine_lock()), contextlib.AsyncExitStack() as stack:
            database = await Database.open(self.settings.store_url or places.state_dir() / "tasks.db", clock=self.clock)
            stack.push_async_callback(database.close)
            journal = Journal(database, self.clock)
            await journal.open()
            async with anyio.create_task_group() as group:
                house = make_house(journal, self.settings, self._config, self.clock)
                stack.push_async_callback(house.gateway.close)
                await recover(house.applies, journal)
                library = default_library()
                sessions = Sessions(group, house, lambda bundle: self._unisolated(library, bundle))
                creation = make_creation(house, library, self.owner, self.settings, self.entitlements)
                service = TaskService(creation, sessions, self.entitlements, Retention(config=self._config))
                found = await journal.read(_with_work)  # before anybody can ask for anything: it is not old when used
                async with self._serving(service, house):
                    sessions.take_up(found)
                    group.start_soon(Notify(config=self._config).run, journal, self.clock, name="notifications")
                    group.start_soon(self._collect_orphans, house, name="orphans")
                    group.start_soon(service.keep_pruning, name="pruning")
                    group.start_soon(self._watch_idleness, house, name="idleness")
                    task_status.started()
                    await self._stopping.wait()
                    journal.end_subscriptions()
                group.cancel_scope.cancel()

    def stop(self) -> None:
        """End the engine. Workspaces run on."""
        self._stopping.set()

    async def start(self) -> None:
        """Run inside a host that has an event loop of its own (``engine = "inprocess"``); returns when it answers."""
        import asyncio

        ready = asyncio.get_running_loop().create_future()

        class Started(TaskStatus[None]):
            def started(self, value: None = None) -> None:
                ready.set_result(None)

        self._holder = asyncio.create_task(self.run(task_status=Started()), name="jupyter-tasks engine")
        done, _ = await asyncio.wait({ready, self._holder}, return_when=asyncio.FIRST_COMPLETED)
        if self._holder in done:
            self._holder.result()

    async def stopped(self) -> None:
        """After ``stop``: return when everything has been let go."""
        if self._holder is not None:
            await self._holder

    def _unisolated(self, library: Library, bundle: TaskBundle) -> bool:
        return may_run_unisolated(library, bundle.task.template_id, bundle.plan.parameters)

    @asynccontextmanager
    async def _serving(self, service: TaskService, house: House) -> AsyncIterator[None]:
        origin = PreviewOrigin(service, self._activity)
        app = make_app(
            service,
            info=lambda: self._info(house),
            handover=self.stop,
            clock=self.clock,
            origin=origin,
            doctor=self._doctor,
        )
        server = EngineServer(app, self._activity)
        server.bind_socket(places.engine_socket())
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_TIMEOUT):
                await server.close()
                await origin.stop()

    def _info(self, house: House) -> models.BuildInfo:
        return models.BuildInfo(
            version=__version__,
            wire=models.WIRE,
            wire_oldest=models.WIRE_OLDEST,
            pid=os.getpid(),
            started_at=self.started_at,
            mode=self.mode,
            owner_id=self.owner.id,
            owner_name=self.owner.name,
            last_event_id=house.journal.newest_id,
        )

    async def _doctor(self) -> Mapping[str, object]:
        """What this machine can do, as the engine finds it."""
        from jupyter_tasks.workspaces.platform import checks

        found = await anyio.to_thread.run_sync(checks, limiter=anyio.CapacityLimiter(1))
        return {"checks": [asdict(check) for check in found]}

    # ------------------------------------------------------------ background

    async def _watch_idleness(self, house: House) -> None:
        if self.mode != "process":
            return
        while not self._stopping.is_set():
            await self.clock.sleep(IDLE_CHECK)
            if await house.journal.read(_anything_works):
                self._activity.touch()
            if self._activity.quiet_for() >= self.settings.idle_timeout:
                _log.info("nothing works and nobody is connected: the engine ends; workspaces run on")
                self.stop()

    async def _collect_orphans(self, house: House) -> None:
        """Remove what belongs to no task: the rest of a delete that was cut off, or of a store that was lost."""
        known = {row.workspace_id for row in await house.journal.read(live_tasks)}
        busy = set(await house.journal.read(_workspaces_being_deleted))

        async def progress(line: str) -> None:
            _log.info("orphan: %s", line)

        for provisioner in house.provisioners.values():
            for workspace_id in await provisioner.list():
                if workspace_id in known or workspace_id in busy:
                    continue
                try:
                    await provisioner.delete(workspace_id, progress)
                    await house.review_of(workspace_id).remove()
                except TasksError as error:
                    _log.warning("an orphaned workspace could not be removed: %s", error)


def _anything_works(connection: Connection) -> bool:
    from jupyter_tasks.tasks.bundle import bundles
    from jupyter_tasks.tasks.views import works

    return any(works(bundle) for bundle in bundles(connection, live_tasks(connection)))


def _with_work(connection: Connection) -> Sequence[TaskBundle]:
    from jupyter_tasks.store.task_rows import tasks_by_id
    from jupyter_tasks.tasks.bundle import bundles

    return bundles(connection, tasks_by_id(connection, tasks_with_work(connection)))


def _workspaces_being_deleted(connection: Connection) -> list[str]:
    from jupyter_tasks.store.task_rows import task_by_id

    rows = (task_by_id(connection, task_id) for task_id in tasks_with_work(connection))
    return [row.workspace_id for row in rows if row is not None]


@asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with anyio.move_on_after(LOCK_TIMEOUT) as waiting:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError as error:
                    if error.errno not in (errno.EAGAIN, errno.EACCES):
                        raise
                await anyio.sleep(0.02)
        if waiting.cancelled_caught:
            raise EngineUnavailable(
                "An engine runs already.", hint="`jupyter tasks doctor` shows it.", code="engine_running"
            )
        yield
    finally:
        os.close(descriptor)


def _raise_file_limit() -> None:
    """A task takes about a dozen descriptors; the usual soft limit of 1,024 is for programs that use select()."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else max(soft, 65536), hard))


def serve() -> None:
    """``jupyter tasks serve``: run an engine in this process until a signal, a hand-over or idleness ends it."""
    import signal

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")

    _raise_file_limit()

    async def main() -> None:
        engine = Engine(config=load_config())

        async def signals() -> None:
            with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
                async for _ in received:
                    engine.stop()

        async with anyio.create_task_group() as group:
            group.start_soon(signals, name="signals")
            await engine.run()
            group.cancel_scope.cancel()

    anyio.run(main)
