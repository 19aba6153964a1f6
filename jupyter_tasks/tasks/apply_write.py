"""Writing a plan into the user's tree: every file or none.

Owns the order of steps. New contents are written and synced beside the files first (the disk may fill: nothing has
changed yet); then each file is looked at once more, the present one gets a second name, the new one takes its place.
``apply_undoing`` goes back from any point of it, also after kill -9, without needing space.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jupyter_tasks.errors import Conflict, TasksError, WorkspaceFailed
from jupyter_tasks.tasks.apply_change import directories_of
from jupyter_tasks.tasks.apply_journal import ApplyJournal, Blobs, State, Step, sync_directory
from jupyter_tasks.tasks.apply_target import Blocked, Seen, Target, look_in, stamp_of
from jupyter_tasks.tasks.review_git import shown

__all__ = ["Writer", "aside_of", "make_directory", "same", "staged_mark", "temp_of", "unlinked_mark"]

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.EINVAL)


class Writer:
    """One apply or undo, carried out.

    Args:
        target: the user's project.
        journal: what to do; on disk already.
        directory: where the journal lies.
        source: what is written, by id.
        step: told each thing before it is done; tests end the process there.
    """

    def __init__(
        self, target: Target, journal: ApplyJournal, directory: Path, source: Blobs, step: Callable[[str], None]
    ) -> None:
        self._target = target
        self._journal = journal
        self._directory = directory
        self._source = source
        self._step = step
        self._kept: dict[int, tuple[int, ...]] = {}  # stamps of the files that have a second name

    def write(self) -> None:
        """Do it all. What was done when this raises has to be rolled back.

        Raises: Conflict when the user's tree was changed meanwhile, WorkspaceFailed when something cannot be written.
        """
        steps = list(enumerate(self._journal.steps))
        for number, step in steps:
            if step.new is not None:
                with _told(step.path):
                    self._step(f"stage:{number}")
                    self._stage(number, step, step.new)
        with _told(b""):
            self._step("mark")
            staged_mark(self._directory).touch()
            sync_directory(self._directory)
        for number, step in steps:
            if step.new is None:
                with _told(step.path):
                    self._delete(number, step)
        self._directories()
        for number, step in steps:
            if step.new is not None:
                with _told(step.path):
                    self._put(number, step)
        self._sync()
        self._untouched()
        self._step("written")
        if not self._target.in_place():
            raise Conflict(
                f"The project was moved while changes were written to it ({self._target.root}).",
                hint="Nothing was applied. Try again with --target DIR.",
            )

    def _stage(self, number: int, step: Step, new: State) -> None:
        with self._target.directory(step.stage) as stage, self._present(step) as present:
            mode = 0o777 if new.mode & stat.S_IXUSR else 0o666
            descriptor = os.open(temp_of(self._journal, number), _NEW_FILE, mode, dir_fd=stage)
            with os.fdopen(descriptor, "wb") as file:
                file.write(self._source.read(new.name))
                file.flush()
                if present is not None:
                    _take_over(present, descriptor)
                if present is not None or self._journal.kind == "undo":
                    os.fchmod(descriptor, new.mode)
                os.fsync(descriptor)

    @contextmanager
    def _present(self, step: Step) -> Iterator[int | None]:
        """The file that will be replaced, open."""
        if step.old is None:
            yield None
            return
        directory, _, name = step.path.rpartition(b"/")
        with self._target.directory(directory) as parent:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=parent)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _delete(self, number: int, step: Step) -> None:
        directory, _, name = step.path.rpartition(b"/")
        with self._target.directory(step.stage) as stage, self._target.directory(directory) as parent:
            self._step(f"keep:{number}")
            self._keep(number, step, stage, parent, name)
            self._step(f"delete:{number}")
            os.unlink(name, dir_fd=parent)

    def _put(self, number: int, step: Step) -> None:
        temp = temp_of(self._journal, number)
        directory, _, name = step.path.rpartition(b"/")
        with self._target.directory(step.stage) as stage, self._target.directory(directory) as parent:
            self._step(f"keep:{number}")
            self._keep(number, step, stage, parent, name)
            self._step(f"put:{number}")
            if step.old is not None:
                os.rename(temp, name, src_dir_fd=stage, dst_dir_fd=parent)
                return
            try:  # a link never takes the place of what somebody made meanwhile
                os.link(temp, name, src_dir_fd=stage, dst_dir_fd=parent, follow_symlinks=False)
            except OSError as error:
                if not no_links(error):
                    raise
                os.rename(temp, name, src_dir_fd=stage, dst_dir_fd=parent)
                return
            self._step(f"linked:{number}")
            os.unlink(temp, dir_fd=stage)

    def _keep(self, number: int, step: Step, stage: int, parent: int, name: bytes) -> None:
        """Give the present file a second name, if it is what was planned with."""
        seen = look_in(parent, name)
        if not same(seen, step.old):
            raise _changed(step.path)
        if step.old is None:
            return
        aside = aside_of(self._journal, number)
        try:
            os.link(name, aside, src_dir_fd=parent, dst_dir_fd=stage, follow_symlinks=False)
        except OSError as error:
            if not no_links(error):
                raise
            unlinked_mark(self._directory).touch()  # what it held is in the journal's blobs
            return
        if stamp_of(os.stat(aside, dir_fd=stage, follow_symlinks=False)) != seen.stamp:
            raise _changed(step.path)
        self._kept[number] = seen.stamp

    def _untouched(self) -> None:
        """Whether nobody has written to a file that they had open while it was replaced."""
        for number, stamp in self._kept.items():
            step = self._journal.steps[number]
            with _told(step.path), self._target.directory(step.stage) as stage:
                found = os.stat(aside_of(self._journal, number), dir_fd=stage, follow_symlinks=False)
            if stamp_of(found) != stamp:
                raise _changed(step.path)

    def _directories(self) -> None:
        for path, _ in self._journal.remove:
            directory, _, name = path.rpartition(b"/")
            with _told(path), self._target.directory(directory) as parent:
                self._step(f"rmdir:{shown(path)}")
                try:
                    os.rmdir(name, dir_fd=parent)
                except OSError as error:  # somebody put something there: it stays
                    if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.EBUSY):
                        raise
        for path, mode in self._journal.make:
            with _told(path):
                self._step(f"mkdir:{shown(path)}")
                make_directory(self._target, path, mode)

    def _sync(self) -> None:
        for path in {b"", *directories_of([step.path for step in self._journal.steps])}:
            with _told(path), suppress(FileNotFoundError, Blocked), self._target.directory(path) as descriptor:
                os.fsync(descriptor)


def make_directory(target: Target, path: bytes, mode: int | None) -> None:
    """Make a directory, if it is not there. Raises: OSError, Blocked."""
    directory, _, name = path.rpartition(b"/")
    with target.directory(directory) as parent:
        try:
            os.mkdir(name, 0o777 if mode is None else 0o700, dir_fd=parent)
        except FileExistsError:
            return
        if mode is not None:
            with target.directory(path) as made:
                os.fchmod(made, mode)


def temp_of(journal: ApplyJournal, number: int) -> bytes:
    """The name of a new file before it takes its place."""
    return b".jupyter-tasks-%s-%d.new" % (journal.id.encode()[:13], number)


def aside_of(journal: ApplyJournal, number: int) -> bytes:
    """The second name of a file that is replaced or deleted."""
    return b".jupyter-tasks-%s-%d.old" % (journal.id.encode()[:13], number)


def staged_mark(directory: Path) -> Path:
    """Is there once everything is staged: before it, no file of the user's was changed."""
    return directory / "staged"


def unlinked_mark(directory: Path) -> Path:
    """Is there where a file could not get a second name."""
    return directory / "no-links"


def same(seen: Seen, state: State | None) -> bool:
    """Whether a file is what it was or should be: its content, and whether it is a program."""
    if state is None:
        return seen.kind == "missing"
    alike = seen.kind == "file" and seen.problem is None and seen.name.hex() == state.name
    return alike and bool(seen.mode & stat.S_IXUSR) == bool(state.mode & stat.S_IXUSR)


def no_links(error: OSError) -> bool:
    """Whether a file could not get a second name because its file system has none (or forbids this one)."""
    return error.errno in _NO_LINKS


def _take_over(present: int, descriptor: int) -> None:
    """Owner, group and extended attributes of the file that is replaced."""
    before, after = os.fstat(present), os.fstat(descriptor)
    if (before.st_uid, before.st_gid) != (after.st_uid, after.st_gid):
        os.fchown(descriptor, before.st_uid, before.st_gid)
    with suppress(OSError):
        for name in os.listxattr(present):
            with suppress(OSError):  # some belong to the system
                os.setxattr(descriptor, name, os.getxattr(present, name))


@contextmanager
def _told(path: bytes) -> Iterator[None]:
    """Within it, what goes wrong with a file is told in a sentence."""
    try:
        yield
    except TasksError:
        raise
    except FileExistsError as error:
        raise _changed(path) from error
    except (Blocked, FileNotFoundError) as error:
        raise _changed(path) from error
    except OSError as error:
        raise WorkspaceFailed(
            f'"{shown(path) or "The project"}" could not be written: {error.strerror}. Nothing was applied.',
            hint="Look at the disk (full, or read-only?), at its owner and permissions, then try again.",
        ) from error


def _changed(path: bytes) -> Conflict:
    return Conflict(f'"{shown(path)}" was changed in your project just now. Nothing was applied.', hint="Try again.")
