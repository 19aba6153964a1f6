"""Two versions of a notebook compared by cell.

Owns which cells of two notebooks are the same cell (``match``), and what is told about those that differ. Pure: bytes
in, ``models.NotebookDiff`` out; a notebook that cannot be read is an answer too.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jupyter_tasks.errors import InvalidInput
from jupyter_tasks.models import CellChange, NotebookDiff
from jupyter_tasks.tasks.notebook_cells import Cell, Notebook, joined, read_notebook
from jupyter_tasks.tasks.notebook_lines import common, rising

__all__ = ["diff_notebooks", "match", "same_outputs"]

MOST_SHOWN = 1 << 20  # characters of source in one answer
MOST_COMPARED = 4_000  # pairs of cells whose words are compared
ALIKE = 0.5
_OUTPUTS = ("outputs", "execution_count")
_WORD = re.compile(r"\w+|[^\w\s]")


def diff_notebooks(path: str, old: bytes | None, new: bytes | None) -> NotebookDiff:
    """What changed in a notebook, by cell.

    Args:
        path: said again in the answer.
        old: None where it did not exist.
        new: None where it exists no more.

    Returns: the changed cells in the order of the newer notebook, deleted ones where they were. Never raises for what
        the bytes hold: then ``error`` says why there are no cells.
    """
    try:
        before, after = _read(old, "older"), _read(new, "newer")
        changes, outputs_only = _changes(before, after)
    except InvalidInput as error:
        return NotebookDiff(path=path, error=error.message)
    except RecursionError:
        return NotebookDiff(path=path, error="The notebook is nested too deeply.")
    if sum(len(each.old_source or "") + len(each.new_source or "") for each in changes) > MOST_SHOWN:
        return NotebookDiff(path=path, error="More has changed in the notebook than can be shown by cell.")
    one_sided = before is None or after is None
    return NotebookDiff(
        path=path,
        cells=changes,
        metadata_changed=not one_sided and before.metadata != after.metadata,  # type: ignore[union-attr]
        outputs_only=outputs_only,
    )


def match(old: Sequence[Cell], new: Sequence[Cell]) -> dict[int, int]:
    """Which cell of the newer notebook each cell of the older one has become.

    By id; the rest by source, in order and then anywhere; where ids say nothing (there are none, or all are new) the
    rest of those by likeness, between neighbours that are matched.

    Returns: index in ``old`` -> index in ``new``; no index twice.
    """
    by_id = {each.id: index for index, each in enumerate(new) if each.id}
    pairs = {index: by_id[each.id] for index, each in enumerate(old) if each.id in by_id}
    kept_ids = bool(pairs)
    _by_source(old, new, pairs)
    if not kept_ids:
        _by_likeness(old, new, pairs)
    return pairs


def same_outputs(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two cells hold the same outputs and execution count, however their text is split into lines."""
    if all(one.get(each) == other.get(each) for each in _OUTPUTS):
        return True
    return all(_plain(one.get(each)) == _plain(other.get(each)) for each in _OUTPUTS)


# ---------------------------------------------------------------- matching


def _left(count: int, taken: Iterable[int]) -> list[int]:
    gone = set(taken)
    return [each for each in range(count) if each not in gone]


def _by_source(old: Sequence[Cell], new: Sequence[Cell], pairs: dict[int, int]) -> None:
    here, there = _left(len(old), pairs), _left(len(new), pairs.values())
    in_order = common([_words_of(old[each]) for each in here], [_words_of(new[each]) for each in there])
    pairs.update((here[a], there[b]) for a, b in in_order)
    anywhere: dict[tuple[str, str], list[int]] = {}
    for index in reversed(_left(len(new), pairs.values())):
        if new[index].source.strip():  # an empty cell is not moved, there are just several of them
            anywhere.setdefault(_words_of(new[index]), []).append(index)
    for index in _left(len(old), pairs):
        if found := anywhere.get(_words_of(old[index])):
            pairs[index] = found.pop()


def _words_of(cell: Cell) -> tuple[str, str]:
    return cell.kind, cell.source


def _by_likeness(old: Sequence[Cell], new: Sequence[Cell], pairs: dict[int, int]) -> None:
    """Within each gap between matched neighbours the likest pairs, none across another."""
    unmoved = rising([pairs[each] for each in sorted(pairs)])
    taken = set(pairs.values())
    budget = MOST_COMPARED
    edges = [(-1, -1), *(each for each in sorted(pairs.items()) if each[1] in unmoved), (len(old), len(new))]
    for (a, b), (c, d) in itertools.pairwise(edges):
        here = [each for each in range(a + 1, c) if each not in pairs]
        there = [each for each in range(b + 1, d) if each not in taken]
        budget -= len(here) * len(there)
        if budget < 0:
            return
        if here and there:
            _likest(old, new, (here, there), pairs)


def _likest(old: Sequence[Cell], new: Sequence[Cell], gap: tuple[list[int], list[int]], pairs: dict[int, int]) -> None:
    here, there = gap
    counted = {each: _words(new[each]) for each in there}
    found = []
    for a in here:
        words = _words(old[a])
        found += [(_alike(words, counted[b]), a, b) for b in there if old[a].kind == new[b].kind]
    chosen: list[tuple[int, int]] = []
    for ratio, a, b in sorted(found, key=lambda each: (-each[0], each[1], each[2])):
        if ratio >= ALIKE and all((a - x) * (b - y) > 0 for x, y in chosen):
            chosen.append((a, b))
    pairs.update(chosen)


def _words(cell: Cell) -> Counter[str]:
    return Counter(_WORD.findall(cell.source[:10_000]))


def _alike(one: Counter[str], other: Counter[str]) -> float:
    total = sum(one.values()) + sum(other.values())
    return 2 * sum((one & other).values()) / total if total else 0.0


def _plain(value: object) -> object:
    """Some outputs, with lists of lines as one string."""
    if isinstance(value, list):
        text = joined(value) if value else None
        return [_plain(each) for each in value] if text is None else text
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return value


# ---------------------------------------------------------------- telling


def _read(content: bytes | None, which: str) -> Notebook | None:
    if content is None:
        return None
    try:
        return read_notebook(content)
    except InvalidInput as error:
        raise InvalidInput(error.message.replace("The notebook", f"The {which} notebook", 1)) from error


def _changes(before: Notebook | None, after: Notebook | None) -> tuple[list[CellChange], int]:
    old, new = before.cells if before else (), after.cells if after else ()
    pairs = match(old, new)
    still = rising([pairs[each] for each in sorted(pairs)])
    came_from = {b: a for a, b in pairs.items()}
    found: list[CellChange] = []
    outputs_only = 0
    gone = _left(len(old), pairs)
    for index, cell in enumerate(new):
        origin = came_from.get(index)
        while gone and origin is not None and index in still and gone[0] < origin:
            found.append(_deleted(old[gone[0]], gone.pop(0)))
        if origin is None:
            found.append(_added(cell, index))
            continue
        change = _changed(old[origin], cell, (origin, index), moved=index not in still)
        if change:
            found.append(change)
        elif not same_outputs(old[origin].value, cell.value):
            outputs_only += 1
    return found + [_deleted(old[each], each) for each in gone], outputs_only


def _added(cell: Cell, index: int) -> CellChange:
    return CellChange(id=cell.id, kind="added", cell_type=cell.kind, new_index=index, new_source=cell.source)


def _deleted(cell: Cell, index: int) -> CellChange:
    return CellChange(id=cell.id, kind="deleted", cell_type=cell.kind, old_index=index, old_source=cell.source)


def _changed(old: Cell, new: Cell, places: tuple[int, int], *, moved: bool) -> CellChange | None:
    modified = (
        (old.kind, old.source, old.metadata) != (new.kind, new.source, new.metadata)
        or old.value.get("attachments") != new.value.get("attachments")
    )  # fmt: skip
    if not modified and not moved:
        return None
    return CellChange(
        id=new.id or old.id,
        kind="modified" if modified else "moved",
        cell_type=new.kind,
        old_index=places[0],
        new_index=places[1],
        old_source=old.source,
        new_source=new.source,
        outputs_changed=not same_outputs(old.value, new.value),
    )
