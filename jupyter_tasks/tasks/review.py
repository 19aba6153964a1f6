"""Review: what an agent has changed since its workspace began.

Owns the rule that a workspace's tree is never shown to git: it is read by ``review_tree``, written as objects into a
git directory that only the engine writes (``review_base``), and git compares those (``review_git``). So nothing that is
planted in it (attributes, filters, hooks, a ``.git``) has an effect, and the agent's own commits count as changes like
any other.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from jupyter_tasks.clock import Clock
from jupyter_tasks.errors import Conflict, TasksError, WorkspaceFailed
from jupyter_tasks.models import DiffFile, DiffResponse, DiffSkipped, NotebookDiff
from jupyter_tasks.tasks.review_base import Base, Listing, load_base, save_base, snapshot, tree_of, workplace
from jupyter_tasks.tasks.review_git import compare, shown
from jupyter_tasks.tasks.review_notebooks import compare_notebooks, has_notebooks
from jupyter_tasks.tasks.review_objects import Pack, object_id
from jupyter_tasks.tasks.review_stamps import Moment
from jupyter_tasks.tasks.review_tree import Skipped, TreeReader

__all__ = ["Review", "Trees"]

READ_SECONDS = 60.0
MOST_FILES = 5_000
MOST_SKIPPED = 100

_tree_threads = anyio.CapacityLimiter(2)


@dataclass(frozen=True, slots=True)
class Trees:
    """Two trees: ``base`` and ``now``. What their files hold is in ``git_dir`` and ``objects``, by id."""

    git_dir: Path
    objects: Path | None
    base: Listing
    now: Listing
    skipped: Sequence[Skipped]
    directories: Collection[bytes]
    """Every directory that the tree has now."""

    @property
    def changed(self) -> int:
        """How many files differ from the base (a renamed one counts twice)."""
        gone = sum(path not in self.now for path in self.base)
        return sum(self.base.get(path) != entry for path, entry in self.now.items()) + gone


class Review:
    """The changes of one workspace.

    Args:
        git_dir: where the base is kept; made by ``take_base``. No workspace can write there.
        clock: stamps the base, and says when reading has taken too long.
        trusted: a directory above the tree; links above it are the user's own, below it none is followed. By default
            what the tree's path shares with ``git_dir``.
    """

    def __init__(self, git_dir: Path, clock: Clock, *, trusted: Path | None = None) -> None:
        self.git_dir = git_dir
        self._clock = clock
        self._trusted = trusted

    async def take_base(self, tree: Path) -> None:
        """Remember the tree as it is now; nothing happens where a base has been taken before.

        Raises: WorkspaceFailed when it cannot be read or the disk is full, LimitReached when it is too large.
        """
        await anyio.to_thread.run_sync(self._take_base, tree, limiter=_tree_threads)

    async def diff(self, tree: Path, *, max_bytes: int = 2 << 20) -> DiffResponse:
        """What differs between the base and the tree as it is now.

        Args:
            tree: the directory that the base was taken of.
            max_bytes: of the patch, which is cut at the end of a line.

        Raises: Conflict where there is no base, ProgramMissing without git, LimitReached, WorkspaceFailed.
        """
        stack = ExitStack()
        try:
            base, objects, now, new, skipped = await anyio.to_thread.run_sync(
                self._snapshot, tree, stack, limiter=_tree_threads
            )
            if new == base.tree:
                return _response([], "", skipped, truncated=False)
            found = await compare(self.git_dir, objects, base.tree, new, max_bytes=max_bytes)
            notebooks: list[NotebookDiff] = []
            if has_notebooks(found.files):
                notebooks = await anyio.to_thread.run_sync(
                    compare_notebooks, self.git_dir, objects, found.files, base.files, now, limiter=_tree_threads
                )
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(stack.close, limiter=_tree_threads)
        response = _response(found.files, found.patch, skipped, truncated=found.truncated)
        return response.model_copy(update={"notebooks": notebooks})

    @asynccontextmanager
    async def trees(self, tree: Path, *, contents: bool = True) -> AsyncIterator[Trees]:
        """The base and the tree as it is now, for whoever takes changes over.

        Args:
            tree: the directory that the base was taken of.
            contents: also keep what the files hold, for as long as the context lasts.

        Raises: Conflict where there is no base, LimitReached, WorkspaceFailed.
        """
        stack = ExitStack()
        try:
            yield await anyio.to_thread.run_sync(self._trees, tree, stack if contents else None, limiter=_tree_threads)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(stack.close, limiter=_tree_threads)

    async def remove(self) -> None:
        """Forget everything. Nothing to do is fine. Raises: WorkspaceFailed."""
        await anyio.to_thread.run_sync(self._remove, limiter=_tree_threads)

    # ------------------------------------------------------------ in a thread

    def _reader(self, tree: Path, base: Base | None = None) -> TreeReader:
        tree = Path(os.path.abspath(tree))  # noqa: PTH100 - resolve() would follow links
        trusted = self._trusted or Path(os.path.commonpath([self.git_dir.absolute(), tree]))
        deadline = self._clock.monotonic() + READ_SECONDS
        known = {} if base is None else base.stamps
        moment = None if base is not None else self._moment()
        return TreeReader(tree, trusted, lambda: self._clock.monotonic() > deadline, known=known, moment=moment)

    def _moment(self) -> Moment | None:
        try:
            self.git_dir.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return Moment.now(self.git_dir.parent)
        except OSError:  # then every file is read each time
            return None

    def _take_base(self, tree: Path) -> None:
        with self._disk():
            if load_base(self.git_dir) is None:
                save_base(self.git_dir, self._reader(tree), self._clock.now())

    def _base(self) -> Base:
        with self._disk():
            base = load_base(self.git_dir)
        if base is None:
            raise Conflict(
                "There is nothing to compare the files of this workspace with.",
                hint="Try again once the task has started.",
            )
        return base

    def _snapshot(self, tree: Path, stack: ExitStack) -> tuple[Base, Path, Listing, bytes, Sequence[Skipped]]:
        base = self._base()
        reader = self._reader(tree, base)
        with self._disk():
            objects = stack.enter_context(workplace(self.git_dir))
            pack = Pack(objects, known={name for _, name in base.files.values()})
            stack.callback(pack.close)
            now = snapshot(reader, partial(pack.add, "blob"), base.files)
            new = tree_of(now, pack)
            pack.finish()
        return base, objects, now, new, reader.skipped

    def _trees(self, tree: Path, stack: ExitStack | None) -> Trees:
        base = self._base()
        reader = self._reader(tree, base)
        if stack is None:
            now = snapshot(reader, partial(object_id, "blob"), base.files)
            return Trees(self.git_dir, None, base.files, now, reader.skipped, reader.directories)
        with self._disk():
            objects = stack.enter_context(workplace(self.git_dir))
            pack = Pack(objects, known={name for _, name in base.files.values()})
            stack.callback(pack.close)
            now = snapshot(reader, partial(pack.add, "blob"), base.files)
            pack.finish()
        return Trees(self.git_dir, objects, base.files, now, reader.skipped, reader.directories)

    @contextmanager
    def _disk(self) -> Iterator[None]:
        """Within it, what goes wrong with our own directory is told in a sentence."""
        try:
            yield
        except TasksError:  # some of them are OSErrors too
            raise
        except OSError as error:
            raise WorkspaceFailed(
                f"The files that the workspace began with cannot be kept in {self.git_dir}: {error.strerror}.",
                hint="Look at the disk that holds it (full, or read-only?), then try again.",
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WorkspaceFailed(
                f"What was kept of the files that the workspace began with is damaged ({self.git_dir}).",
                hint="The workspace's own files are untouched; their changes can no longer be shown.",
                retryable=False,
            ) from error

    def _remove(self) -> None:
        for left in (self.git_dir, *self.git_dir.parent.glob(f"{self.git_dir.name}.part-*")):
            try:
                shutil.rmtree(left)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise WorkspaceFailed(f"{left} could not be removed: {error.strerror}.", hint="Remove it.") from error


def _response(files: Sequence[DiffFile], patch: str, skipped: Sequence[Skipped], *, truncated: bool) -> DiffResponse:
    return DiffResponse(
        files=list(files[:MOST_FILES]),
        additions=sum(each.additions or 0 for each in files),
        deletions=sum(each.deletions or 0 for each in files),
        patch=patch,
        truncated=truncated or len(files) > MOST_FILES,
        skipped=[DiffSkipped(path=shown(each.path), reason=each.reason) for each in skipped[:MOST_SKIPPED]],
    )
