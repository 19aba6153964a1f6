"""One cell merged out of three versions of it.

Owns what each part of a cell follows: the source is merged by line, metadata and attachments by key, and outputs and
execution count belong to the source that made them, so that they never are a conflict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_tasks.tasks.notebook_cells import Cell, Style
from jupyter_tasks.tasks.notebook_diff import same_outputs
from jupyter_tasks.tasks.notebook_lines import merge_lines
from jupyter_tasks.tasks.notebook_metadata import merge_metadata
from jupyter_tasks.tasks.notebook_valid import (
    valid_attachments,
    valid_cell,
    valid_cell_metadata,
    valid_count,
    valid_outputs,
)

__all__ = ["MergedCell", "merge_cell"]

_NOTHING = Cell("", "", "", {})


@dataclass(frozen=True, slots=True)
class MergedCell:
    """``value`` is the cell without regard to its id, None where it is ours as it stands; ``clashes`` say what was
    changed on both sides."""

    value: Mapping[str, Any] | None
    clashes: tuple[str, ...] = ()


def merge_cell(base: Cell | None, ours: Cell | None, theirs: Cell | None, style: Style) -> MergedCell:
    """What becomes of a cell.

    Args:
        base: None where it was added since.
        ours: None where only the agent has it.
        theirs: None where only the user has it.
        style: of the user's notebook.
    """
    if ours is None:
        return MergedCell(valid_cell(theirs, style.lines(theirs.source)) if theirs else None)
    if theirs is None:
        merged, clashes = merge_metadata({}, ours.metadata, {})  # drops marks of trust
        return MergedCell(None if merged == ours.metadata else {**ours.value, "metadata": merged}, tuple(clashes))
    old = base or _NOTHING
    kind = _three(base.kind if base else ours.kind, ours.kind, theirs.kind)
    source = _three(old.source, ours.source, theirs.source)
    if source is None and base is not None:
        source = merge_lines(base.source, ours.source, theirs.source)
    if kind is None or source is None:
        return MergedCell(None, ("{cell} was changed in the same lines here and by the agent.",))
    value = dict(ours.value)
    if source != ours.source:
        value["source"] = style.lines(source)
    clashes = _merge_metadata(base, ours, theirs, value)
    value["cell_type"] = kind
    if kind == "code":
        value.pop("attachments", None)
        _merge_outputs(old, ours, theirs, source, value)
    else:
        value.pop("outputs", None)
        value.pop("execution_count", None)
    return MergedCell(value if value != ours.value else None, tuple(clashes))


def _three(base: str, ours: str, theirs: str) -> str | None:
    if theirs in (base, ours):
        return ours
    return theirs if ours == base else None


def _merge_metadata(base: Cell | None, ours: Cell, theirs: Cell, value: dict[str, Any]) -> list[str]:
    before = base or theirs  # of a cell that both added ours is kept
    metadata, clashes = merge_metadata(before.metadata, ours.metadata, valid_cell_metadata(theirs.metadata))
    if metadata != ours.metadata:
        value["metadata"] = metadata
    old, here = _files(before), _files(ours)
    files, more = merge_metadata(old, here, valid_attachments(_files(theirs)))
    if files != here:
        value["attachments"] = files
    return [f'"{each}" in the metadata of {{cell}} was changed here and by the agent.' for each in _safe(clashes)] + [
        f'The file "{each}" in {{cell}} was changed here and by the agent.' for each in _safe(more)
    ]


def _safe(keys: list[str]) -> list[str]:
    return [each.replace("{", "(").replace("}", ")") for each in keys]


def _files(cell: Cell) -> Mapping[str, Any]:
    found = cell.value.get("attachments")
    return found if isinstance(found, dict) else {}


def _merge_outputs(base: Cell, ours: Cell, theirs: Cell, source: str, value: dict[str, Any]) -> None:
    """The outputs of whoever has this source; of ours where both have it, unless only the agent has run it. A source
    that is new to both has none yet."""
    only_theirs_ran = not same_outputs(base.value, theirs.value) and same_outputs(base.value, ours.value)
    if source == theirs.source and (source != ours.source or only_theirs_ran or ours.kind != "code"):
        value["execution_count"] = valid_count(theirs.value.get("execution_count"))
        value["outputs"] = valid_outputs(theirs.value.get("outputs"))
    elif source != ours.source or ours.kind != "code":
        value["execution_count"], value["outputs"] = None, []
