"""Apply as a commit on a new branch: no file and no index of the user's is touched.

Owns what is asked of git in their repository. The parent is HEAD as it is now (not as it was when the task began): the
three-way plan has brought the changes forward to it, so the branch merges as any other. Contents go in as they are;
what HEAD keeps with other line ends gets those.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from jupyter_tasks.errors import Conflict, InvalidInput, NotFound, WorkspaceFailed
from jupyter_tasks.models import ApplyRequest
from jupyter_tasks.tasks.apply_asked import Wanted, contents_of
from jupyter_tasks.tasks.apply_change import Change, Entry, Plan, directories_of
from jupyter_tasks.tasks.apply_git import Objects, git, said_by, user_environment
from jupyter_tasks.tasks.apply_plan import make_plan
from jupyter_tasks.tasks.apply_target import MISSING, Blocked, Seen, Target
from jupyter_tasks.tasks.review import Trees
from jupyter_tasks.tasks.review_objects import object_id

__all__ = ["Branch", "plan_branch"]

_LINK, _SUBMODULE, _EXECUTABLE = b"120000", b"160000", b"100755"
_LFS = b"version https://git-lfs.github.com/spec/"
MOST_TITLE = 72


def plan_branch(
    branch: Branch, trees: Trees, wanted: Wanted, applied: Mapping[bytes, Entry | None], request: ApplyRequest
) -> tuple[Plan, str | None]:
    """Plan against HEAD and, unless something stands against it or nothing is to do, make the commit.

    Returns: the plan, and the id of the commit. Raises: InvalidInput, NotFound, Conflict, ProgramMissing,
        WorkspaceFailed, LimitReached.
    """
    with ExitStack() as stack:
        contents = contents_of(trees, (), stack)
        head = stack.enter_context(_Head(branch, trees, contents))
        plan = make_plan(trees, head, contents, applied=applied, wanted=wanted, branch=True)
        plan = replace(plan, changes=head.without_ignored([head.as_tracked(each) for each in plan.changes], wanted))
        if request.dry_run or plan.stops(accept_runnable=request.accept_runnable) or not plan.writes():
            return plan, None
        return plan, branch.commit(plan, head.line_feeds)


class Branch:
    """A branch to be made.

    Raises: InvalidInput for a wrong name or where there is no repository, Conflict where the branch exists.
    """

    def __init__(self, root: Path, name: str, message: str, environment: Mapping[str, str]) -> None:
        self.root = root
        self.name = name
        self._message = message
        self._environment = user_environment(environment)

    def open(self) -> None:
        """Find the repository, and see that the branch can be made."""
        if not self.root.is_dir():
            raise NotFound(f"The project is not at {self.root} any more.", hint="Name its directory with --target DIR.")
        found = self.ask("rev-parse", "--absolute-git-dir", "--show-prefix")
        if found is None:
            raise InvalidInput(
                f"{self.root} is not in a git repository that can be used, so there is no branch to be made.",
                hint="Apply to the files instead (without --branch), or name a repository with --target DIR.",
            )
        git_dir, _, self.prefix = found.removesuffix(b"\n").partition(b"\n")
        self.git_dir = Path(os.fsdecode(git_dir))
        if "\0" in self.name or self.ask("check-ref-format", "--branch", self.name) != self.name.encode() + b"\n":
            raise InvalidInput(f'"{self.name}" is not a name for a branch.', hint='For example: --branch "agent/fix".')
        if self.ask("show-ref", "--verify", f"refs/heads/{self.name}") is not None:
            raise Conflict(f'The branch "{self.name}" exists already.', hint="Name a new one.", retryable=False)
        parent = self.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        self.parent = None if parent is None else parent.strip().decode()

    def ask(self, *words: str | bytes, given: bytes = b"", index: Path | None = None) -> bytes | None:
        """What git answers; None where it says no."""
        done = self._run(words, given, index)
        return done.stdout if done.returncode == 0 else None

    def tell(self, *words: str | bytes, given: bytes = b"", index: Path | None = None) -> bytes:
        """The same where it has to work. Raises: WorkspaceFailed with git's own words."""
        done = self._run(words, given, index)
        if done.returncode != 0:
            raise WorkspaceFailed(
                f'No commit could be made on the branch "{self.name}" in {self.root}.',
                detail=f"Git said: {said_by(done)}",
                hint="No file of yours was touched. If it asks who you are: git config --global user.name NAME, "
                "and user.email ADDRESS.",
                retryable=False,
            )
        return done.stdout

    def _run(
        self, words: tuple[str | bytes, ...], given: bytes, index: Path | None
    ) -> subprocess.CompletedProcess[bytes]:
        environment = self._environment if index is None else {**self._environment, "GIT_INDEX_FILE": str(index)}
        return git(words, cwd=self.root, environment=environment, given=given)

    @property
    def environment(self) -> Mapping[str, str]:
        """Of git here."""
        return self._environment

    def commit(self, plan: Plan, line_feeds: set[bytes]) -> str:
        """Make it. Raises: Conflict, WorkspaceFailed."""
        with tempfile.TemporaryDirectory(prefix="jupyter-tasks-branch-") as place:
            index = Path(place) / "index"
            if self.parent is not None:
                self.tell("read-tree", self.parent, index=index)
            lines = self._lines(plan, line_feeds, Path(place))
            self.tell("update-index", "--replace", "-z", "--index-info", given=lines, index=index)
            tree = self.tell("write-tree", index=index).strip().decode()
        parents = [] if self.parent is None else ["-p", self.parent]
        message = self._message.strip() or "Apply the changes of a task"
        title, _, rest = message.partition("\n")
        if len(title) > MOST_TITLE and not rest:
            message = f"{title[: MOST_TITLE - 1].rstrip()}…\n\n{title}"
        commit = self.tell("commit-tree", tree, *parents, "-F", "-", given=message.encode() + b"\n").strip().decode()
        none = "0" * len(commit)
        done = self._run(("update-ref", "-m", "apply of a task", f"refs/heads/{self.name}", commit, none), b"", None)
        if done.returncode != 0:
            raise Conflict(
                f'The branch "{self.name}" could not be made.',
                detail=f"Git said: {said_by(done)}",
                hint="Name another one.",
                retryable=False,
            )
        return commit

    def _lines(self, plan: Plan, line_feeds: set[bytes], place: Path) -> bytes:
        """What ``update-index`` is told; contents are in the repository afterwards."""
        gone = [each for each in plan.writes() if each.content is None]
        puts = [each for each in plan.writes() if each.content is not None]
        files = []
        for number, each in enumerate(puts):
            content = each.content or b""
            file = place / str(number)
            file.write_bytes(content.replace(b"\r\n", b"\n") if each.path in line_feeds else content)
            files.append(str(file).encode())
        listed = b"".join(file + b"\n" for file in files)
        names = self.tell("hash-object", "-w", "--no-filters", "--stdin-paths", given=listed).split()
        none = b"0" * max(len(self.parent or ""), 40)
        lines = [b"0 %s\t%s%s\0" % (none, self.prefix, each.path) for each in gone]
        for each, name in zip(puts, names, strict=True):
            mode = _EXECUTABLE if each.executable else b"100644"
            lines.append(b"%s %s\t%s%s\0" % (mode, name, self.prefix, each.path))
        return b"".join(lines)


class _Head:
    """HEAD's tree as the user's side of a plan."""

    def __init__(self, branch: Branch, trees: Trees, contents: Callable[[bytes], bytes | None]) -> None:
        branch.open()
        self._branch = branch
        self.line_feeds: set[bytes] = set()
        self._trees = trees
        self._contents = contents
        self._root = branch.root
        self._entries = self._listed(branch)
        self._below: dict[bytes, set[bytes]] = {}
        for path in {*self._entries, *directories_of(self._entries)}:
            directory, _, name = path.rpartition(b"/")
            self._below.setdefault(directory, set()).add(name)
        self._objects = Objects(branch.git_dir, branch.environment)

    def __enter__(self) -> _Head:
        return self

    def __exit__(self, *_: object) -> None:
        self._objects.close()

    def _listed(self, branch: Branch) -> dict[bytes, Entry]:
        if branch.parent is None:
            return {}
        only = [branch.prefix] if branch.prefix else []
        words = branch.tell("ls-tree", "-r", "-z", "--full-tree", branch.parent, *only)
        entries = {}
        for line in words.split(b"\0")[:-1]:
            what, _, path = line.partition(b"\t")
            mode, _, name = what.split(b" ")[:3]
            entries[path[len(branch.prefix) :]] = (mode, bytes.fromhex(name.decode()))
        return entries

    def names(self, path: bytes) -> list[bytes]:
        """The names in a directory of HEAD."""
        return list(self._below.get(path, ()))

    def look(self, path: bytes) -> Seen:
        """What HEAD has there. Raises: Blocked."""
        for directory in sorted(directories_of([path])):
            if directory in self._entries:
                mode = self._entries[directory][0]
                raise Blocked(directory, {_LINK: "a symbolic link", _SUBMODULE: "a submodule"}.get(mode))
        if path in self._below:
            return Seen("directory")
        entry = self._entries.get(path)
        if entry is None:
            return self._untracked(path)
        if entry[0] == _SUBMODULE:
            return Seen("other")
        content = self._objects.read(entry[1])
        if entry[0] == _LINK:
            return Seen("link", name=object_id("blob", content), content=content)
        problem = "Git LFS keeps it, which a branch made here does not know." if content.startswith(_LFS) else None
        content = self._with_line_ends(path, content)
        bits = 0o755 if entry[0] == _EXECUTABLE else 0o644
        return Seen("file", bits, object_id("blob", content), content, problem=problem)

    def _untracked(self, path: bytes) -> Seen:
        """A file that HEAD does not have. One that the user has, and had when the task began, is not in version
        control: nothing there can be lost."""
        base, theirs = self._trees.base.get(path), self._trees.now.get(path)
        if base is None or theirs is None or base[0] == _LINK:
            return MISSING
        with suppress(Blocked, OSError, NotFound), Target(self._root) as target:
            if target.look(path).kind == "file":
                return Seen("file", 0o755 if base[0] == _EXECUTABLE else 0o644, base[1])
        return MISSING

    def _with_line_ends(self, path: bytes, content: bytes) -> bytes:
        """HEAD's text with the line ends that the working files have, where git keeps it with other ones."""
        base = self._trees.base.get(path)
        before = self._contents(base[1]) if base is not None else None
        if before is None or b"\r\n" not in before or b"\r\n" in content or b"\0" in content:
            return content
        self.line_feeds.add(path)
        return content.replace(b"\n", b"\r\n")

    def as_tracked(self, change: Change) -> Change:
        """A change of a file that HEAD does not have adds it."""
        untracked = change.action == "modified" and change.path not in self._entries
        return replace(change, action="added") if untracked else change

    def without_ignored(self, changes: Sequence[Change], wanted: Wanted) -> Sequence[Change]:
        """Files that the user's repository ignores stay out of a commit, as with ``git add``, unless they are named."""
        added = [each.path for each in changes if each.action == "added" and not wanted.asks_for(each.path)]
        given = b"".join(b"./%s\0" % each for each in added)  # so that no name is taken for a pattern's magic
        answer = self._branch.ask("check-ignore", "-z", "--stdin", given=given) or b""
        ignored = {each.removeprefix(b"./") for each in answer.split(b"\0")} & set(added)
        why = "Git ignores it here. Name it, to have it in the commit all the same."
        return [
            replace(each, action="unchanged", detail=why, runnable=None, left_out=True)
            if each.path in ignored
            else each
            for each in changes
        ]
