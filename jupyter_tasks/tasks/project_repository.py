"""The user's git repository: where it is, what state it is in, where its objects lie.

Owns finding it from a directory and every fact that is decided at the survey; ``project_index`` reads the index.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_tasks.errors import InvalidInput
from jupyter_tasks.tasks.project_git import Git, said

__all__ = ["Head", "Repository", "find_repository", "head_of", "object_directories"]

_MOST_ALTERNATES = 5
_HASH = re.compile(rb"[0-9a-f]{40}([0-9a-f]{24})?")
_BRANCH = re.compile(
    rb"(?!.*(?:/\.|\.lock(?:/|\Z)|\.\.|//|@\{))[^\x00-\x20\x7f~^:?*\[\\.][^\x00-\x20\x7f~^:?*\[\\]*(?<![/.])"
)
_OBJECTS = re.compile(r"[0-9a-f]{2}|info|pack|incoming-.*|tmp_.*|bulk-.*|.*\.lock|\.nfs.*|\.DS_Store")
_STATES = (
    ("MERGE_HEAD", "a merge"),
    ("rebase-merge", "a rebase"),
    ("rebase-apply", "a rebase"),
    ("CHERRY_PICK_HEAD", "a cherry-pick"),
    ("REVERT_HEAD", "a revert"),
    ("BISECT_LOG", "a bisect"),
)


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository with a work tree. ``git_dir`` is that of this work tree, ``common`` what its work trees share."""

    top: Path
    git_dir: Path
    common: Path
    sha256: bool
    shallow: bool

    def state(self) -> str | None:
        """What the user is in the middle of ("a merge"), None of nothing."""
        return next((words for name, words in _STATES if os.path.lexists(self.git_dir / name)), None)


@dataclass(frozen=True, slots=True)
class Head:
    """Where a repository stands: commit (None: none yet) and branch (None: detached)."""

    commit: str | None
    branch: str | None


def find_repository(directory: Path) -> tuple[Repository | None, str]:
    """The repository whose work tree holds ``directory`` (without links), and why none where there seems to be one.

    Raises: InvalidInput in a bare repository, in a ``.git`` and in somebody else's repository; ProgramMissing.
    """
    marked = next((each for each in (directory, *directory.parents) if os.path.lexists(each / ".git")), None)
    bare = next((each for each in (directory, *directory.parents) if _looks_bare(each)), None)
    if bare is not None and (marked is None or len(bare.parts) > len(marked.parts)):
        raise InvalidInput(
            f"{bare} is a git directory without a work tree.",
            hint="Name a work tree of it (`git worktree add DIR`, then `--project DIR`).",
        )
    if marked is None:
        return None, ""
    git = Git(directory)
    facts = ("--is-shallow-repository", "--show-object-format", "--show-toplevel", "--absolute-git-dir")
    with git.ask("rev-parse", *facts) as question:
        answer = question.read().removesuffix(b"\n").split(b"\n")
    if question.status != 0:
        if b"dubious ownership" in question.error:
            raise InvalidInput(
                f"The git repository {marked} belongs to another user.",
                hint=f"Trust it (`git config --global --add safe.directory {marked}`), or use `--project none`.",
            )
        return None, f"{marked / '.git'} is there, but git does not read it: {said(question.error)}"
    if len(answer) != len(facts):  # a line end in a path: one question each
        answer = [git.line("rev-parse", fact) or b"" for fact in facts]
    top, git_dir = (Path(os.fsdecode(each)) for each in answer[2:4])
    shared = git.line("rev-parse", "--git-common-dir") or answer[3]
    common = Path(os.path.normpath(directory / os.fsdecode(shared))).resolve()
    if not directory.is_relative_to(top.resolve()):
        return None, f"{marked / '.git'} names another directory as its work tree ({top})"
    return Repository(top.resolve(), git_dir.resolve(), common, answer[1] == b"sha256", answer[0] == b"true"), ""


def _looks_bare(directory: Path) -> bool:
    return (directory / "HEAD").is_file() and (directory / "objects").is_dir() and (directory / "refs").is_dir()


def head_of(git: Git) -> Head:
    """Where the repository stands now."""
    with git.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}") as asked:
        branch = git.line("symbolic-ref", "--quiet", "HEAD")
        commit = asked.read().strip()
    name = (branch or b"").removeprefix(b"refs/heads/")
    known = branch is not None and branch.startswith(b"refs/heads/") and _BRANCH.fullmatch(name)
    return Head(
        commit.decode() if _HASH.fullmatch(commit) else None,
        os.fsdecode(name) if known else None,
    )


def object_directories(common: Path) -> tuple[list[Path], list[Path]]:
    """Where the objects of a repository lie, those that it borrows from others included; and those that do not look
    like it, which a file in the repository could have named to have them shown."""
    good: list[Path] = []
    bad: list[Path] = []
    wanted = [(common / "objects", 0)]
    while wanted:
        directory, depth = wanted.pop(0)
        real = directory.resolve()
        if real in good or real in bad:
            continue
        if not _holds_objects(real):
            bad.append(real)
            continue
        good.append(real)
        if depth < _MOST_ALTERNATES:
            wanted += [(real / each, depth + 1) for each in _alternates(real)]
    return good, bad


def _holds_objects(directory: Path) -> bool:
    try:
        names = [each.name for each in directory.iterdir()]
    except OSError:
        return False
    return bool(names) and all(map(_OBJECTS.fullmatch, names))


def _alternates(objects: Path) -> Sequence[str]:
    lines = read_small(objects / "info" / "alternates").split(b"\n")
    return [os.fsdecode(line) for line in lines if line and not line.startswith((b"#", b'"'))][:_MOST_ALTERNATES]


def read_small(path: Path, most: int = 1 << 20) -> bytes:
    """The beginning of a regular file; nothing where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, most) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(descriptor)
