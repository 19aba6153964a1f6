"""Where the files of a plan stand in each other's way: directories, and names that differ in their case only.

Owns what is decided over all files together, after each was decided alone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from jupyter_tasks.tasks.apply_change import WRITES, Change, Ours, Plan, directories_of
from jupyter_tasks.tasks.apply_paths import collision_sentence, collisions, folded
from jupyter_tasks.tasks.apply_target import Blocked
from jupyter_tasks.tasks.review import Trees
from jupyter_tasks.tasks.review_git import shown

__all__ = ["Layout"]


class Layout:
    """Settles one plan."""

    def __init__(self, ours: Ours, trees: Trees) -> None:
        self._ours = ours
        self._trees = trees
        self._names: dict[bytes, list[bytes]] = {}
        self._empty: dict[bytes, bool] = {}
        self._folded: dict[bytes, dict[str, list[bytes]]] = {}
        self._skipped = {each.path for each in trees.skipped}
        self._deleted: set[bytes] = set()
        self._above: set[bytes] = set()

    def settled(self, plan: Plan) -> Plan:
        """The plan with what stands in the way told, and the directories that go."""
        self._deleted = {each.path for each in plan.changes if each.action == "deleted"}
        self._above = directories_of(self._deleted)
        removed = {each for each in self._above if self._removed(each)}
        colliding = collisions(self._trees.now)
        changes = [self._free(each, removed, colliding) for each in plan.changes]
        remove = sorted(removed, key=lambda path: path.count(b"/"), reverse=True)
        return Plan(changes, remove)

    def _free(self, change: Change, removed: Collection[bytes], colliding: dict[str, set[bytes]]) -> Change:
        """The change; a conflict or a refusal where something is in its way."""
        if change.content is None or change.action not in WRITES:
            return change
        if change.seen.kind == "directory" and change.path not in removed:
            return replace(change, action="conflict", detail="In your project it is a directory.")
        if change.blocker is not None and change.blocker not in self._deleted:
            why = f'In your project "{shown(change.blocker)}" is not a directory.'
            return replace(change, action="conflict", detail=why)
        other = self._collision(change.path, removed, colliding) if change.action == "added" else None
        return change if other is None else replace(change, action="refused", detail=other)

    def _removed(self, directory: bytes) -> bool:
        """Whether a directory goes: the plan empties it, and the workspace has it no more."""
        there = directory in self._trees.directories or directory in self._skipped
        return not there and self._emptied(directory)

    def _emptied(self, directory: bytes) -> bool:
        found = self._empty.get(directory)
        if found is None:
            names = self._listed(directory)
            paths = [directory + b"/" + name for name in names]
            found = all(path in self._deleted or self._emptied_below(path) for path in paths)
            self._empty[directory] = found
        return found

    def _emptied_below(self, path: bytes) -> bool:
        return path in self._above and self._removed(path)

    def _listed(self, directory: bytes) -> list[bytes]:
        found = self._names.get(directory)
        if found is None:
            try:
                found = self._ours.names(directory)
            except Blocked:
                found = []
            self._names[directory] = found
        return found

    def _collision(self, path: bytes, removed: Collection[bytes], colliding: dict[str, set[bytes]]) -> str | None:
        for part in (path, *directories_of([path])):
            spellings = colliding.get(folded(part))
            if spellings is not None:
                return collision_sentence(part, spellings)
            for other in self._alike(part):
                if other != part and other not in self._deleted and other not in removed:
                    return collision_sentence(part, [other])
        return None

    def _alike(self, path: bytes) -> list[bytes]:
        """What lies in the same directory of ours by a name that is the same but for its case."""
        directory = path.rpartition(b"/")[0]
        found = self._folded.get(directory)
        if found is None:
            found = self._folded[directory] = {}
            for name in self._listed(directory):
                other = directory + b"/" + name if directory else name
                found.setdefault(folded(other), []).append(other)
        return found.get(folded(path), [])
