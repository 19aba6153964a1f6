"""Going back from an apply that did not come to its end, from any point of it.

Owns that it can be done twice, by another process, and without needing space; and that a file which the user changed
meanwhile stays as it is. What is left then lies in the apply's directory.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from jupyter_tasks.tasks.apply_journal import ApplyJournal, Blobs, State, Step
from jupyter_tasks.tasks.apply_target import MISSING, Blocked, Seen, Target, look_in
from jupyter_tasks.tasks.apply_write import aside_of, make_directory, same, staged_mark, temp_of, unlinked_mark

__all__ = ["clean", "finished", "look", "roll_back"]


def finished(target: Target, journal: ApplyJournal, directory: Path) -> bool:
    """Whether everything is in its place, so that nothing but saying so is missing. Raises: OSError."""
    made = {path for path, _ in journal.make}
    return staged_mark(directory).exists() and all(
        same(seen := look(target, step.path), step.new) or (step.path in made and seen.kind == "directory")
        for step in journal.steps
    )


def roll_back(target: Target, journal: ApplyJournal, directory: Path) -> list[bytes]:
    """Put everything back.

    Returns: files that were neither as before nor as written: they were left alone.
    Raises: OSError. It can be called again.
    """
    left: list[bytes] = []
    if staged_mark(directory).exists():
        steps = list(enumerate(journal.steps))
        left += [path for number, step in steps if step.new and (path := _back(target, journal, directory, number))]
        for path, _ in reversed(journal.make):
            with suppress(Blocked, OSError), target.directory(path.rpartition(b"/")[0]) as parent:
                os.rmdir(path.rpartition(b"/")[2], dir_fd=parent)
        for path, mode in reversed(journal.remove):
            with suppress(Blocked):
                make_directory(target, path, mode)
        left += [path for number, step in steps if not step.new and (path := _back(target, journal, directory, number))]
    clean(target, journal)
    return left


def clean(target: Target, journal: ApplyJournal) -> None:
    """Remove every helper from the user's tree. Raises: OSError."""
    for number, step in enumerate(journal.steps):
        with suppress(FileNotFoundError, Blocked), target.directory(step.stage) as stage:
            for name in (temp_of(journal, number), aside_of(journal, number)):
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=stage)


def _back(target: Target, journal: ApplyJournal, directory: Path, number: int) -> bytes | None:
    """Put one file back; its path where it was left alone."""
    step = journal.steps[number]
    try:
        return _put_back(target, journal, directory, number, step)
    except (Blocked, FileNotFoundError):  # a directory of it was moved away
        return step.path


def _put_back(target: Target, journal: ApplyJournal, directory: Path, number: int, step: Step) -> bytes | None:
    seen = look(target, step.path)
    nothing = step.old is None and seen.kind == "directory"  # nothing of ours: it was put back there before
    if nothing or same(seen, step.old) or not _ours(target, journal, directory, number):
        return None
    if not same(seen, step.new):
        return step.path
    above, _, name = step.path.rpartition(b"/")
    with target.directory(above) as parent, target.directory(step.stage) as stage:
        if step.old is None:
            os.unlink(name, dir_fd=parent)
            return None
        aside = aside_of(journal, number)
        if look_in(stage, aside).kind != "file":  # else it is the user's own, also where they wrote to it since
            aside = temp_of(journal, number)
            _write(stage, aside, step.old, Blobs(directory).read(step.old.name))
        os.rename(aside, name, src_dir_fd=stage, dst_dir_fd=parent)
        os.fsync(parent)
    return None


def _ours(target: Target, journal: ApplyJournal, directory: Path, number: int) -> bool:
    """Whether it was this apply that changed the file: not, as long as the new one waits for its place, or the old one
    has no second name."""
    step = journal.steps[number]
    with target.directory(step.stage) as stage:
        if step.new is None:
            kept = look_in(stage, aside_of(journal, number)).kind == "file"
            return kept or unlinked_mark(directory).exists()
        try:
            waiting = os.stat(temp_of(journal, number), dir_fd=stage, follow_symlinks=False)
        except FileNotFoundError:
            return True
    above, _, name = step.path.rpartition(b"/")
    with suppress(FileNotFoundError, Blocked), target.directory(above) as parent:
        return os.path.samestat(waiting, os.stat(name, dir_fd=parent, follow_symlinks=False))
    return False


def _write(stage: int, name: bytes, state: State, content: bytes) -> None:
    """Write what was kept, as it was."""
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=stage)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=stage), "wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), state.mode)
        os.utime(file.fileno(), ns=(state.mtime_ns, state.mtime_ns))
        os.fsync(file.fileno())


def look(target: Target, path: bytes) -> Seen:
    """What is at a path; "other" where a link leads there. Raises: OSError."""
    try:
        return target.look(path)
    except Blocked as blocked:
        return MISSING if blocked.beyond is None else Seen("other")
