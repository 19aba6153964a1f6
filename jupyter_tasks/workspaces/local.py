"""Workspaces as processes on this machine, isolated by bubblewrap.

Owns the provisioner: when what is made, found, stopped and removed. The parts are elsewhere: ``sandbox*`` (what is
seen), ``local_launch`` (processes that cannot get lost), ``local_files``, ``local_record``, ``limits``. Nothing runs in
the background here: bounds are watched by ``wait``, which the engine calls for every running workspace.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread
import traitlets
from traitlets.config import Configurable

from jupyter_tasks.clock import Clock, SystemClock
from jupyter_tasks.errors import NotFound
from jupyter_tasks.templates.plan import LocalWorkspace, WorkspacePlan
from jupyter_tasks.workspaces import local_ending, local_view
from jupyter_tasks.workspaces.limits import Limits
from jupyter_tasks.workspaces.local_files import below_home, host_dir
from jupyter_tasks.workspaces.local_record import RunRecord, WorkspaceFolder, is_workspace_id
from jupyter_tasks.workspaces.local_start import Order, WaitReady, agent_dir, beside, failure_to_answer, launch, prepare
from jupyter_tasks.workspaces.local_tree import remove_tree
from jupyter_tasks.workspaces.provisioner import (
    Exit,
    Isolation,
    LinkAddress,
    ProgressReport,
    RunningWorkspace,
    WorkspaceRef,
    WorkspaceUsage,
)
from jupyter_tasks.workspaces.sandbox import Bubblewrap, Failure, SandboxProbe, unsupported

__all__ = ["LocalProvisioner"]

_T = TypeVar("_T")


async def _wait_ready(address: LinkAddress, token: str, timeout: float, clock: Clock) -> object:
    from jupyter_tasks.workspaces.connection import Link

    return await Link(address, token, clock=clock).wait_ready(timeout)


def _archive() -> Path:
    from jupyter_tasks.workspaces.agent_archive import agent_archive

    return agent_archive()


class LocalProvisioner(Configurable):
    """Runs workspaces on this machine, each in namespaces of its own."""

    name = "local"

    sandbox = traitlets.Enum(
        ("require", "off"),
        default_value="require",
        help="""Whether a local workspace must be isolated. "require": where bubblewrap cannot make its namespaces
        (some containers, AppArmor, a sysctl, not Linux), a task is refused with the cause and the remedy. "off":
        agents run as your own user without any isolation, and every task made so says "not isolated". The offline
        agent of the quickstart template, our own rule-based program, also runs where isolation is required and not to
        be had.""",
    ).tag(config=True)
    memory = traitlets.Int(
        4 << 30, min=64 << 20, help="Bytes of memory of a workspace whose template sets no limit (PSS, as a whole)."
    ).tag(config=True)
    processes = traitlets.Int(
        1024, min=8, help="How many processes a workspace whose template sets no limit may run."
    ).tag(config=True)
    cpu_share = traitlets.Int(
        100,
        min=1,
        max=100,
        help="Percent of an ordinary process group's share of the processor, where the template sets none.",
    ).tag(config=True)
    disk = traitlets.Int(10 << 30, min=1 << 20, help="Bytes of disk that one workspace may fill.").tag(config=True)
    mounts = traitlets.List(
        traitlets.Unicode(),
        help="""Directories below which a template may mount hidden directories of your home, such as
        ~/.cache/huggingface; the others are refused, because programs keep their keys there.""",
    ).tag(config=True)

    def __init__(
        self,
        *,
        state: Path,
        links: Path,
        clock: Clock | None = None,
        archive: Callable[[], Path] = _archive,
        wait_ready: WaitReady = _wait_ready,
        **traits: Any,
    ) -> None:
        """Workspaces live in ``<state>/workspaces/<id>/``, their link sockets in ``<links>/<id>/``.

        ``archive`` names the workspace agent's zipapp, ``wait_ready`` waits for it. Nothing is touched yet.
        """
        super().__init__(**traits)
        self._workspaces = Path(state).absolute() / "workspaces"
        self._links = Path(links).absolute()
        self._clock = clock or SystemClock()
        self._archive = archive
        self._archive_found: Path | None = None
        self._wait_ready = wait_ready
        self._probe = SandboxProbe(self._clock)
        # as long as somebody holds or awaits one
        self._locks: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()
        self._threads = anyio.CapacityLimiter(8)
        self._watching = anyio.CapacityLimiter(4)  # apart, so that measuring a big disk delays no start

    # -- the Protocol --------------------------------------------------------------------------------------------

    async def check(self, ref: WorkspaceRef, plan: WorkspacePlan) -> Isolation:
        """See ``Provisioner.check``."""
        folder = self._folder(ref.id)
        await self._blocking(local_view.check_plan, ref, self._local(plan), self._private())
        isolation = self._isolation(ref, await self._blocking(self._bubblewrap))
        home = local_view.home_inside() if isolation.kind != "none" else str(folder.home)
        below_home(agent_dir(plan), home)
        return isolation

    async def start(self, ref: WorkspaceRef, plan: WorkspacePlan, progress: ProgressReport) -> RunningWorkspace:
        """See ``Provisioner.start``."""
        folder = self._folder(ref.id)
        async with self._lock(ref.id):
            record = await self._found(folder, ref) or await self._make(folder, ref, plan, progress)
        return record.running(folder.link)

    async def find(self, workspace_id: str) -> RunningWorkspace | None:
        """See ``Provisioner.find``."""
        folder = self._folder(workspace_id)
        record = await self._blocking(self._running, folder)
        return None if record is None else record.running(folder.link)

    async def wait(self, workspace_id: str) -> Exit:
        """See ``Provisioner.wait``. Watches the bounds of the workspace meanwhile."""
        folder = self._folder(workspace_id)
        while (record := await self._blocking(self._running, folder)) is not None:
            broken = await local_ending.watch(folder, record, self._clock, self._watching)
            if broken is not None:
                async with self._lock(workspace_id):
                    await self._end(folder, broken, only=record)
        async with self._lock(workspace_id):
            if await self._blocking(self._running, folder) is None:
                return await self._blocking(local_ending.last_exit, folder)
        return await self.wait(workspace_id)  # started again meanwhile

    async def stop(self, workspace_id: str, progress: ProgressReport, *, grace: float = 0.0) -> None:
        """See ``Provisioner.stop``."""
        folder = self._folder(workspace_id)
        async with self._lock(workspace_id):
            record = await self._blocking(self._running, folder)
            if record is not None:
                await progress("Ending the workspace's processes")
                await local_ending.ended_within(record, self._clock, grace)
            await self._end(folder, Exit(reason="The workspace was stopped."))

    async def delete(self, workspace_id: str, progress: ProgressReport) -> None:
        """See ``Provisioner.delete``."""
        folder = self._folder(workspace_id)
        async with self._lock(workspace_id):
            await self._end(folder, Exit(reason="The workspace was deleted."))
            if folder.root.exists():
                await progress("Removing the workspace's files")
                await self._blocking(remove_tree, folder.root)

    async def list(self) -> Sequence[str]:
        """See ``Provisioner.list``."""

        def names() -> Sequence[str]:
            found: set[str] = set()
            for directory in (self._workspaces, self._links):
                if directory.is_dir():
                    found.update(path.name for path in directory.iterdir() if is_workspace_id(path.name))
            return sorted(found)

        return await self._blocking(names)

    # -- abilities -----------------------------------------------------------------------------------------------

    def project_dir(self, workspace_id: str, plan_dir: str) -> Path:
        """See ``SupportsHostFiles``. Raises: InvalidInput outside the home, WorkspaceFailed behind a planted link."""
        folder = self._folder(workspace_id)
        record = folder.read_run()
        home = record.home if record is not None else local_view.home_inside()
        return host_dir(folder, below_home(plan_dir, home))

    async def usage(self, workspace_id: str) -> WorkspaceUsage:
        """See ``SupportsUsage``."""
        folder = self._folder(workspace_id)
        record = await self._blocking(self._running, folder)
        if record is None:
            raise NotFound(f"The workspace {workspace_id} is not running.", hint="Resume its task first.")
        return await self._blocking(local_ending.watchdog(folder, record).usage)

    # -- inside --------------------------------------------------------------------------------------------------

    async def _blocking(self, function: Callable[..., _T], *arguments: Any) -> _T:
        return await anyio.to_thread.run_sync(partial(function, *arguments), limiter=self._threads)

    def _folder(self, workspace_id: str) -> WorkspaceFolder:
        return WorkspaceFolder(self._workspaces, self._links, workspace_id)

    def _lock(self, workspace_id: str) -> anyio.Lock:
        lock = self._locks.get(workspace_id)
        if lock is None:
            lock = self._locks[workspace_id] = anyio.Lock()
        return lock

    def _private(self) -> local_view.Private:
        return local_view.Private.of(self._workspaces.parent, self._links.parent, self.mounts)

    def _local(self, plan: WorkspacePlan) -> LocalWorkspace:
        return plan.local or LocalWorkspace(memory=self.memory, processes=self.processes, cpu_share=self.cpu_share)

    @staticmethod
    def _running(folder: WorkspaceFolder) -> RunRecord | None:
        record = folder.read_run()
        return record if record is not None and local_ending.is_running(record) else None

    def _agent_file(self) -> Path:
        """The zipapp, asked for once: to look whether it is up to date reads every source of it."""
        if self._archive_found is None or not self._archive_found.is_file():
            self._archive_found = self._archive()
        return self._archive_found

    def _bubblewrap(self) -> Bubblewrap | Failure | None:
        return None if self.sandbox == "off" else self._probe.find()

    @staticmethod
    def _isolation(ref: WorkspaceRef, found: Bubblewrap | Failure | None) -> Isolation:
        if isinstance(found, Bubblewrap):
            return Isolation(kind="bubblewrap")
        if (nothing := unsupported()) is not None:
            raise nothing.error()
        if found is None:
            return Isolation(kind="none", reason="Not isolated: a setting of this machine turned it off.")
        if ref.allow_unisolated:
            return Isolation(kind="none", reason=f"Not isolated: {found.cause} It runs our own offline agent only.")
        raise found.error()

    async def _make(
        self, folder: WorkspaceFolder, ref: WorkspaceRef, plan: WorkspacePlan, progress: ProgressReport
    ) -> RunRecord:
        """Start what does not run. A thread is not cancelled in its middle: a process is recorded, or it ends."""
        found = await self._blocking(self._bubblewrap)
        isolation = self._isolation(ref, found)
        local = self._local(plan)
        order = Order(
            folder=folder,
            ref=ref,
            plan=plan,
            local=local,
            limits=Limits(memory=local.memory, processes=local.processes, disk=self.disk, cpu_share=local.cpu_share),
            private=self._private(),
            archive=await self._blocking(self._agent_file),
            isolation=isolation,
            bubblewrap=found if isinstance(found, Bubblewrap) else None,
        )
        await progress("Preparing the workspace's files")
        await self._blocking(prepare, order)
        await progress("Starting the sandbox" if order.bubblewrap else "Starting the workspace, not isolated")
        async with beside(ref.placed if order.bubblewrap else None):
            record = await self._blocking(launch, order)
            await progress("Waiting for the workspace agent")
            failed = await failure_to_answer(folder, record, self._clock, self._wait_ready)
        if failed is not None:
            await self._end(folder, Exit(reason=failed.message))
            raise failed
        return record

    async def _found(self, folder: WorkspaceFolder, ref: WorkspaceRef) -> RunRecord | None:
        """The run of this very build, if it answers; any other is ended."""
        record = await self._blocking(self._running, folder)
        if record is None:
            return None
        if record.build_id != ref.build_id:
            await self._end(folder, Exit(reason="Another build of the workspace was started."))
            return None
        # an engine that died before it gave the token leaves an agent that ends at once
        silent = await failure_to_answer(folder, record, self._clock, self._wait_ready)
        if silent is not None:
            await self._end(folder, Exit(reason=silent.message))
            return None
        return record

    async def _end(self, folder: WorkspaceFolder, exit_: Exit, only: RunRecord | None = None) -> None:
        """End whatever runs, verified, and forget it; the caller holds the lock. With ``only``, not another run."""
        with anyio.CancelScope(shield=True):
            if only is None or folder.read_run() == only:
                await self._blocking(local_ending.end_recorded, folder, exit_)
