"""What taking an agent's changes over would do, path by path: base, theirs and ours.

Owns the three-way rule and what is refused. Nothing is written: ``apply_write`` does that, or ``apply_branch``. "Ours"
is the user's tree or a commit of theirs, by the same few questions.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from jupyter_tasks.tasks.apply_change import WRITES, Action, Asked, Change, Entry, Ours, Plan
from jupyter_tasks.tasks.apply_git import merge_text
from jupyter_tasks.tasks.apply_layout import Layout
from jupyter_tasks.tasks.apply_paths import refusal
from jupyter_tasks.tasks.apply_runnable import runner
from jupyter_tasks.tasks.apply_target import MISSING, Blocked, Seen
from jupyter_tasks.tasks.review import Trees
from jupyter_tasks.tasks.review_git import shown
from jupyter_tasks.tasks.review_tree import stands_for_large

__all__ = ["make_plan"]

_LINK = b"120000"
_EXECUTABLE = b"100755"


def make_plan(
    trees: Trees,
    ours: Ours,
    contents: Callable[[bytes], bytes | None],
    *,
    applied: Mapping[bytes, Entry | None],
    wanted: Asked,
    branch: bool = False,
) -> Plan:
    """Plan to take over what is ``wanted``.

    Args:
        trees: the base and the workspace's.
        ours: the user's side.
        contents: what a file of an id held: of the base, of the workspace, or applied before.
        applied: what was taken over before; it is what a file's next change starts from.
        wanted: which paths are asked for. Where some are named, what was taken over before, and put back by the user,
            is taken again.
        branch: "ours" is a commit, which has what was applied to the files only where they committed it.
    """
    deciding = _Deciding(trees, ours, contents, applied, wanted.named, branch)
    paths = {path for path in {*trees.base, *trees.now, *applied} if wanted(path)}
    changes = [each for path in sorted(paths) if (each := deciding.change(path)) is not None]
    decided = {each.path for each in changes}
    skipped = [
        Change(each.path, "refused", None, detail=f"In the workspace: {each.reason}.")
        for each in trees.skipped
        if wanted.asks_for(each.path) and each.path not in decided
    ]
    layout = Layout(ours, trees)
    return layout.settled(Plan([*changes, *skipped], ()))


class _Deciding:
    def __init__(
        self,
        trees: Trees,
        ours: Ours,
        contents: Callable[[bytes], bytes | None],
        applied: Mapping[bytes, Entry | None],
        named: bool,
        branch: bool,
    ) -> None:
        self._trees = trees
        self._ours = ours
        self._contents = contents
        self._applied = applied
        self._named = named
        self._branch = branch
        self._skipped = {each.path: each.reason for each in trees.skipped}

    def change(self, path: bytes) -> Change | None:
        """What becomes of a file; None where the agent did nothing to it."""
        theirs = self._trees.now.get(path)
        first = self._trees.base.get(path)
        base, other = self._applied.get(path, first), first
        if self._branch:
            base, other = other, base
        if theirs == base and (theirs == first or not self._named):
            return None
        seen, blocker = MISSING, None
        try:
            seen = self._ours.look(path)
        except Blocked as blocked:
            blocker = blocked.path
            if blocked.beyond is not None:
                way = f'"{shown(blocked.path)}" is {blocked.beyond} in your project: nothing is written beyond it.'
                return Change(path, "refused", theirs, detail=way)
        gone = theirs is None and seen.kind == "directory"  # the file is gone on both sides
        if gone or (seen.entry == theirs and seen.kind in ("missing", "file", "link") and seen.problem is None):
            same = "It is the same in your project."
            return Change(path, "unchanged", theirs, seen, taken=seen.content if theirs else None, detail=same)
        why = self._refused(path, theirs, seen)
        if why is not None:
            return Change(path, "refused", theirs, seen, detail=why)
        decided = self._decided(path, [base, other], theirs, seen)
        return self._named_runner(replace(decided, blocker=blocker))

    def _refused(self, path: bytes, theirs: Entry | None, seen: Seen) -> str | None:
        parts = path.split(b"/")
        for depth in range(1, len(parts) + 1):
            if theirs is None and (reason := self._skipped.get(b"/".join(parts[:depth]))) is not None:
                return f"In the workspace: {reason}."
        why = refusal(path)
        if why is not None:
            return why
        if theirs is not None and theirs[0] == _LINK:
            return "It is a symbolic link in the workspace: links are not taken over."
        if seen.kind == "link":
            return "It is a symbolic link in your project: links are neither changed nor deleted."
        if seen.kind == "file" and seen.mode & (stat.S_ISUID | stat.S_ISGID):
            return "It runs with the rights of its owner or group (setuid): change it yourself."
        return None

    def _decided(self, path: bytes, bases: Sequence[Entry | None], theirs: Entry | None, seen: Seen) -> Change:
        if seen.kind == "other":
            return _conflict(path, theirs, seen, "In your project it is not a regular file.")
        if seen.problem is not None:
            return _conflict(path, theirs, seen, f"In your project: {seen.problem}")
        if theirs is None:
            if seen.kind == "file" and seen.entry in bases:
                return Change(path, "deleted", theirs, seen)
            return _conflict(path, theirs, seen, "The agent deleted it, and you changed it.")
        content = self._contents(theirs[1])
        if content is None:
            return _conflict(path, theirs, seen, "What the workspace has of it cannot be read any more.")
        if stands_for_large(content):
            return Change(path, "refused", theirs, seen, detail="It is too large to be taken over (more than 32 MiB).")
        executable = theirs[0] == _EXECUTABLE
        if seen.kind == "directory":  # whether it goes is seen when all is decided
            return Change(path, "added", theirs, seen, content, executable=executable)
        if seen.entry in bases:
            action: Action = "added" if seen.entry is None else "modified"
            return Change(path, action, theirs, seen, content, executable=executable)
        if seen.kind == "missing":
            return _conflict(path, theirs, seen, "You deleted it, and the agent changed it.")
        return self._merged(path, bases[0], theirs, seen, content)

    def _merged(self, path: bytes, base: Entry | None, theirs: Entry, seen: Seen, content: bytes) -> Change:
        """Both sides have the file, and both have changed it."""
        ours = seen.entry or theirs
        if base is not None and base[0] == _LINK:
            return _conflict(path, theirs, seen, "It was a symbolic link, and both sides changed it.")
        if base is None and ours[1] == theirs[1]:
            return _conflict(path, theirs, seen, "Both sides added it, one of them as a program.")
        mode = ours[0] if base is None or theirs[0] == base[0] else theirs[0]
        if base is not None and ours[1] in (base[1], theirs[1]):
            merged: bytes | None = content
        elif base is not None and theirs[1] == base[1]:
            merged = seen.content
        else:
            before = None if base is None else self._contents(base[1])
            if before is None and base is not None:
                return _conflict(path, theirs, seen, "You changed it, and what was applied before is no longer kept.")
            merged, why = _merge(path, before, seen.content, content)
            if merged is None:
                return _conflict(path, theirs, seen, why)
        if merged == seen.content and mode == ours[0]:
            there = "Your project has these changes already."
            return Change(path, "unchanged", theirs, seen, taken=content, detail=there)
        kept = "Your changes are kept."
        return Change(path, "merged", theirs, seen, merged, content, mode == _EXECUTABLE, detail=kept)

    def _named_runner(self, change: Change) -> Change:
        if change.content is None or change.action not in WRITES:
            return change
        before = change.seen.content if change.seen.kind == "file" else None
        return replace(change, runnable=runner(change.path, before, change.content, self._trees.now))


def _merge(path: bytes, base: bytes | None, ours: bytes, theirs: bytes) -> tuple[bytes | None, str]:
    """The merged content, else why there is none, as a sentence."""
    if path.lower().endswith(b".ipynb"):
        from jupyter_tasks.tasks.notebook_merge import merge_notebooks

        found = merge_notebooks(base, ours, theirs)
        why = " ".join(found.conflicts[:3]) or "Both sides changed it, and it cannot be merged by cell."
        return found.content, why
    if base is None:
        return None, "Both sides added it, with different content."
    if b"\0" in base + ours + theirs:
        return None, "Both sides changed it, and it is no text."
    return merge_text(base, ours, theirs), "Both sides changed the same lines."


def _conflict(path: bytes, theirs: Entry | None, seen: Seen, why: str) -> Change:
    return Change(path, "conflict", theirs, seen, detail=why)
