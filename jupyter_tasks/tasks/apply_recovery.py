"""Applies that an engine did not bring to their end, and those that nobody needs any more.

Owns what happens to them at the next start: one whose files are all in place is done, any other is rolled back.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import anyio.to_thread
from sqlalchemy import Connection

from jupyter_tasks.errors import NotFound, TasksError
from jupyter_tasks.store.apply_rows import apply_state, begun_applies, drop_apply, set_apply_state
from jupyter_tasks.store.journal import Change, Journal
from jupyter_tasks.tasks.apply_files import settle
from jupyter_tasks.tasks.apply_journal import LEFT, ApplyJournal, load_journals, of_task
from jupyter_tasks.tasks.apply_target import Target
from jupyter_tasks.tasks.apply_undoing import finished, roll_back
from jupyter_tasks.tasks.review_git import shown

__all__ = ["Recovered", "forget", "recover"]

_log = logging.getLogger(__name__)
Outcome = Literal["completed", "rolled back", "waiting"]


@dataclass(frozen=True, slots=True)
class Recovered:
    """One apply or undo that had been cut off. ``waiting``: its project is not there now; the next start tries again.
    ``left`` are files that were changed since and stayed as they are; what they held before is in ``kept``."""

    id: str
    task_id: str
    outcome: Outcome
    left: Sequence[str] = ()
    kept: Path | None = None


async def recover(journal_dir: Path, journal: Journal) -> Sequence[Recovered]:
    """Bring every apply that was cut off to an end. Call it when the engine starts, before anything applies.

    Args:
        journal_dir: where applies of all tasks are kept.
        journal: the store's.

    Returns: what there was. Raises: StoreError.
    """
    recovered = []
    for directory, each in await anyio.to_thread.run_sync(lambda: list(load_journals(journal_dir))):
        if each.done:
            await anyio.to_thread.run_sync(_tidy_done, journal_dir, each)
            continue
        try:
            recovered.append(await _recover(directory, each, journal))
        except (OSError, TasksError) as error:  # it must not keep the engine from starting
            _log.warning("apply %s to %s cannot be brought to an end now: %s", each.id, each.target, error)
            recovered.append(Recovered(each.id, each.task_id, "waiting"))
    begun = await journal.read(begun_applies)
    gone = [each for each in begun if not (journal_dir / each).exists()]
    if gone:
        await journal.change(lambda change: _drop(change, gone))
    return recovered


async def _recover(directory: Path, each: ApplyJournal, journal: Journal) -> Recovered:
    stands = await journal.read(lambda connection: _stands(connection, each))
    outcome = await anyio.to_thread.run_sync(_end, directory, each, stands)
    if outcome.outcome != "waiting":
        await journal.change(lambda change: _tell(change, each, outcome))
        await anyio.to_thread.run_sync(_tidy, directory.parent, each, outcome)
    return outcome


async def forget(journal_dir: Path, task_id: str) -> None:
    """Remove what was kept to undo the applies of a task that is deleted."""

    def remove() -> None:
        for directory in of_task(journal_dir, task_id):
            shutil.rmtree(directory, ignore_errors=True)

    await anyio.to_thread.run_sync(remove)


def _drop(change: Change, ids: Sequence[str]) -> None:
    for each in ids:
        drop_apply(change.connection, each)


def _stands(connection: Connection, journal: ApplyJournal) -> bool:
    """Whether the store says that it is done: then it is, whatever the user did since."""
    return apply_state(connection, journal.of) == ("done" if journal.kind == "apply" else "undone")


def _end(directory: Path, journal: ApplyJournal, stands: bool) -> Recovered:
    try:
        target = Target(Path(journal.target))
    except NotFound:
        return Recovered(journal.id, journal.task_id, "waiting")
    with target:
        if target.identity != journal.identity:
            return Recovered(journal.id, journal.task_id, "waiting")
        if stands or finished(target, journal, directory):
            return Recovered(journal.id, journal.task_id, "completed")
        left = [shown(path) for path in roll_back(target, journal, directory)]
    if left:
        _log.warning("apply %s was rolled back; changed since, and left alone: %s", journal.id, ", ".join(left))
    return Recovered(journal.id, journal.task_id, "rolled back", left, directory.with_suffix(LEFT))


def _tell(change: Change, journal: ApplyJournal, outcome: Recovered) -> None:
    if outcome.outcome == "completed":
        state: Literal["done", "undone"] = "done" if journal.kind == "apply" else "undone"
        set_apply_state(change.connection, journal.of, state, change.now)
    elif journal.kind == "apply":
        drop_apply(change.connection, journal.id)
    else:
        set_apply_state(change.connection, journal.of, "done", change.now)


def _tidy(place: Path, journal: ApplyJournal, outcome: Recovered) -> None:
    directory = place / journal.id
    if outcome.outcome == "completed":
        settle(journal, directory)
        _tidy_done(place, journal)
    elif outcome.left and outcome.kept is not None:
        directory.rename(outcome.kept)
    else:
        shutil.rmtree(directory, ignore_errors=True)


def _tidy_done(place: Path, journal: ApplyJournal) -> None:
    """What was taken back cannot be taken back again."""
    if journal.kind == "undo":
        shutil.rmtree(place / journal.of, ignore_errors=True)
        shutil.rmtree(place / journal.id, ignore_errors=True)
