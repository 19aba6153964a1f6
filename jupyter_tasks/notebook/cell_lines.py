"""A notebook's changes by cell, as lines that notebook and shell colour each in their way. Pure, bounded.

Owns the order and the words; sources are an agent's: whoever shows a line cleans or escapes it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from jupyter_tasks.models import CellChange, DiffResponse, NotebookDiff

__all__ = ["Kind", "by_cell", "cell_lines", "without"]

Kind = Literal["file", "cell", "at", "added", "deleted", "same", "note"]
_CONTEXT = 3
_LONGEST = 2_000  # lines of a cell that are compared; difflib takes quadratic time
_ESCAPES = {"n": 10, "t": 9, "r": 13, "a": 7, "b": 8, "v": 11, "f": 12, '"': 34, "\\": 92}


def by_cell(diff: DiffResponse) -> Sequence[NotebookDiff]:
    """The notebooks of a diff that can be shown by cell."""
    return [notebook for notebook in diff.notebooks if notebook.error is None]


def cell_lines(notebook: NotebookDiff) -> Iterator[tuple[Kind, str]]:
    """One notebook: its name, each changed cell with its source as a unified diff, then what is not shown."""
    yield "file", f"notebook {notebook.path}"
    for cell in notebook.cells:
        yield "cell", _title(cell)
        yield from _source(cell)
        if cell.outputs_changed:
            yield "note", "outputs changed"
    if notebook.outputs_only:
        cells = "cell" if notebook.outputs_only == 1 else "cells"
        yield "note", f"only the outputs of {notebook.outputs_only:,} {cells} changed"
    if notebook.metadata_changed:
        yield "note", "the notebook's metadata changed"


def _title(cell: CellChange) -> str:
    old, new = (None if at is None else at + 1 for at in (cell.old_index, cell.new_index))
    place = f"{old} → {new}" if old is not None and new is not None and cell.kind == "moved" else f"{new or old or '?'}"
    return f"cell {place} · {cell.cell_type} · {cell.kind}"


def _source(cell: CellChange) -> Iterator[tuple[Kind, str]]:
    old = None if cell.old_source is None else cell.old_source.split("\n")
    new = None if cell.new_source is None else cell.new_source.split("\n")
    if old == new:
        return
    if old is None or new is None or max(len(old), len(new)) > _LONGEST:
        yield from (("deleted", f"-{line}") for line in old or ())
        yield from (("added", f"+{line}") for line in new or ())
        return
    for line in list(difflib.unified_diff(old, new, n=_CONTEXT, lineterm=""))[2:]:
        kind: Kind = "added" if line[0] == "+" else "deleted" if line[0] == "-" else "at" if line[0] == "@" else "same"
        yield kind, line


def without(patch: str, paths: Sequence[str]) -> str:
    """``patch`` (git's) without the files at ``paths``. What names none of them for certain stays."""
    gone = set(paths)
    parts = ("\n" + patch).split("\ndiff --git ")
    kept = [part for part in parts[1:] if not _is_of(part, gone)]
    head = parts[0][1:]
    return (head + "\n" if head and kept else head) + "\n".join(f"diff --git {part}" for part in kept)


def _is_of(part: str, paths: set[str]) -> bool:
    """Whether the header says that it changes the text of one of these; content lines begin with " ", "+" or "-"."""
    for line in part.split("\n")[1:]:
        if line.startswith("@@"):
            return False
        if line.startswith(("--- ", "+++ ")) and _unquoted(line[4:].rstrip("\t"))[2:] in paths:
            return True
    return False


def _unquoted(name: str) -> str:
    """A path as git writes it: in quotes with C's escapes where it has to be."""
    if len(name) < 2 or name[0] != '"' or name[-1] != '"':
        return name
    raw, at, text = bytearray(), 0, name[1:-1]
    while at < len(text):
        char = text[at]
        if char != "\\" or at + 1 == len(text):
            raw += char.encode("utf-8", "surrogateescape")
            at += 1
        elif text[at + 1] in _ESCAPES:
            raw.append(_ESCAPES[text[at + 1]])
            at += 2
        else:
            digits = text[at + 1 : at + 4]
            raw.append(int(digits, 8) & 255 if len(digits) == 3 and set(digits) <= set("01234567") else 63)
            at += 4
    return raw.decode("utf-8", "surrogateescape")
