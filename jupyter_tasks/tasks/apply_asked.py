"""What is asked of an apply: where to, which paths, and what was taken before.

Owns the meaning of PATH and ``--target``, and how a plan for files is made of all of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from jupyter_tasks.errors import InvalidInput, NotFound
from jupyter_tasks.models import ApplyRequest
from jupyter_tasks.store.apply_rows import ApplyRow
from jupyter_tasks.tasks.apply_change import Entry, Ours, Plan, directories_of
from jupyter_tasks.tasks.apply_git import Objects, private_environment
from jupyter_tasks.tasks.apply_journal import Blobs
from jupyter_tasks.tasks.apply_plan import make_plan
from jupyter_tasks.tasks.review import Trees
from jupyter_tasks.tasks.review_git import shown

__all__ = ["Wanted", "applied_before", "plan_files", "target_of"]


def target_of(request: ApplyRequest, root: Path | None) -> Path:
    """Where changes go. Raises: InvalidInput where nobody says, or not with a full path."""
    if request.target is None:
        if root is None:
            raise InvalidInput(
                "This task was not given a project of yours, so there is nothing to apply its changes to.",
                hint="Name a directory: --target DIR.",
            )
        return root
    target = Path(request.target)
    if not target.is_absolute() or "\0" in request.target:
        raise InvalidInput(f'The target "{request.target}" is not a full path.', hint="Begin it with /.")
    return target


class Wanted:
    """Which paths are asked for. ``named``: some were named."""

    def __init__(self, paths: Sequence[str], root: Path, trees: Trees) -> None:
        """Raises: InvalidInput for a path outside of the project, NotFound for one that no side has."""
        self.named = bool(paths)
        self._paths = [_relative(each, root) for each in paths]
        if self.named:
            skipped = {each.path for each in trees.skipped}
            known = {*trees.base, *trees.now, *skipped}
            known |= directories_of(known) | set(trees.directories)
            shown_as = {shown(each): each for each in known}
            self._paths = [
                each if skipped & directories_of([each]) else _known(each, known, shown_as) for each in self._paths
            ]

    def asks_for(self, path: bytes) -> bool:
        """Whether this very path, or one below it, was named."""
        return any(each == path or each.startswith(path + b"/") for each in self._paths)

    def __call__(self, path: bytes) -> bool:
        return not self.named or any(not each or path == each or path.startswith(each + b"/") for each in self._paths)


def _relative(path: str, root: Path) -> bytes:
    plain = os.path.normpath(path) if path else ""
    if Path(plain).is_absolute():
        plain = os.path.relpath(plain, root)
    if not plain or "\0" in plain or plain == ".." or plain.startswith("../"):
        raise InvalidInput(f'"{path}" is not in the project ({root}).', hint="Name paths relative to the project.")
    return b"" if plain == "." else os.fsencode(plain)


def _known(path: bytes, known: set[bytes], shown_as: Mapping[str, bytes]) -> bytes:
    if not path or path in known:
        return path
    text = shown(path)
    if text in shown_as:  # as a diff shows a name that is no text
        return shown_as[text]
    raise NotFound(
        f'Neither the workspace nor what it began with has a file or directory "{text}".',
        hint="The diff of the task names what has changed.",
    )


def applied_before(rows: Sequence[ApplyRow], *, branches: bool = False) -> dict[bytes, Entry | None]:
    """What the workspace had of every file when it was taken last. ``branches``: commits on branches count as well."""
    found: dict[bytes, Entry | None] = {}
    for row in rows:
        if row.kind == "files" or branches:
            for path, entry in row.listing.items():
                found[os.fsencode(path)] = None if entry is None else (entry[0].encode(), bytes.fromhex(entry[1]))
    return found


def plan_files(
    trees: Trees, ours: Ours, wanted: Wanted, applied: Mapping[bytes, Entry | None], kept: Sequence[Path]
) -> Plan:
    """The plan to take over what is wanted; ``kept`` are the directories of earlier applies, oldest first.

    Raises: ProgramMissing, WorkspaceFailed, LimitReached, OSError.
    """
    with ExitStack() as stack:
        contents = contents_of(trees, kept, stack)
        return make_plan(trees, ours, contents, applied=applied, wanted=wanted)


def contents_of(trees: Trees, kept: Sequence[Path], stack: ExitStack) -> Callable[[bytes], bytes | None]:
    """What a file of an id held: by git from the two trees, else as an earlier apply kept it; None: nobody knows."""
    environment = private_environment(trees.git_dir)
    if trees.objects is not None:
        environment["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = str(trees.objects)
    there = {name for _, name in (*trees.base.values(), *trees.now.values())}
    objects: list[Objects] = []

    def read(name: bytes) -> bytes | None:
        if name in there:
            if not objects:
                objects.append(Objects(trees.git_dir, environment))
                stack.callback(objects[0].close)
            return objects[0].read(name)
        for directory in reversed(kept):
            try:
                return Blobs(directory).read(name.hex())
            except OSError:
                continue
        return None

    return read
