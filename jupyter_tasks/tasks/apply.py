"""Apply: taking an agent's changes over into the user's own project, and taking them back.

Owns the order of things: one apply at a time, planned first (``apply_plan``), then all of it or nothing
(``apply_files``), with a row in the store. ``apply_branch`` makes a commit instead. The workspace is hostile
throughout: its files are seen by ``review_tree`` alone.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread

from jupyter_tasks import models
from jupyter_tasks.clock import Clock
from jupyter_tasks.errors import Conflict, TasksError, WorkspaceFailed
from jupyter_tasks.store.apply_rows import ApplyRow, ApplyState, applies_of, drop_apply, insert_apply, set_apply_state
from jupyter_tasks.store.journal import Journal
from jupyter_tasks.tasks.apply_asked import Wanted, applied_before, plan_files, target_of
from jupyter_tasks.tasks.apply_change import Plan
from jupyter_tasks.tasks.apply_files import (
    carry_out,
    journal_of,
    kept,
    prepare,
    prepare_undo,
    settle_quietly,
    take_back,
)
from jupyter_tasks.tasks.apply_journal import ApplyJournal
from jupyter_tasks.tasks.apply_target import Target
from jupyter_tasks.tasks.review import Review, Trees
from jupyter_tasks.tasks.review_git import shown

__all__ = ["Apply", "Count"]

KEPT = 10
"""So many applies of a task can be undone, newest first."""
PATIENCE = 60.0

_T = TypeVar("_T")

_threads = anyio.CapacityLimiter(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many files differ: ``changed`` from the base, ``unapplied`` from what was applied of them last."""

    changed: int
    unapplied: int


class Apply:
    """Applies of one task.

    Args:
        task_id: whose.
        review: has the base.
        tree: the workspace's project directory on this machine.
        target: the user's project; None where the task has none.
        journal_dir: where applies of all tasks are kept.
        clock: stamps rows, and paces waiting for another apply.
        journal: the store's.
        title: what the commit of a branch says by default; its first line counts.
        environment: of the user, for git in their repository.
        step: told each thing before it is done; for tests.
    """

    def __init__(
        self,
        *,
        task_id: str,
        review: Review,
        tree: Path,
        target: Path | None,
        journal_dir: Path,
        clock: Clock,
        journal: Journal,
        title: str = "",
        environment: Mapping[str, str] | None = None,
        step: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._task_id = task_id
        self._review = review
        self._tree = tree
        self._target = target
        self._place = journal_dir
        self._clock = clock
        self._journal = journal
        self._title = title
        self._environment = os.environ if environment is None else environment
        self._step = step

    async def apply(self, request: models.ApplyRequest) -> models.ApplyResponse:
        """Take changes over: all that are asked for, or none.

        Raises: InvalidInput, NotFound where project or path is not there, Conflict when the project was changed
            meanwhile, LimitReached, ProgramMissing, WorkspaceFailed. Nothing of the user's is changed then.
        """
        root = target_of(request, self._target)
        async with self._alone(), self._review.trees(self._tree) as trees:
            wanted = Wanted(request.paths, root, trees)
            rows = await self._rows()
            if request.branch is not None:
                return await self._branch(request, root, trees, wanted, rows)
            apply_id = str(uuid.uuid4())
            plan, journal = await self._thread(self._plan, root, trees, wanted, rows, apply_id)
            stops = plan.stops(accept_runnable=request.accept_runnable)
            response = models.ApplyResponse(
                applied=False, dry_run=request.dry_run, target=_text(root), files=[each.wire() for each in plan.changes]
            )
            if request.dry_run or stops:
                return response
            if journal is not None and plan.changes:
                with anyio.CancelScope(shield=True):
                    await self._take_over(journal, plan)
                response.id = apply_id
            response.applied = True
            return response

    async def undo(self) -> models.UndoResponse:
        """Put back what was there before the newest apply that stands.

        Raises: Conflict where there is none, NotFound where the project is gone, WorkspaceFailed.
        """
        async with self._alone():
            row = next((row for row in reversed(await self._rows()) if row.kind == "files" and row.files), None)
            if row is None:
                raise Conflict(
                    "There is nothing to undo: no changes of this task were applied to files.",
                    hint="A commit on a branch is undone with: git branch -D BRANCH",
                    retryable=False,
                )
            source = self._place / row.id
            done = await self._thread(kept, source)
            undo_id = str(uuid.uuid4())
            journal, files = await self._thread(prepare_undo, done, source, self._place / undo_id)
            undone = not any(each.action == "conflict" for each in files)
            if undone:
                with anyio.CancelScope(shield=True):
                    await self._undo(row, journal, source)
            return models.UndoResponse(id=row.id, undone=undone, target=row.target, files=list(files))

    async def unapplied(self) -> int:
        """How many files differ from what was applied of them last, or else from the base.

        Raises: Conflict where there is no base, LimitReached, WorkspaceFailed.
        """
        return (await self.count()).unapplied

    async def count(self) -> Count:
        """Both figures, of one reading of the tree. Raises: as ``unapplied``."""
        taken = applied_before(await self._rows(), branches=True)
        async with self._review.trees(self._tree, contents=False) as trees:
            paths = {*trees.base, *trees.now, *taken}
            left = sum(trees.now.get(path) != taken.get(path, trees.base.get(path)) for path in paths)
            return Count(changed=trees.changed, unapplied=left)

    # ------------------------------------------------------------ the steps

    async def _take_over(self, journal: ApplyJournal, plan: Plan) -> None:
        directory = self._place / journal.id
        await self._thread(prepare, journal, plan, directory)
        row = self._row(journal.id, _text(Path(journal.target)), plan)
        try:
            self._step("row")
            await self._journal.change(lambda change: insert_apply(change.connection, row))
        except BaseException:
            await self._thread(shutil.rmtree, directory, True)
            raise
        try:
            await self._thread(carry_out, journal, directory, directory, self._step)
            try:
                self._step("done")
                await self._state(row, "done")
            except BaseException:
                await self._thread(take_back, journal, directory)
                raise
        except BaseException:
            await self._journal.change(lambda change: drop_apply(change.connection, row.id))
            raise
        self._step("settle")
        await self._thread(settle_quietly, journal, directory)
        await self._forget_older()

    async def _undo(self, row: ApplyRow, journal: ApplyJournal, source: Path) -> None:
        directory = self._place / journal.id
        await self._thread(carry_out, journal, directory, source, self._step)
        try:
            self._step("undone")
            await self._state(row, "undone")
        except BaseException:
            await self._thread(take_back, journal, directory)
            raise
        self._step("settle")
        await self._thread(settle_quietly, journal, directory)
        for each in (source, directory):
            await self._thread(shutil.rmtree, each, True)

    async def _branch(
        self,
        request: models.ApplyRequest,
        root: Path,
        trees: Trees,
        wanted: Wanted,
        rows: Sequence[ApplyRow],
    ) -> models.ApplyResponse:
        from jupyter_tasks.tasks.apply_branch import Branch, plan_branch

        branch = Branch(root, request.branch or "", request.message or self._title, self._environment)
        plan, commit = await self._thread(plan_branch, branch, trees, wanted, applied_before(rows), request)
        if commit is not None:
            row = self._row(str(uuid.uuid4()), _text(root), plan, branch=request.branch, commit=commit)
            await self._journal.change(lambda change: insert_apply(change.connection, row))
        return models.ApplyResponse(
            applied=commit is not None,
            dry_run=request.dry_run,
            target=_text(root),
            files=[each.wire() for each in plan.changes],
            branch=request.branch,
            commit=commit,
        )

    def _row(
        self, apply_id: str, target: str, plan: Plan, branch: str | None = None, commit: str | None = None
    ) -> ApplyRow:
        listing = {
            os.fsdecode(each.path): None if each.theirs is None else (each.theirs[0].decode(), each.theirs[1].hex())
            for each in plan.changes
            if not each.left_out
        }
        now = self._clock.now()
        return ApplyRow(
            id=apply_id,
            task_id=self._task_id,
            kind="files" if branch is None else "branch",
            state="begun" if branch is None else "done",
            target=target,
            listing=listing,
            files=len(plan.writes()),
            branch=branch,
            commit=commit,
            created_at=now,
            updated_at=now,
        )

    async def _state(self, row: ApplyRow, state: ApplyState) -> None:
        await self._journal.change(lambda change: set_apply_state(change.connection, row.id, state, change.now))

    async def _rows(self) -> Sequence[ApplyRow]:
        """What stands, oldest first."""
        rows = await self._journal.read(lambda connection: applies_of(connection, self._task_id))
        return [row for row in rows if row.state == "done"]

    async def _forget_older(self) -> None:
        """Only so many can be undone."""
        for row in [row for row in await self._rows() if row.kind == "files"][:-KEPT]:
            await self._thread(shutil.rmtree, self._place / row.id, True)

    # ------------------------------------------------------------ in a thread

    def _plan(
        self, root: Path, trees: Trees, wanted: Wanted, rows: Sequence[ApplyRow], apply_id: str
    ) -> tuple[Plan, ApplyJournal | None]:
        with Target(root) as target:
            try:
                plan = plan_files(trees, target, wanted, applied_before(rows), [self._place / row.id for row in rows])
                writes = not plan.stops(accept_runnable=True)
                journal = journal_of(plan, target, apply_id, self._task_id) if writes else None
            except TasksError:
                raise
            except OSError as error:
                raise WorkspaceFailed(
                    f"The project at {root} cannot be read: {error.strerror}. Nothing was applied.",
                    hint="Look at its permissions, then try again.",
                ) from error
        return plan, journal

    async def _thread(self, work: Callable[..., _T], *arguments: object) -> _T:
        return await anyio.to_thread.run_sync(work, *arguments, limiter=_threads)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """One apply at a time, of any task: they may have the same project."""
        try:
            self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._place / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise WorkspaceFailed(
                f"Nothing can be kept in {self._place}: {error.strerror}. Nothing was applied.",
                hint="Look at the disk that holds it (full, or read-only?), then try again.",
            ) from error
        try:
            deadline = self._clock.monotonic() + PATIENCE
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    if self._clock.monotonic() > deadline:
                        raise Conflict("Other changes are being applied.", hint="Try again in a moment.") from error
                await self._clock.sleep(0.02)
            yield
        finally:
            os.close(descriptor)


def _text(path: Path) -> str:
    return shown(os.fsencode(path))
