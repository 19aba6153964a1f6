"""A running workspace, attached: what its agent tells becomes rows, what others want of it goes through its link.

Owns the watch over one start build's workspace from "told what to run" until it ends or something else is wanted. It
may be attached any number of times (each restart of the engine): what has been taken in before is not told again.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import anyio
from anyio.abc import ByteStream, TaskGroup

from jupyter_tasks import models
from jupyter_tasks.agentapi.http11 import serve_connection
from jupyter_tasks.errors import Conflict, LinkError, TasksError
from jupyter_tasks.metering.gateway import PARKED, Grant
from jupyter_tasks.metering.gateway import SERVICE as GATEWAY
from jupyter_tasks.store.build_rows import fail_started, set_runtime, set_stage
from jupyter_tasks.store.journal import Change
from jupyter_tasks.store.log_rows import set_snapshot
from jupyter_tasks.store.talk_rows import AppStatusRow, add_app_status
from jupyter_tasks.tasks.applying import know_unapplied
from jupyter_tasks.tasks.bundle import TaskBundle
from jupyter_tasks.tasks.house import House
from jupyter_tasks.tasks.live_apps import AppTarget, app_target
from jupyter_tasks.tasks.requests import workspace_lost
from jupyter_tasks.tasks.taking_up import TURN, TakingUp
from jupyter_tasks.tasks.talk import Talk
from jupyter_tasks.tasks.workspace_api import Report, WorkspaceApi
from jupyter_tasks.workspaces.builds import main_agent, project_dir
from jupyter_tasks.workspaces.connection import Link
from jupyter_tasks.workspaces.link_events import (
    AgentAPIRegistered,
    AppHealth,
    LifecycleChanged,
    LinkEvent,
    ScriptChanged,
    StateSnapshot,
)
from jupyter_tasks.workspaces.provisioner import Exit, RunningWorkspace

__all__ = ["LiveWorkspace", "Terminal"]

_log = logging.getLogger(__name__)

RETRY = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Terminal:
    """Bytes of the agent's terminal (``tasks.api.TerminalStream``)."""

    offset: int
    cols: int
    rows: int
    _chunks: AsyncIterator[bytes]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks


class LiveWorkspace:
    """One start build's workspace, as long as this engine is attached to it."""

    def __init__(self, bundle: TaskBundle, house: House) -> None:
        self._bundle = bundle
        self._house = house
        self._task_id = bundle.task.id
        self._build_id = bundle.build.id
        self._agent = main_agent(bundle.plan)
        self._scripts = {script.id: script.display_name for script in self._agent.scripts}
        self._runtime = bundle.build.runtime
        self._running: RunningWorkspace | None = None
        self._link: Link | None = None
        self._talk: Talk | None = None
        self._heard = anyio.Event()

    async def run(self, turns: TakingUp | None = None) -> None:
        """Until the workspace has ended, or the session cancels this.

        Args: turns: of the many that a new engine takes up; None for one that was just started.
        """
        async with anyio.create_task_group() as group:
            async with turns.attach() if turns else nullcontext():
                attached = await self._attach(group)
                if attached is not None and turns is not None:
                    with anyio.move_on_after(TURN):
                        await self._heard.wait()
            if attached is None:
                await self._lost()
                return
            async with turns.rest() if turns else nullcontext():
                self._follow(group, *attached)
            ended = await self._house.provisioners[self._bundle.plan.kind].wait(self._bundle.task.workspace_id)
            await self._ended(ended)
            group.cancel_scope.cancel()

    async def _attach(self, group: TaskGroup) -> tuple[Link, Talk] | None:
        """Find the workspace, and watch it; None where it no longer runs."""
        provisioner = self._house.provisioners[self._bundle.plan.kind]
        workspace_id = self._bundle.task.workspace_id
        running = await provisioner.find(workspace_id)
        if running is None or running.build_id != self._build_id:
            return None
        link = Link(running.address, running.token, clock=self._house.clock)
        talk = Talk(self._bundle, self._house, link)
        self._running, self._link, self._talk = running, link, talk
        group.start_soon(self._watch, link, talk, name=f"watch {self._task_id}")
        return link, talk

    def _follow(self, group: TaskGroup, link: Link, talk: Talk) -> None:
        """Talk with its agent, and serve what it asks."""
        group.start_soon(self._serve, link, "coder", self._serve_workspace, name=f"coder api {self._task_id}")
        group.start_soon(self._serve, link, GATEWAY, self._serve_gateway, PARKED, name=f"gateway {self._task_id}")
        group.start_soon(self._serve, link, "agentapi", talk.serve_api, name=f"agentapi {self._task_id}")
        group.start_soon(talk.run, name=f"talk {self._task_id}")
        group.start_soon(self._count_changes, talk, name=f"changes {self._task_id}")

    # ------------------------------------------------------------ what others want

    @property
    def attached(self) -> bool:
        """Whether the link is up."""
        return self._link is not None

    @property
    def link(self) -> Link:
        """The link. Raises: Conflict before it is up."""
        if self._link is None:
            raise _not_yet(self._bundle)
        return self._link

    @property
    def talk(self) -> Talk:
        """The talk with the agent. Raises: Conflict before it is up."""
        if self._talk is None:
            raise _not_yet(self._bundle)
        return self._talk

    def app(self, slug: str | None) -> AppTarget:
        """The app of that slug, else the preview, else the first that can be shown. Raises: NotFound."""
        return app_target(self._bundle.plan, self._running.ports if self._running is not None else {}, slug)

    async def dial(self, app: AppTarget) -> ByteStream:
        """A connection to an app. Raises: AppUnreachable."""
        return await self.link.tunnel(app.port)

    @asynccontextmanager
    async def terminal(self, *, offset: int, follow: bool) -> AsyncIterator[Terminal]:
        """The agent's own terminal from ``offset`` on (negative: from the end)."""
        terminal = self._terminal_id()
        if offset < 0:
            async with self.link.read_terminal(terminal, 0, follow=False) as present:
                offset = max(0, present.head + offset)
        async with self.link.read_terminal(terminal, offset, follow=follow) as reading:
            yield Terminal(reading.offset, reading.cols, reading.rows, reading.chunks)

    async def type_terminal(self, request: models.TerminalInput) -> bool:
        """Keystrokes and size; whether the keystrokes had been typed before."""
        from jupyter_tasks.tasks.keystrokes import keystrokes

        terminal = self._terminal_id()
        if request.cols is not None and request.rows is not None:
            await self.link.resize(terminal, request.cols, request.rows)
            conversation = self.talk.conversation
            if conversation is not None:
                conversation.resize(request.cols, request.rows)
        if request.data is None:
            return False
        data, key = keystrokes(request)
        return await self.link.write_terminal(terminal, data, key)

    def _terminal_id(self) -> str:
        terminal = self.talk.terminal
        if terminal is None:
            raise _not_yet(self._bundle)
        return terminal

    # ------------------------------------------------------------ what the workspace agent tells

    async def _watch(self, link: Link, talk: Talk) -> None:
        attempt = 0
        while True:
            try:
                hello = await link.hello()
                if hello.boot_id != self._runtime.boot_id:
                    await self._know(boot_id=hello.boot_id, watched=0, connected=True)
                elif not self._runtime.connected:
                    await self._know(connected=True)
                attempt = 0
                async with aclosing(link.watch(0)) as events:
                    async for event in events:
                        await self._take_in(event, talk)
                        self._heard.set()
            except LinkError as error:
                self._heard.set()  # there is nothing to wait for
                _log.info("task %s: watch: %s", self._task_id, error.message)
            if self._runtime.connected and attempt > 2:
                await self._know(connected=False)
            await self._house.clock.sleep(RETRY[min(attempt, len(RETRY) - 1)])
            attempt += 1

    async def _take_in(self, event: LinkEvent, talk: Talk) -> None:
        match event:
            case StateSnapshot():
                for each in (*event.scripts, *event.apps):
                    await self._take_in(each, talk)
                if event.agentapi is not None:
                    talk.register(event.agentapi)
                await self._lifecycle(event.lifecycle, event.seq, talk)
            case AgentAPIRegistered():
                talk.register(event)
            case LifecycleChanged():
                await self._lifecycle(event.state, event.seq, talk)
            case ScriptChanged() if event.seq > self._runtime.watched:
                await self._script(event)
            case AppHealth() if event.seq > self._runtime.watched:
                await self._app(event)
            case _:
                pass

    async def _lifecycle(self, state: str, seq: int, talk: Talk) -> None:
        if state == "ready":
            talk.open_gate()
        if seq <= self._runtime.watched or state == self._runtime.lifecycle:
            return
        again = "the prompt was not given. Its log: logs --kind script; resume to try again."
        text, level = {
            "ready": ("ready", "done"),
            "start_error": (f"A start script failed: {again}", "error"),
            "start_timeout": (f"A start script took too long: {again}", "error"),
        }.get(state, (state.replace("_", " "), "info"))

        def work(change: Change) -> None:
            set_stage(change.connection, self._build_id, "agent")
            self._house.log_in(change, self._task_id, self._build_id, "agent", text, level)
            self._runtime = set_runtime(change.connection, self._build_id, lifecycle=state, watched=seq)
            if level == "error":
                add_app_status(change.connection, self._task_id, _failure(text, self._build_id, change))

        await self._house.change(self._task_id, work)

    async def _script(self, event: ScriptChanged) -> None:
        name = self._scripts.get(event.id, event.id)
        text, level = {
            "running": (f"{name}: running", "info"),
            "ok": (f"{name}: done", "info"),
            "timeout": (f"{name}: timed out", "error"),
        }.get(event.status, (f"{name}: failed with exit code {event.exit}", "error"))

        def work(change: Change) -> None:
            set_stage(change.connection, self._build_id, "scripts")
            self._house.log_in(change, self._task_id, self._build_id, "scripts", text, level)
            self._runtime = set_runtime(change.connection, self._build_id, watched=event.seq)

        await self._house.change(self._task_id, work)

    async def _app(self, event: AppHealth) -> None:
        health = {**self._runtime.apps, event.id: event.health}
        problem = f" ({event.problem})" if event.problem else ""
        reason = self._runtime.reason
        if self._bundle.plan.task is not None and event.id == self._bundle.plan.task.app_id:
            failed = f"The agent's app does not answer{problem}. Its logs: logs --kind script, logs --kind agent."
            reason = failed if event.health == "unhealthy" else None

        def work(change: Change) -> None:
            set_stage(change.connection, self._build_id, "apps")
            text = f"{event.slug}: {event.health}{problem}"
            self._house.log_in(change, self._task_id, self._build_id, "apps", text)
            changes = {"apps": health, "watched": event.seq, "reason": reason}
            self._runtime = set_runtime(change.connection, self._build_id, **changes)

        await self._house.change(self._task_id, work)

    async def _know(self, **changes: Any) -> None:
        def work(change: Change) -> None:
            self._runtime = set_runtime(change.connection, self._build_id, **changes)

        await self._house.change(self._task_id, work)

    async def _count_changes(self, talk: Talk) -> None:
        """Whenever the agent comes to rest: how many files are different now (it decides "Ready to review")."""
        provisioner = self._house.provisioners[self._bundle.plan.kind]
        workspace_id = self._bundle.task.workspace_id
        tree = project_dir(provisioner, workspace_id, self._bundle.plan)
        while tree is not None:
            await talk.rest()
            try:
                await know_unapplied(self._house, self._bundle, tree)
            except TasksError as error:
                _log.info("task %s: changes: %s", self._task_id, error)

    # ------------------------------------------------------------ what the workspace asks

    async def _serve(self, link: Link, service: str, handler: Any, parked: int = 4) -> None:
        attempt = 0
        while True:
            try:
                await link.serve_reverse(service, handler, parked=parked)
            except LinkError as error:
                _log.info("task %s: service %s: %s", self._task_id, service, error.message)
            await self._house.clock.sleep(RETRY[min(attempt, len(RETRY) - 1)])
            attempt += 1

    async def _serve_workspace(self, stream: ByteStream) -> None:
        slugs = frozenset(app.slug for agent in self._bundle.plan.agents for app in agent.apps)
        await serve_connection(stream, WorkspaceApi(self._task_id, slugs, self._report, self._snapshot))

    async def _serve_gateway(self, stream: ByteStream) -> None:
        token = self._house.task_tokens.token(self._build_id)
        await self._house.gateway.serve(
            stream,
            Grant(
                task_id=self._task_id,
                build_id=self._build_id,
                token=token,
                providers=frozenset(self._bundle.plan.providers),
            ),
        )

    async def _report(self, report: Report) -> None:
        self.talk.report(report.state, report.message, report.uri)

    async def _snapshot(self, messages: str) -> None:
        await self._house.change(
            self._task_id,
            lambda change: set_snapshot(change.connection, self._task_id, "agentapi", messages, change.now),
        )

    # ------------------------------------------------------------ the end

    async def _lost(self) -> None:
        reason = (
            "The workspace's processes are gone: the machine was restarted, or they were ended from outside. "
            "Its files are kept; resume to go on."
        )
        await self._house.change(self._task_id, lambda change: workspace_lost(change, self._bundle, reason))

    async def _ended(self, ended: Exit) -> None:
        self._house.capabilities.revoke(self._task_id)

        def work(change: Change) -> None:
            self._house.log_in(change, self._task_id, self._build_id, "workspace", ended.reason, "error")
            fail_started(change.connection, self._build_id, ended.reason)

        await self._house.change(self._task_id, work)


def _failure(text: str, build_id: str, change: Change) -> AppStatusRow:
    return AppStatusRow(
        build_id=build_id,
        state="failure",
        message=text[:160],
        uri="",
        source="build",
        since=change.now,
        created_at=change.now,
    )


def _not_yet(bundle: TaskBundle) -> Conflict:
    return Conflict(
        "Task is initializing.",
        detail=f'The agent of "{bundle.task.name}" has not started yet.',
        hint="Try again once it is active.",
        code="task_not_active",
    )
