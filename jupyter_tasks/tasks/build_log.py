"""What a build says while it works.

Owns that nobody waits for it: lines are kept for a moment and written together, in their order, all of them before the
build's end is. A build that was killed may miss its last lines; what it has done is in other rows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from jupyter_tasks.errors import StoreError
from jupyter_tasks.store.build_rows import set_stage
from jupyter_tasks.store.journal import Change
from jupyter_tasks.tasks.house import House

__all__ = ["BuildLog"]

MOST_UNWRITTEN = 256


class BuildLog:
    """The lines of one build. Call it with a stage and a line of a person's language, within ``writing``."""

    def __init__(self, task_id: str, build_id: str, house: House) -> None:
        self._task_id = task_id
        self._build_id = build_id
        self._house = house
        self._unwritten: list[tuple[str, str]] = []
        self._said = anyio.Event()
        self._failure: StoreError | None = None

    async def __call__(self, stage: str, text: str) -> None:
        """Say a line. Raises: StoreError when an earlier one could not be written."""
        if self._failure is not None:
            raise self._failure
        self._unwritten.append((stage, text))
        self._said.set()
        if len(self._unwritten) >= MOST_UNWRITTEN:
            await self._write()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Within it lines are written soon; at its end all of them are. What is raised in it comes out as it is."""
        raised: Exception | None = None
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._keep_writing, name=f"build log {self._build_id}")
                try:
                    yield
                except Exception as error:  # noqa: BLE001 - a task group would wrap it
                    raised = error
                group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._write()
        if raised is not None:
            raise raised

    async def _keep_writing(self) -> None:
        while self._failure is None:
            await self._said.wait()
            await self._write()

    async def _write(self) -> None:
        self._said = anyio.Event()
        lines, self._unwritten = self._unwritten, []
        if not lines:
            return

        def work(change: Change) -> None:
            set_stage(change.connection, self._build_id, lines[-1][0])
            for stage, text in lines:
                self._house.log_in(change, self._task_id, self._build_id, stage, text)

        try:
            await self._house.change(self._task_id, work)
        except StoreError as error:  # the build fails with it at its next step, and so does its end
            self._failure = error
