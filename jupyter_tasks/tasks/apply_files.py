"""From a plan to a journal, and from a journal to files: the two halves of an apply that work in a thread.

Owns what is kept before anything is written. ``apply`` says when, and what stands in the store.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from jupyter_tasks.errors import Conflict, TasksError, WorkspaceFailed
from jupyter_tasks.models import AppliedFile
from jupyter_tasks.tasks.apply_change import Change, Plan
from jupyter_tasks.tasks.apply_journal import LEFT, ApplyJournal, Blobs, State, Step, begun
from jupyter_tasks.tasks.apply_target import Seen, Target
from jupyter_tasks.tasks.apply_undoing import clean, look, roll_back
from jupyter_tasks.tasks.apply_write import Writer, same
from jupyter_tasks.tasks.review_git import shown
from jupyter_tasks.tasks.review_objects import object_id

__all__ = ["carry_out", "journal_of", "kept", "prepare", "prepare_undo", "settle", "settle_quietly", "take_back"]


def journal_of(plan: Plan, target: Target, apply_id: str, task_id: str) -> ApplyJournal:
    """What carrying out a plan means, step by step. Raises: OSError."""
    ground = _Ground(target, plan)
    steps = [
        Step(each.path, _old(each.seen), _new(each), ground.stage(each.path.rpartition(b"/")[0]))
        for each in plan.writes()
    ]
    return ApplyJournal(
        id=apply_id,
        task_id=task_id,
        kind="apply",
        of=apply_id,
        target=str(target.root),
        identity=target.identity,
        steps=steps,
        remove=[(path, target.mode(path)) for path in plan.remove],
        make=[(path, None) for path in sorted(ground.made)],
    )


class _Ground:
    """Which directories will be there from before an apply until after it."""

    def __init__(self, target: Target, plan: Plan) -> None:
        self.made: set[bytes] = set()
        self._target = target
        self._gone = {*plan.remove, *(each.path for each in plan.writes() if each.content is None)}
        self._puts = {each.path.rpartition(b"/")[0] for each in plan.writes() if each.content is not None}
        self._stages: dict[bytes, bytes] = {b"": b""}

    def stage(self, directory: bytes) -> bytes:
        """The nearest directory above a path that stays; those to be made are noted."""
        found = self._stages.get(directory)
        if found is None:
            above = self.stage(directory.rpartition(b"/")[0])
            stays = above == directory.rpartition(b"/")[0] and directory not in self._gone
            found = directory if stays and self._target.look(directory).kind == "directory" else above
            self._stages[directory] = found
        if found != directory and directory in self._puts:
            while directory != found:
                self.made.add(directory)
                directory = directory.rpartition(b"/")[0]
        return found


def _old(seen: Seen) -> State | None:
    return State(seen.mode, seen.name.hex(), seen.mtime_ns) if seen.kind == "file" else None


def _new(change: Change) -> State | None:
    if change.content is None:
        return None
    mode = (0o777 if change.executable else 0o666) & ~0o022
    if change.seen.kind == "file":
        readable = change.seen.mode & 0o444
        mode = change.seen.mode & 0o666 | (readable >> 2 if change.executable else 0)
        if change.executable == bool(change.seen.mode & 0o100):
            mode = change.seen.mode & 0o777
    return State(mode, object_id("blob", change.content).hex())


def prepare(journal: ApplyJournal, plan: Plan, directory: Path) -> None:
    """Put the journal and all contents on disk. Raises: WorkspaceFailed; then nothing is left of it."""
    try:
        with begun(directory) as blobs:
            for each in plan.changes:
                if each.taken is not None and each.theirs is not None:
                    blobs.add(each.theirs[1].hex(), each.taken)  # its next change starts from there
            for each in plan.writes():
                if each.seen.kind == "file":
                    blobs.add(each.seen.name.hex(), each.seen.content)
                if each.content is not None:
                    blobs.add(object_id("blob", each.content).hex(), each.content)
            blobs.sync()
            journal.write(directory)
    except OSError as error:
        raise _not_kept(directory, error) from error


def carry_out(journal: ApplyJournal, directory: Path, source: Path, step: Callable[[str], None]) -> None:
    """Write everything, or nothing.

    Raises: Conflict, WorkspaceFailed; the tree is as it was then, or the message says where what was there is kept.
    """
    with Target(Path(journal.target)) as target:
        try:
            Writer(target, journal, directory, Blobs(source), step).write()
        except BaseException as error:
            _back(target, journal, directory, error)
            raise


def take_back(journal: ApplyJournal, directory: Path) -> None:
    """Roll back one that was written whole. Raises: WorkspaceFailed."""
    with Target(Path(journal.target)) as target:
        _back(target, journal, directory, None)


def settle(journal: ApplyJournal, directory: Path) -> None:
    """Tidy up, and write down that it is done. Raises: NotFound, OSError; a start of the engine does the same."""
    with Target(Path(journal.target)) as target:
        clean(target, journal)
    replace(journal, done=True).write(directory)


def settle_quietly(journal: ApplyJournal, directory: Path) -> None:
    """The same where it stands in the store already: what cannot be done now, the next start of the engine does."""
    with suppress(OSError, TasksError):
        settle(journal, directory)


def _back(target: Target, journal: ApplyJournal, directory: Path, cause: BaseException | None) -> None:
    try:
        left = roll_back(target, journal, directory)
    except OSError as error:
        raise WorkspaceFailed(
            f"Changes were written in part to {journal.target}, and could not be taken back: {error.strerror}.",
            hint=f"The engine tries again when it starts. What was there is kept in {directory}.",
        ) from (cause or error)
    if left:
        kept = directory.rename(directory.with_suffix(LEFT))
        names = ", ".join(f'"{shown(path)}"' for path in left[:5])
        raise WorkspaceFailed(
            f"Nothing was applied; {names} changed meanwhile and stayed as they are now.",
            hint=f"What was there before is kept in {kept}.",
            retryable=False,
        ) from cause
    shutil.rmtree(directory, ignore_errors=True)


def kept(directory: Path) -> ApplyJournal:
    """The journal of an apply that is done. Raises: Conflict where it is no longer kept."""
    with suppress(OSError, ValueError):
        journal = ApplyJournal.read(directory)
        if journal is not None:
            return journal
    raise Conflict(
        "What was there before the newest apply is no longer kept, so it cannot be undone.",
        hint="Your project's version control may have it.",
        retryable=False,
    )


def prepare_undo(done: ApplyJournal, source: Path, directory: Path) -> tuple[ApplyJournal, Sequence[AppliedFile]]:
    """The journal of taking back what was done, on disk; with the files. A conflict among them: nothing is on disk.

    Raises: NotFound where the project is gone, WorkspaceFailed.
    """
    journal = done.reversed(directory.name)
    files: list[AppliedFile] = []
    try:
        with Target(Path(done.target)) as target:
            there = [path for path, _ in journal.remove if look(target, path).kind == "directory"]
            remove = [(path, target.mode(path)) for path in there]
            journal = replace(journal, identity=target.identity, remove=remove)
            seen = [(step, look(target, step.path)) for step in journal.steps]
        removed = set(there)
        files = [_undone(step, found, in_the_way=step.path in removed) for step, found in seen]
        if any(each.action == "conflict" for each in files):
            return journal, files
        with begun(directory) as blobs:
            for step, found in seen:
                if step.old is not None:
                    blobs.add(step.old.name, found.content)
            blobs.sync()
            journal.write(directory)
    except TasksError:
        raise
    except OSError as error:
        raise _not_kept(source, error) from error
    return journal, files


def _undone(step: Step, seen: Seen, *, in_the_way: bool) -> AppliedFile:
    """One file of an undo; ``in_the_way``: the directory that stands there now goes."""
    path = shown(step.path)
    if not same(seen, step.old) and not (in_the_way and seen.kind == "directory"):
        return AppliedFile(path=path, action="conflict", detail="You changed it since it was applied.")
    return AppliedFile(path=path, action="deleted" if step.new is None else "added" if step.old is None else "modified")


def _not_kept(directory: Path, error: OSError) -> WorkspaceFailed:
    return WorkspaceFailed(
        f"What is there now cannot be kept in {directory.parent}: {error.strerror}. Nothing was applied.",
        hint="Look at the disk that holds it (full, or read-only?), then try again.",
    )
