"""One start of a local workspace, step by step.

Owns the order of a start (end what is left, files, processes, wait until the agent answers) and what is put into it:
the agent's command line, its environment, limits and record. ``local`` decides when; ``local_launch`` has the
processes.
"""

from __future__ import annotations

import errno
import os
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio

from jupyter_tasks.clock import Clock
from jupyter_tasks.errors import InvalidInput, LinkError, WorkspaceFailed
from jupyter_tasks.templates.plan import LocalWorkspace, WorkspacePlan
from jupyter_tasks.workspaces import local_ending, local_view
from jupyter_tasks.workspaces.limits import Limits
from jupyter_tasks.workspaces.limits_cgroup import Cgroup, delegated
from jupyter_tasks.workspaces.local_env import choose_ports, workspace_env
from jupyter_tasks.workspaces.local_files import below_home, fresh_link_dir, make_home, make_scratch
from jupyter_tasks.workspaces.local_launch import Started, launch_plain, launch_sandboxed
from jupyter_tasks.workspaces.local_record import RunRecord, WorkspaceFolder
from jupyter_tasks.workspaces.processes import open_pidfd
from jupyter_tasks.workspaces.provisioner import Isolation, LinkAddress, WorkspaceRef
from jupyter_tasks.workspaces.sandbox import Bubblewrap
from jupyter_tasks.workspaces.sandbox_command import INSIDE

__all__ = ["Order", "WaitReady", "agent_dir", "beside", "failure_to_answer", "launch", "prepare"]

WaitReady = Callable[[LinkAddress, str, float, Clock], Awaitable[object]]
"""Returns when the workspace agent behind the address answers ``hello`` to the token. Raises: LinkError after so many
seconds."""

_READY_TIMEOUT = 30.0
_LONGEST_SOCKET = 107


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be started. ``bubblewrap`` is None where it is to run without isolation."""

    folder: WorkspaceFolder
    ref: WorkspaceRef
    plan: WorkspacePlan
    local: LocalWorkspace
    limits: Limits
    private: local_view.Private
    archive: Path
    isolation: Isolation
    bubblewrap: Bubblewrap | None

    @property
    def home(self) -> str:
        """$HOME as the workspace sees it."""
        return local_view.home_inside() if self.bubblewrap else os.fspath(self.folder.home)


def agent_dir(plan: WorkspacePlan) -> str:
    """The directory of the plan's first agent as the template says it."""
    return plan.agents[0].dir if plan.agents else ""


def prepare(order: Order) -> None:
    """Make the files. Blocks. Raises: WorkspaceFailed, InvalidInput."""
    folder = order.folder
    try:
        local_ending.end_all(folder)  # what an unrecorded or half-ended run left
        parts = below_home(agent_dir(order.plan), order.home)
        make_home(
            folder, order.local.files, parts, order.home, order.ref.python_env or Path(sys.prefix), order.ref.fill
        )
        make_scratch(folder)
        fresh_link_dir(folder)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise WorkspaceFailed(
            f"The files of the workspace {folder.id} could not be made: {error.strerror} ({error.filename}).",
            hint="Free some disk space, then resume the task." if full else "",
        ) from error


def launch(order: Order) -> RunRecord:
    """Start the processes and write them down. Blocks for milliseconds. Raises: WorkspaceFailed, InvalidInput."""
    return _launch_sandboxed(order, order.bubblewrap) if order.bubblewrap else _launch_plain(order)


def _launch_sandboxed(order: Order, bubblewrap: Bubblewrap) -> RunRecord:
    view = local_view.view(order.folder, order.ref, order.local, order.archive, order.private)
    return launch_sandboxed(
        order.folder,
        partial(local_view.command, bubblewrap.path, view),
        _agent(INSIDE.archive, f"{INSIDE.link}/link.sock", INSIDE.state),
        workspace_env(order.folder.id, view.home_inside, "/tmp", view.needs.bin),  # noqa: S108
        partial(_record, order, {}),
    )


def _launch_plain(order: Order) -> RunRecord:
    folder = order.folder
    if len(os.fsencode(folder.link)) > _LONGEST_SOCKET:
        raise InvalidInput(
            f"The path of the link socket {folder.link} is too long for a socket.",
            hint="Name a shorter directory in JUPYTER_TASKS_RUNTIME_DIR.",
        )
    ports, told = choose_ports(order.plan)
    bins = local_view.needs(order.ref, order.local, order.private).bin
    env = workspace_env(folder.id, order.home, os.fspath(folder.scratch / "tmp"), bins) | told
    program = _agent(os.fspath(order.archive), os.fspath(folder.link), os.fspath(folder.agent_state))
    return launch_plain(folder, program, env, partial(_record, order, ports))


def _agent(archive: str, socket: str, state: str) -> Sequence[str]:
    # -S: the agent is standard library only, and site-packages cost it a quarter of its start
    interpreter = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    # not as a zipapp: to find its __main__, Python imports a quarter of what the agent itself needs
    code = f"import sys; sys.path.insert(0, {archive!r}); from agent.__main__ import main; main()"
    return [interpreter, "-I", "-S", "-c", code, "--socket", socket, "--state", state]


def _record(order: Order, ports: dict[int, int], started: Started) -> RunRecord:
    """What to write down of a process that waits to be let go; puts it into its cgroup first, where there is one."""
    parent = delegated()
    group = None if parent is None else Cgroup.make(parent, order.folder.id, order.limits)
    if group is not None and not group.join(started.process.pid):
        group.remove()
        group = None
    return RunRecord(
        workspace_id=order.folder.id,
        build_id=order.ref.build_id,
        token=secrets.token_urlsafe(32),
        process=started.process,
        namespace=started.namespace,
        child=started.child,
        isolation=order.isolation,
        home=order.home,
        limits=order.limits,
        ports=ports,
        cgroup="" if group is None else os.fspath(group.path),
    )


@asynccontextmanager
async def beside(work: Callable[[], Awaitable[None]] | None) -> AsyncIterator[None]:
    """Within it ``work`` runs too, and has ended behind it. Raises: what the body or else ``work`` raises, as it is."""
    raised: list[Exception] = []

    async def guarded(what: Callable[[], Awaitable[None]]) -> None:
        try:
            await what()
        except Exception as error:  # noqa: BLE001 - a task group would wrap it
            raised.append(error)

    async with anyio.create_task_group() as tasks:
        if work is not None:
            tasks.start_soon(guarded, work)
        try:
            yield
        except Exception as error:  # noqa: BLE001 - as above
            raised.insert(0, error)
            tasks.cancel_scope.cancel()
    if raised:
        raise raised[0]


async def failure_to_answer(
    folder: WorkspaceFolder, record: RunRecord, clock: Clock, wait_ready: WaitReady
) -> WorkspaceFailed | None:
    """Wait until the agent of this run answers; why it does not, as soon as it has ended or after 30 seconds."""
    failed: WorkspaceFailed | None = None
    deadline = clock.monotonic() + _READY_TIMEOUT
    async with anyio.create_task_group() as tasks:

        async def ended() -> None:
            nonlocal failed
            fd = open_pidfd(record.process)
            if fd is not None:
                try:
                    await anyio.wait_readable(fd)
                finally:
                    os.close(fd)
            failed = WorkspaceFailed(f"The agent of the workspace {folder.id} ended while it started.")
            tasks.cancel_scope.cancel()

        tasks.start_soon(ended)
        pause = 0.002
        while not folder.link.exists() and clock.monotonic() < deadline:  # cheaper than to ask
            await clock.sleep(pause)
            pause = min(0.05, pause * 1.05)
        try:
            left = max(1.0, deadline - clock.monotonic())
            await wait_ready(LinkAddress(socket=folder.link), record.token, left, clock)
        except LinkError as error:
            failed = WorkspaceFailed(f"The agent of the workspace {folder.id} does not answer: {error.message}")
        tasks.cancel_scope.cancel()
    if failed is not None:
        said = folder.read_log()
        failed.detail = f"({said})" if said else ""
    return failed
