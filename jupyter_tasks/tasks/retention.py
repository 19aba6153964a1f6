"""Retention: which tasks are old enough to go, and letting them go.

Owns the rule (``decide``, pure) and its two uses: ``prune``, asked for by the user, and ``run``, once a day by itself.
Unapplied work is never dropped unasked, and what is in use never is. Where the facts come from: ``retention_facts``.
Logs, recordings and events need no rule here: each is bounded where it is written.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import anyio.to_thread
from traitlets import Float, Int
from traitlets.config.configurable import Configurable

from jupyter_tasks.clock import Clock
from jupyter_tasks.errors import InvalidInput, TasksError
from jupyter_tasks.models import PrunedTask, PruneRequest, PruneResponse, Summary

__all__ = ["FactsSource", "Retention", "RetentionRule", "TaskFacts", "decide"]

_log = logging.getLogger(__name__)

EVERY = timedelta(days=1)
FIRST = 120.0  # seconds that an engine which starts leaves to more urgent work
CHECK = 3600.0
FRESH = timedelta(days=1)  # a full disk takes nothing that is younger

_IN_USE = {
    Summary.starting: "It is starting.",
    Summary.working: "It is working.",
    Summary.needs_you: "It needs you.",
}
_threads = anyio.CapacityLimiter(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFacts:
    """What decides about one task at one moment.

    ``finished``: it is paused, has failed, or its agent said that it is done. ``busy``: a build of it runs or waits.
    ``changed_at``: when it last changed. ``bytes``: on disk. ``unapplied``: changed files that were not applied, None
    where that is not known.
    """

    id: str
    name: str
    summary: Summary
    finished: bool
    busy: bool
    changed_at: datetime
    bytes: int = 0
    unapplied: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRule:
    """What ``decide`` goes by: ``days`` since a task changed, ``disk`` bytes of all together; None: no bound."""

    days: float | None
    disk: int | None = None
    include_unapplied: bool = False


class FactsSource(Protocol):
    """Where the facts come from."""

    async def all(self) -> Sequence[TaskFacts]:
        """Of every task that is not deleted."""

    async def one(self, task_id: str) -> TaskFacts | None:
        """Of one task as it is now; None where it is deleted."""


Delete = Callable[[str], Awaitable[None]]


def decide(tasks: Sequence[TaskFacts], now: datetime, rule: RetentionRule) -> list[PrunedTask]:
    """What becomes of each task, oldest first."""
    total = sum(each.bytes for each in tasks)
    decided = []
    for each in sorted(tasks, key=lambda task: (task.changed_at, task.id)):
        kept = _kept(each, rule)
        reason = kept or _age(each, now, rule)
        if reason is None and rule.disk is not None and total > rule.disk and now - each.changed_at >= FRESH:
            reason = f"All workspaces fill {_size(total)}, more than {_size(rule.disk)}."
        delete = kept is None and reason is not None
        total -= each.bytes if delete else 0
        decided.append(
            PrunedTask(
                id=each.id,
                name=each.name,
                action="delete" if delete else "keep",
                reason=reason or f"It changed {_days(now - each.changed_at)} ago.",
                bytes=each.bytes,
                unapplied=each.unapplied,
            )
        )
    return decided


def _kept(task: TaskFacts, rule: RetentionRule) -> str | None:
    """Why a task stays however old it is."""
    if task.summary in _IN_USE:
        return _IN_USE[task.summary]
    if task.busy or not task.finished:
        return "It is in use."
    if rule.include_unapplied or task.unapplied == 0:
        return None
    if task.unapplied is None:
        return "Whether its changes were applied is not known."
    return f"{task.unapplied} changed file{'s were' if task.unapplied > 1 else ' was'} not applied."


def _age(task: TaskFacts, now: datetime, rule: RetentionRule) -> str | None:
    age = now - task.changed_at
    if rule.days is None or age < timedelta(days=min(rule.days, 1e6)):
        return None
    return f"It has not changed for {_days(age)}."


def _days(age: timedelta) -> str:
    days = max(0, age.days)
    return "less than a day" if days == 0 else f"{days} day{'s' if days > 1 else ''}"


def _size(count: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


class Retention(Configurable):
    """Old tasks, and how much they may fill."""

    days = Float(
        30.0,
        min=0.0,
        help=(
            "Days after which a task that is paused, has failed or is complete is deleted with its workspace, if its"
            " changes are applied or it has none. 0: never. `jupyter tasks prune` does the same on demand."
        ),
    ).tag(config=True)
    disk = Int(
        0,
        min=0,
        help=(
            "Bytes that all workspaces together may fill. Above it the oldest of those tasks are deleted, but none that"
            " changed within a day. 0: no bound."
        ),
    ).tag(config=True)

    def rule(self, request: PruneRequest | None = None) -> RetentionRule:
        """What holds for a request, or for the daily run. An age that is asked for holds alone.

        Raises: InvalidInput for an age that is none.
        """
        if request is None or request.older_than is None:
            include = request is not None and request.include_unapplied
            return RetentionRule(days=self.days or None, disk=self.disk or None, include_unapplied=include)
        if not 0 <= request.older_than < math.inf:
            raise InvalidInput(f"{request.older_than} is no number of days.", hint="Give 0 or more days.")
        return RetentionRule(days=request.older_than, include_unapplied=request.include_unapplied)

    async def prune(
        self, request: PruneRequest, facts: FactsSource, delete: Delete, now: datetime
    ) -> PruneResponse:  # fmt: skip
        """Decide about every task, and delete unless the run is dry.

        Args:
            facts: asked once for all, and once more for each task before it is deleted.
            delete: given a task's id; may return before its workspace is gone.
            now: the wall clock.
        """
        return await self._apply(self.rule(request), request.dry_run, facts, delete, now)

    async def run(self, facts: FactsSource, delete: Delete, clock: Clock, stamp: Path) -> None:
        """Once a day, until cancelled. Returns at once where nothing is bounded.

        Args:
            stamp: a file of the engine's that says when it was done last, also before a restart.
        """
        if not self.days and not self.disk:
            return
        await clock.sleep(FIRST)
        while True:
            if await anyio.to_thread.run_sync(_due, stamp, clock.now(), limiter=_threads):
                try:
                    done = await self._apply(self.rule(), False, facts, delete, clock.now())
                except TasksError as error:
                    _log.warning("old tasks could not be looked for: %s", error)
                else:
                    for each in done.tasks:
                        if each.action == "delete":
                            _log.info("the task %s was deleted: %s", each.name, each.reason)
                await anyio.to_thread.run_sync(_mark, stamp, clock.now(), limiter=_threads)
            await clock.sleep(CHECK)

    async def _apply(
        self, rule: RetentionRule, dry_run: bool, facts: FactsSource, delete: Delete, now: datetime
    ) -> PruneResponse:
        found = {each.id: each for each in await facts.all()}
        decided = decide(list(found.values()), now, rule)
        if not dry_run:
            decided = [await _carry_out(each, found[each.id], rule, facts, delete) for each in decided]
        freed = sum(each.bytes for each in decided if each.action == "delete")
        return PruneResponse(dry_run=dry_run, tasks=decided, bytes=freed)


async def _carry_out(
    decided: PrunedTask, before: TaskFacts, rule: RetentionRule, facts: FactsSource, delete: Delete
) -> PrunedTask:
    """Delete a task if it still is what was decided about."""
    if decided.action != "delete":
        return decided
    kept = None
    try:
        now = await facts.one(decided.id)
        if now is not None:
            kept = "It changed meanwhile." if now.changed_at != before.changed_at else _kept(now, rule)
            if kept is None:
                await delete(decided.id)
    except TasksError as error:
        kept = error.message
    return decided if kept is None else decided.model_copy(update={"action": "keep", "reason": kept})


def _due(stamp: Path, now: datetime) -> bool:
    try:
        last = datetime.fromisoformat(stamp.read_text())
        return not timedelta(0) <= now - last < EVERY  # a clock that was set back does not stop it
    except (OSError, ValueError, TypeError):
        return True


def _mark(stamp: Path, now: datetime) -> None:
    with suppress(OSError):  # then it is done once more
        stamp.write_text(now.isoformat())
