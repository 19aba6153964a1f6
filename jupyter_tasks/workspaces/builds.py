"""The build job: make a workspace what its newest build says, however often it is begun again.

Owns the steps of start, stop and delete: load (short transaction) / act (no transaction) / apply (guarded by build id
and lock token). Every step is idempotent, so that a job killed anywhere is simply run again. What follows a start
(scripts, apps, the agent) is watched by ``tasks.live``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import anyio

from jupyter_tasks.clock import Clock
from jupyter_tasks.errors import LinkError, TasksError
from jupyter_tasks.templates.plan import Agent, WorkspacePlan
from jupyter_tasks.workspaces.connection import Link
from jupyter_tasks.workspaces.manifest import manifest
from jupyter_tasks.workspaces.provisioner import (
    Provisioner,
    RunningWorkspace,
    SupportsHostFiles,
    WorkspaceRef,
)

__all__ = ["Ending", "Log", "StartBuild", "main_agent", "project_dir", "remove_workspace", "stop_workspace"]

Log = Callable[[str, str], Awaitable[None]]
"""Called with a stage and a line of a person's language."""


class Ending(Protocol):
    """``stop_workspace`` or ``remove_workspace``."""

    async def __call__(
        self, provisioner: Provisioner, workspace_id: str, *, clock: Clock, grace: float, log: Log
    ) -> None: ...


STOP_TIMEOUT = 60.0


def main_agent(plan: WorkspacePlan) -> Agent:
    """The workspace agent that carries the task's app, else the first."""
    if plan.task is not None:
        for agent in plan.agents:
            if any(app.id == plan.task.app_id for app in agent.apps):
                return agent
    return plan.agents[0]


def project_dir(provisioner: Provisioner, workspace_id: str, plan: WorkspacePlan) -> Path | None:
    """Where the agent's directory lies on this machine; None where its files cannot be read from here."""
    if isinstance(provisioner, SupportsHostFiles):
        return provisioner.project_dir(workspace_id, main_agent(plan).dir or "~/project")
    return None


@dataclass(frozen=True, slots=True)
class StartBuild:
    """One start build. ``take_base`` remembers the tree as it is before anything of the template has run;
    ``task_token`` is what the LLM gateway takes from this workspace."""

    ref: WorkspaceRef
    plan: WorkspacePlan
    provisioner: Provisioner
    clock: Clock
    task_id: str
    log: Log
    take_base: Callable[[Path], Awaitable[None]]
    task_token: str = field(default="", repr=False)

    async def run(self) -> RunningWorkspace:
        """Act. Returns once the workspace agent has been told what to run. Raises: TasksError."""
        agent = main_agent(self.plan)
        counts = f"{_count(len(agent.scripts), 'script')}, {_count(len(agent.apps), 'app')}"
        await self.log("plan", f"{counts}, agent {agent.name}")

        async def progress(line: str) -> None:
            await self.log("workspace", line)

        based = False

        async def take_base() -> None:
            nonlocal based
            tree = project_dir(self.provisioner, self.ref.id, self.plan)
            if tree is not None:
                await self.take_base(tree)
                await self.log("files", f"in place at {agent.dir or '~/project'}")
            based = True

        running = await self.provisioner.start(replace(self.ref, placed=take_base), self.plan, progress)
        where = running.isolation
        await self.log("workspace", where.reason if where.kind == "none" else f"isolated by {where.kind}")
        if not based:  # it ran already, or its provisioner cannot do it in the meantime
            await take_base()
        link = Link(running.address, running.token, clock=self.clock)
        await link.start(
            manifest(
                self.plan,
                agent,
                build_id=self.ref.build_id,
                ref=self.ref,
                token=str(uuid4()),
                task_token=self.task_token,
                task_id=self.task_id,
                env={},
                ports=running.ports,
                own_network=running.isolation.kind != "none",
            )
        )
        return running


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


async def stop_workspace(provisioner: Provisioner, workspace_id: str, *, clock: Clock, grace: float, log: Log) -> None:
    """Ask the workspace agent to end everything, then end what is left and verify it. Raises: WorkspaceFailed."""

    async def progress(line: str) -> None:
        await log("workspace", line)

    running = await provisioner.find(workspace_id)
    if running is not None:
        link = Link(running.address, running.token, clock=clock)
        try:
            with anyio.move_on_after(grace + 5.0):
                await link.stop(grace)
        except LinkError as error:
            await log("workspace", f"The workspace agent does not answer ({error.message}); ending its processes.")
    with anyio.fail_after(STOP_TIMEOUT):
        await provisioner.stop(workspace_id, progress, grace=1.0)


async def remove_workspace(
    provisioner: Provisioner, workspace_id: str, *, clock: Clock, grace: float, log: Log
) -> None:
    """Stop, then remove every file of the workspace. Raises: WorkspaceFailed."""

    async def progress(line: str) -> None:
        await log("workspace", line)

    try:
        await stop_workspace(provisioner, workspace_id, clock=clock, grace=grace, log=log)
    except TasksError as error:
        await log("workspace", str(error))
    await provisioner.delete(workspace_id, progress)
