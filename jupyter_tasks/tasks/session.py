"""The life of one task in the engine: run its unfinished build, then stay with its workspace until it is woken.

Owns the loop and the end of every build. There is at most one session a task; it is woken when a newer build has been
accepted, and it ends when nothing is to be done. What it does is decided by the rows alone, so that a new engine goes
on where the last one was killed.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from uuid import uuid4

import anyio
from anyio.abc import TaskGroup

from jupyter_tasks.clock import wait_for
from jupyter_tasks.errors import TasksError
from jupyter_tasks.store.build_rows import finish_build, set_runtime, start_build
from jupyter_tasks.store.codec import to_time
from jupyter_tasks.store.journal import Change
from jupyter_tasks.tasks.apply_recovery import forget
from jupyter_tasks.tasks.belongings import workspace_ref
from jupyter_tasks.tasks.build_log import BuildLog
from jupyter_tasks.tasks.bundle import TaskBundle, bundle_of
from jupyter_tasks.tasks.house import House
from jupyter_tasks.tasks.live import LiveWorkspace
from jupyter_tasks.tasks.taking_up import TakingUp
from jupyter_tasks.workspaces.builds import Ending, StartBuild, remove_workspace, stop_workspace
from jupyter_tasks.workspaces.provisioner import Provisioner, RunningWorkspace

__all__ = ["Sessions", "TaskSession"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

_AGAIN_AFTER = 1.0
_AGAIN_AT_MOST = 60.0


class TaskSession:
    """One task's loop. ``live`` is its workspace while one is attached."""

    def __init__(self, task_id: str, house: House, allow_unisolated: Callable[[TaskBundle], bool]) -> None:
        self.task_id = task_id
        self.live: LiveWorkspace | None = None
        self._house = house
        self._allow_unisolated = allow_unisolated
        self._woken = anyio.Event()
        self._turns: TakingUp | None = None

    def wake(self) -> None:
        """A newer build has been accepted: drop what is being done and look."""
        self._woken.set()

    async def pause(self, seconds: float) -> None:
        """Wait so long, or until it is woken."""
        await wait_for(self._woken, seconds, self._house.clock)

    async def run(self, known: TaskBundle | None = None, turns: TakingUp | None = None) -> None:
        """Until there is nothing to do. ``known``: the task as it is now, from an engine that takes it up in turn."""
        fresh = None if self._woken.is_set() else known
        self._turns = turns
        while True:
            self._woken = anyio.Event()
            bundle = fresh or await self._house.journal.read(lambda connection: bundle_of(connection, self.task_id))
            fresh = None
            if bundle is None:
                return
            work = self._work_for(bundle)
            if work is not None:
                await self._until_woken(work, bundle)
            elif not self._woken.is_set():
                self._house.slots.release(self.task_id)
                return

    def _work_for(self, bundle: TaskBundle) -> Callable[[TaskBundle], Awaitable[None]] | None:
        build = bundle.build
        if build.unfinished:
            return {"start": self._start, "stop": self._stop, "delete": self._delete}[build.transition]
        if build.transition == "start" and build.status == "succeeded":
            return self._stay
        return None

    async def _until_woken(self, work: Callable[[TaskBundle], Awaitable[None]], bundle: TaskBundle) -> None:
        async with anyio.create_task_group() as group:

            async def watch() -> None:
                await self._woken.wait()
                group.cancel_scope.cancel()

            group.start_soon(watch, name=f"woken {self.task_id}")
            await work(bundle)
            group.cancel_scope.cancel()

    # ------------------------------------------------------------ builds

    async def _start(self, bundle: TaskBundle) -> None:
        house, build = self._house, bundle.build
        if build.status == "pending":
            await house.slots.acquire(self.task_id, to_time(build.created_at))
        else:
            house.slots.take(self.task_id)
        lock = await self._take(bundle)
        if lock is None:
            return
        provisioner = house.provisioners[bundle.plan.kind]
        log = BuildLog(self.task_id, build.id, house)
        job = StartBuild(
            ref=workspace_ref(
                bundle.task, build.id, allow_unisolated=self._allow_unisolated(bundle), clock=house.clock
            ),
            plan=bundle.plan,
            provisioner=provisioner,
            clock=house.clock,
            task_id=self.task_id,
            log=log,
            take_base=house.review_of(bundle.task.workspace_id).take_base,
            task_token=house.task_tokens.token(bundle.build.id),
        )
        running = await self._guarded(bundle, lock, log, job.run)
        if running is None:
            await self._clean_up(bundle, provisioner, log)
            return
        await house.change(self.task_id, lambda change: _started(change, bundle.build.id, lock, running))

    async def _stop(self, bundle: TaskBundle) -> None:
        await self._end(bundle, stop_workspace, self._house.stop_grace)

    async def _delete(self, bundle: TaskBundle) -> None:
        await self._end(bundle, remove_workspace, min(self._house.stop_grace, 2.0))

    async def _end(self, bundle: TaskBundle, ending: Ending, grace: float) -> None:
        """Run a stop or a delete build."""
        house = self._house
        house.capabilities.revoke(self.task_id)
        lock = await self._take(bundle)
        if lock is None:
            return

        log = BuildLog(self.task_id, bundle.build.id, house)

        async def act() -> bool:
            await ending(
                house.provisioners[bundle.plan.kind],
                bundle.task.workspace_id,
                clock=house.clock,
                grace=grace,
                log=log,
            )
            if bundle.build.transition == "delete":
                await house.review_of(bundle.task.workspace_id).remove()
                await forget(house.applies, self.task_id)
            return True

        if await self._guarded(bundle, lock, log, act):
            await house.change(self.task_id, lambda change: _ended(change, bundle.build.id, lock))
        house.slots.release(self.task_id)

    async def _take(self, bundle: TaskBundle) -> str | None:
        lock = str(uuid4())
        taken = await self._house.change(
            self.task_id, lambda change: start_build(change.connection, bundle.build.id, lock, change.now)
        )
        return lock if taken else None

    async def _guarded(self, bundle: TaskBundle, lock: str, log: BuildLog, act: Callable[[], Awaitable[T]]) -> T | None:
        """Run the act of a build; when it fails, the build has failed, with one sentence that says why."""
        try:
            async with log.writing():
                return await act()
        except TasksError as error:
            sentence = str(error)
        except Exception:  # noqa: BLE001 - the boundary of a build: it ends in a visible state
            _log.exception("build %s of task %s failed unexpectedly", bundle.build.id, self.task_id)
            sentence = "An unexpected error ended this build; the engine's log has it. Resume the task to build again."

        def failed(change: Change) -> None:
            self._house.log_in(
                change, self.task_id, bundle.build.id, bundle.build.stage or "workspace", sentence, "error"
            )
            finish_build(change.connection, bundle.build.id, lock, "failed", change.now, sentence)

        await self._house.change(self.task_id, failed)
        return None

    async def _clean_up(self, bundle: TaskBundle, provisioner: Provisioner, log: BuildLog) -> None:
        """A start that failed leaves no process behind; files stay, so that it can be built again."""
        try:
            async with log.writing():
                await stop_workspace(provisioner, bundle.task.workspace_id, clock=self._house.clock, grace=1.0, log=log)
        except TasksError as error:
            _log.warning("after a failed start of task %s: %s", self.task_id, error)
        self._house.slots.release(self.task_id)

    # ------------------------------------------------------------ the running workspace

    async def _stay(self, bundle: TaskBundle) -> None:
        self._house.slots.take(self.task_id)
        self.live = LiveWorkspace(bundle, self._house)
        turns, self._turns = self._turns, None
        try:
            await self.live.run(turns)
        finally:
            self.live = None


def _started(change: Change, build_id: str, lock: str, running: RunningWorkspace) -> None:
    if finish_build(change.connection, build_id, lock, "succeeded", change.now):
        set_runtime(
            change.connection,
            build_id,
            lifecycle="starting",
            isolation=running.isolation.kind,
            isolation_reason=running.isolation.reason,
        )


def _ended(change: Change, build_id: str, lock: str) -> None:
    finish_build(change.connection, build_id, lock, "succeeded", change.now)


def _rests(bundle: TaskBundle) -> bool:
    """Whether its agent rests: it asks for nothing, so that it is taken up behind those that work."""
    return bundle.said is not None and bundle.said.state != "working"


class Sessions:
    """The sessions of all tasks, in one task group of the engine's."""

    def __init__(self, group: TaskGroup, house: House, allow_unisolated: Callable[[TaskBundle], bool]) -> None:
        self._group = group
        self._house = house
        self._allow_unisolated = allow_unisolated
        self._running: dict[str, TaskSession] = {}

    def wake(self, task_id: str) -> None:
        """Something is to be done for this task."""
        session = self._running.get(task_id)
        if session is not None:
            session.wake()
            return
        session = TaskSession(task_id, self._house, self._allow_unisolated)
        self._begin(session)

    def take_up(self, found: Sequence[TaskBundle]) -> None:
        """These tasks have work, says the store: a new engine begins with them, a few workspaces at a time."""
        running = [bundle for bundle in found if not bundle.build.unfinished]
        turns = TakingUp(len(running), self._house.clock)
        for bundle in sorted(found, key=_rests):
            session = TaskSession(bundle.task.id, self._house, self._allow_unisolated)
            self._begin(session, bundle, None if bundle.build.unfinished else turns)

    def live(self, task_id: str) -> LiveWorkspace | None:
        """The attached workspace of a task."""
        session = self._running.get(task_id)
        return None if session is None else session.live

    def __len__(self) -> int:
        return len(self._running)

    def _begin(self, session: TaskSession, known: TaskBundle | None = None, turns: TakingUp | None = None) -> None:
        self._running[session.task_id] = session
        self._group.start_soon(self._run, session, known, turns, name=f"session {session.task_id}")

    async def _run(self, session: TaskSession, known: TaskBundle | None, turns: TakingUp | None) -> None:
        again = _AGAIN_AFTER
        try:
            while True:
                try:
                    await session.run(known, turns)
                    return
                except Exception:  # noqa: BLE001 - one task's end must not be the engine's: the disk is full, say
                    _log.exception("the session of task %s ended; again in %g s", session.task_id, again)
                    self._house.slots.release(session.task_id)
                known = turns = None
                await session.pause(again)
                again = min(2 * again, _AGAIN_AT_MOST)
        finally:
            self._running.pop(session.task_id, None)
