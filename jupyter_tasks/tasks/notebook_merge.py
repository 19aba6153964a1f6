"""Three versions of a notebook merged by cell.

Owns which cells there are, their order and their ids; ``notebook_cell_merge`` what is in one. What comes of it is
written as the user's notebook is, with the user's cells byte for byte where nothing changed; it is valid where theirs
was, and nothing in it vouches for its outputs. Pure: bytes in, bytes or conflicts out.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jupyter_tasks.errors import InvalidInput
from jupyter_tasks.tasks.notebook_cell_merge import merge_cell
from jupyter_tasks.tasks.notebook_cells import Cell, Notebook, Style, read_notebook, write_notebook
from jupyter_tasks.tasks.notebook_diff import match
from jupyter_tasks.tasks.notebook_lines import common, rising
from jupyter_tasks.tasks.notebook_metadata import merge_metadata
from jupyter_tasks.tasks.notebook_valid import valid_metadata

__all__ = ["MergedNotebook", "merge_notebooks"]

MOST_CONFLICTS = 20
_WITH_IDS = 5  # the minor of nbformat 4 since which cells have ids

_Value = Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class MergedNotebook:
    """``content`` is None where there are ``conflicts``, each one a sentence."""

    content: bytes | None
    conflicts: Sequence[str] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Slot:
    """One cell of the result, in the versions that there are of it. ``number`` is how people count it."""

    number: int
    base: Cell | None
    ours: Cell | None
    theirs: Cell | None

    @property
    def called(self) -> str:
        cell = self.ours or self.theirs
        title = cell.title if cell else ""
        return f'Cell {self.number} ("{title}")' if title else f"Cell {self.number}"


@dataclass(slots=True)
class _Sides:
    """What is merged, and which cells of it are the same."""

    base: Sequence[Cell]
    ours: Notebook
    theirs: Notebook
    to_ours: Mapping[int, int]
    to_theirs: Mapping[int, int]
    conflicts: list[str] = field(default_factory=list)

    @property
    def minor(self) -> int:
        return max(self.ours.minor, min(self.theirs.minor, _WITH_IDS))


def merge_notebooks(base: bytes | None, ours: bytes, theirs: bytes) -> MergedNotebook:
    """The user's notebook with what an agent changed in its own copy.

    Args:
        base: what the agent began with; None where there was no such notebook.
        ours: the user's, as it is now.
        theirs: the agent's. Hostile.

    Returns: the bytes to write, else why not. Never raises for what the bytes hold.
    """
    if theirs in (base, ours):
        return MergedNotebook(ours)
    try:
        old = _read(base, "as the agent began with it") if base is not None else None
        sides = _sides(old, _read(ours, "of yours"), _read(theirs, "of the agent"))
        content = _merged(sides, old)
    except InvalidInput as error:
        return MergedNotebook(None, (error.message,))
    except RecursionError:
        return MergedNotebook(None, ("The notebook is nested too deeply.",))
    if sides.conflicts:
        more = len(sides.conflicts) - MOST_CONFLICTS
        told = sides.conflicts[:MOST_CONFLICTS] + ([f"And {more} more."] if more > 0 else [])
        return MergedNotebook(None, tuple(told))
    return MergedNotebook(content)


def _read(content: bytes, whose: str) -> Notebook:
    try:
        return read_notebook(content)
    except InvalidInput as error:
        raise InvalidInput(error.message.replace("The notebook", f"The notebook {whose}", 1)) from error


def _sides(old: Notebook | None, ours: Notebook, theirs: Notebook) -> _Sides:
    cells = old.cells if old else ()
    return _Sides(cells, ours, theirs, match(cells, ours.cells), match(cells, theirs.cells))


def _merged(sides: _Sides, old: Notebook | None) -> bytes:
    ours, theirs = sides.ours, sides.theirs
    slots = [each for each in _order(sides, _slots(sides)) if not _deleted(sides, each)]
    values = _values(sides, slots)
    metadata, clashes = merge_metadata(old.metadata if old else {}, ours.metadata, valid_metadata(theirs.metadata))
    sides.conflicts += [f'"{each}" in the notebook\'s metadata was changed here and by the agent.' for each in clashes]
    if sides.conflicts:
        return b""
    return write_notebook(ours, _written(sides, slots, values), metadata, sides.minor)


# ---------------------------------------------------------------- which cells, in which order


def _slots(sides: _Sides) -> list[_Slot]:
    """A slot for each cell of ours, in our order, with the versions of it on the other sides."""
    from_base = {b: a for a, b in sides.to_ours.items()}
    both_added = _both_added(sides)
    slots = []
    for index, cell in enumerate(sides.ours.cells):
        origin = from_base.get(index)
        there = sides.to_theirs.get(origin) if origin is not None else both_added.get(index)
        slots.append(
            _Slot(
                number=index + 1,
                base=sides.base[origin] if origin is not None else None,
                ours=cell,
                theirs=sides.theirs.cells[there] if there is not None else None,
            )
        )
    return slots


def _both_added(sides: _Sides) -> dict[int, int]:
    """Cells that were added here and there: those with one id, and of the rest the equal ones in the same order."""
    ours, theirs = sides.ours.cells, sides.theirs.cells
    known_here, known_there = set(sides.to_ours.values()), set(sides.to_theirs.values())
    here = [each for each in range(len(ours)) if each not in known_here]
    there = [each for each in range(len(theirs)) if each not in known_there]
    by_id = {theirs[each].id: each for each in there if theirs[each].id}
    pairs = {each: by_id[ours[each].id] for each in here if ours[each].id in by_id}
    taken = set(pairs.values())
    here = [each for each in here if each not in pairs]
    there = [each for each in there if each not in taken]
    same = common([(ours[a].kind, ours[a].source) for a in here], [(theirs[b].kind, theirs[b].source) for b in there])
    return pairs | {here[a]: there[b] for a, b in same}


def _moved(pairs: Mapping[int, int], base: Sequence[Cell], cells: Sequence[Cell]) -> set[int]:
    """Identities of the cells that stand elsewhere than in the base, as ``id`` of the base's cell."""
    still = rising([pairs[each] for each in sorted(pairs)])
    return {id(base[a]) for a, b in pairs.items() if b not in still}


def _order(sides: _Sides, slots: list[_Slot]) -> list[_Slot]:
    """Our order, with what the agent added or moved behind the cell it put it behind."""
    moved_here = _moved(sides.to_ours, sides.base, sides.ours.cells)
    moved_there = _moved(sides.to_theirs, sides.base, sides.theirs.cells) - moved_here
    from_base = {b: a for a, b in sides.to_theirs.items()}
    of = {id(each.theirs): each for each in slots if each.theirs is not None}
    before: _Slot | None = None
    for index, cell in enumerate(sides.theirs.cells):
        slot = of.get(id(cell))
        if slot is None:
            if index in from_base:
                _deleted_here(sides, sides.base[from_base[index]], cell, index)
                continue
            slot = _Slot(index + 1, None, None, cell)
            slots.insert(_behind(slots, before), slot)
        elif slot.base is not None and id(slot.base) in moved_there:
            slots.remove(slot)
            slots.insert(_behind(slots, before), slot)
        before = slot
    return slots


def _behind(slots: Sequence[_Slot], slot: _Slot | None) -> int:
    """The place behind a slot and behind what was added there by the user."""
    at = slots.index(slot) + 1 if slot is not None else 0
    while at < len(slots) and slots[at].base is None and slots[at].theirs is None:
        at += 1
    return at


def _deleted_here(sides: _Sides, base: Cell, theirs: Cell, index: int) -> None:
    if (base.kind, base.source) != (theirs.kind, theirs.source):
        called = _Slot(index + 1, base, None, theirs).called
        sides.conflicts.append(f"{called} was deleted here and changed by the agent.")


def _deleted(sides: _Sides, slot: _Slot) -> bool:
    """Whether the agent has deleted this cell."""
    if slot.base is None or slot.ours is None or slot.theirs is not None:
        return False
    if (slot.base.kind, slot.base.source) != (slot.ours.kind, slot.ours.source):
        sides.conflicts.append(f"{slot.called} was changed here and deleted by the agent.")
    return True


# ---------------------------------------------------------------- what is in a cell


def _values(sides: _Sides, slots: Sequence[_Slot]) -> list[_Value]:
    values = []
    for slot in slots:
        merged = merge_cell(slot.base, slot.ours, slot.theirs, sides.ours.style)
        sides.conflicts += [each.replace("{cell}", slot.called) for each in merged.clashes]
        values.append(merged.value)
    return values


# ---------------------------------------------------------------- writing


def _written(sides: _Sides, slots: Sequence[_Slot], values: Sequence[_Value]) -> list[str]:
    """The cells as text, each with an id of its own where this format has ids."""
    names = _names(slots) if sides.minor >= _WITH_IDS else [None] * len(slots)
    return [
        _text(sides.ours, slot, value, name) for slot, value, name in zip(slots, values, names, strict=True)
    ]  # fmt: skip


def _text(ours: Notebook, slot: _Slot, value: _Value, name: str | None) -> str:
    if slot.ours is not None and value is None and (name is None or slot.ours.value.get("id") == name):
        return ours.written(slot.ours)
    found = dict(value if value is not None else slot.ours.value if slot.ours else {})
    if name is not None:
        found["id"] = name
    return ours.style.dump(_in_order(found, ours.style), 2)


def _in_order(value: dict[str, Any], style: Style) -> dict[str, Any]:
    if style.sorted_keys or not ("id" in value and "cell_type" in value):
        return value
    first = {key: value[key] for key in ("cell_type", "id")}
    return first | value


def _names(slots: Sequence[_Slot]) -> list[str]:
    """An id for each cell: ours, else theirs, else one made of its content."""
    used = {each.ours.id for each in slots if each.ours and each.ours.id}
    names = []
    for slot in slots:
        name = slot.ours.id if slot.ours else ""
        if not name and slot.theirs and slot.theirs.id not in used:
            name = slot.theirs.id
        source = (slot.ours or slot.theirs or Cell("", "", "", {})).source
        for salt in itertools.count():
            if name:
                break
            made = hashlib.sha256(f"{salt}:{slot.number}:{source}".encode()).hexdigest()[:8]
            name = "" if made in used else made
        used.add(name)
        names.append(name)
    return names
