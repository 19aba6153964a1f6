"""The Jupyter Server extension: authenticates, forwards to the engine, relays its events (design D9).

Owns its life inside a Jupyter server: what is registered as it starts (little: the server's first answer must not
wait), what runs beside it, and what becomes of working tasks when it is stopped. Never the work itself.
"""

from __future__ import annotations

import asyncio
import json
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import anyio
from jupyter_server.extension.application import ExtensionApp

from jupyter_tasks.clock import Clock, SystemClock
from jupyter_tasks.config import ExtensionSettings
from jupyter_tasks.errors import TasksError
from jupyter_tasks.server.engine_link import EngineLink, InProcess, outside
from jupyter_tasks.server.event_relay import EventRelay
from jupyter_tasks.server.forwarding import ROUTES
from jupyter_tasks.server.keep_alive import KeepAlive

__all__ = ["SCHEMA", "TasksExtension"]

SCHEMA = "https://schema.jupyter.org/jupyter_tasks/task_state/v1"
_SCHEMA_FILE = Path(__file__).parent / "event_schemas" / "task_state.v1.yaml"
_STOP = 10.0  # seconds for pausing tasks as the server ends


class TasksExtension(ExtensionSettings, ExtensionApp):
    """Jupyter Tasks in a Jupyter server. Its settings are ``c.TasksExtension.…``."""

    name = "tasks"
    description = "Hand a prompt to a coding agent; it works in an isolated workspace of its own."
    load_other_extensions = True
    clock: Clock = SystemClock()

    def initialize_settings(self) -> None:
        self._inside = InProcess(self.config) if self.engine == "inprocess" else None
        self.link = EngineLink(self._inside.start if self._inside else outside(self.launch_timeout))
        self.keep_alive = KeepAlive(self.keep_alive_hours, self._touch, self.clock)
        self.relay = EventRelay(self.link, self._emit, self.keep_alive, self.clock)
        self._beside: list[asyncio.Task[None]] = []

    def initialize_handlers(self) -> None:
        self.handlers.extend(ROUTES)

    async def _start_jupyter_server_extension(self, _serverapp: Any) -> None:
        self._server.event_logger.register_event_schema(_SCHEMA_FILE)
        self._beside = [
            asyncio.create_task(self.relay.run(), name="jupyter-tasks events"),
            asyncio.create_task(self.keep_alive.run(), name="jupyter-tasks keep-alive"),
        ]
        if self._inside is not None:
            # now, not when it is needed: a kernel or shell that came before would start a process of its own
            self._beside.append(asyncio.create_task(self._start_inside(), name="jupyter-tasks engine's start"))
        for task in self._beside:
            task.add_done_callback(self._ended)

    async def stop_extension(self) -> None:
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        if self.on_stop == "pause" and not self._others():
            with anyio.move_on_after(_STOP):
                await self._pause_working()
        if self._inside is not None:
            with anyio.move_on_after(_STOP):
                await self._inside.stop()

    def current_activity(self) -> dict[str, int] | None:
        """What keeps ``shutdown_no_activity`` from ending this server: tasks at work."""
        working = self.keep_alive.working
        return {"working": working} if working else None

    # ------------------------------------------------------------ inside

    @property
    def _server(self) -> Any:
        """The Jupyter server: there is one from before ``initialize`` on."""
        return self.serverapp

    async def _start_inside(self) -> None:
        try:
            await (await self.link.connect()).aclose()
        except TasksError as error:
            self.log.warning("The engine of Jupyter Tasks did not start with this server: %s", error)

    def _emit(self, data: dict[str, Any]) -> None:
        try:
            self._server.event_logger.emit(schema_id=SCHEMA, data=data)
        except Exception:
            self.log.warning("An event of Jupyter Tasks could not be passed on.", exc_info=True)

    def _touch(self) -> None:
        self._server.web_app.settings["last_activity_times"]["jupyter_tasks"] = datetime.now(timezone.utc)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.log.error("%s ended", task.get_name(), exc_info=task.exception())

    def _others(self) -> bool:
        """Whether another Jupyter server of this user runs."""
        from jupyter_server.serverapp import list_running_servers

        running = list_running_servers(self._server.runtime_dir)
        return any(info.get("pid") != os.getpid() for info in running)

    async def _pause_working(self) -> None:
        """Pause what works, if an engine runs at all."""
        stream = await self.link.peek()
        if stream is None:
            return
        try:
            _, body = await self.link.ask("GET", "/api/v2/tasks", stream)
            self.keep_alive.reset(json.loads(body)["tasks"])
            for task_id in self.keep_alive.tasks:
                await self.link.ask("POST", f"/api/v2/tasks/me/{task_id}/pause")
        except (TasksError, ValueError, KeyError) as error:
            self.log.warning("Working tasks could not be paused: %s", error)
