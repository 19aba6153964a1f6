"""A notebook as its cells, and back to the very bytes it was written with.

Owns what is read of an nbformat 4 document and how one is written: in the way of the notebook at hand (indentation,
order of keys, ``source`` as a list or a string), and every part that did not change as it stands there, byte for byte.
Whose cells belong together is known to ``notebook_diff``, what becomes of them to ``notebook_merge``. No I/O.

What is read may have been made by a hostile agent: its size, depth and number of values are bounded, a lone surrogate
or NaN does not get through, and of two cells with one id the second counts as one without.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from jupyter_tasks.errors import InvalidInput

__all__ = ["MOST_BYTES", "Cell", "Notebook", "Style", "clean_text", "joined", "read_notebook", "write_notebook"]

MOST_BYTES = 64 << 20
MOST_CELLS = 10_000
MOST_VALUES = 6_000_000  # commas and brackets: what is costly about JSON is the number of its values
_KINDS = ("code", "markdown", "raw")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SPACE = re.compile(r"[ \t\r\n]*")
_HINT = "It is treated as plain text."

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell. ``id`` is "" where it has none of its own; ``span`` is its place in the text of its notebook."""

    kind: str
    id: str
    source: str
    value: Mapping[str, Any] = field(hash=False)
    span: Span = (0, 0)

    @property
    def metadata(self) -> Mapping[str, Any]:
        found = self.value.get("metadata")
        return found if isinstance(found, dict) else {}

    @property
    def title(self) -> str:
        """Its first line with something in it, short, for people."""
        first = next((line.strip() for line in self.source[:10_000].splitlines() if line.strip()), "")
        shown = "".join(each if each.isprintable() else " " for each in first[:60])
        return f"{shown[:57]}…" if len(first) > 58 else shown


@dataclass(frozen=True, slots=True)
class Style:
    """How a notebook is written. ``indent`` is None where all of it stands on one line."""

    indent: str | None = " "
    newline: str = "\n"
    comma: str = ", "
    colon: str = ": "
    ascii_only: bool = False
    sorted_keys: bool = True
    lists: bool = True
    """Text of more than one line is a list of lines."""

    def dump(self, value: object, level: int) -> str:
        """Some JSON, ``level`` levels deep. Raises: InvalidInput for what JSON cannot say."""
        try:
            text = json.dumps(
                value,
                indent=self.indent,
                ensure_ascii=self.ascii_only,
                sort_keys=self.sorted_keys,
                separators=("," if self.indent is not None else self.comma, self.colon),
                allow_nan=False,
            )
        except ValueError as error:
            raise InvalidInput("The notebook holds a number that JSON cannot hold.", hint=_HINT) from error
        if self.indent is not None:  # within a string JSON has no line breaks
            text = text.replace("\n", self.newline + self.indent * level)
        return clean_text(text)

    def array(self, parts: Sequence[str], level: int) -> str:
        """The brackets around parts that are written already, for an array ``level`` levels deep."""
        if not parts:
            return "[]"
        if self.indent is None:
            return f"[{self.comma.join(parts)}]"
        around = self.newline + self.indent * level
        within = around + self.indent
        return f"[{within}{f',{within}'.join(parts)}{around}]"

    def lines(self, text: str) -> str | list[str]:
        """Text of a cell in the form that this notebook has it."""
        return text.splitlines(keepends=True) if self.lists else text


@dataclass(frozen=True)
class Notebook:
    """A notebook of nbformat 4 as it was read."""

    text: str
    cells: tuple[Cell, ...]
    metadata: Mapping[str, Any]
    minor: int
    spans: Mapping[str, Span]
    """Where the values of ``cells``, ``metadata`` and ``nbformat_minor`` stand in the text."""

    @cached_property
    def style(self) -> Style:
        """How it is written."""
        return _style(self.text, self.cells, self.spans)

    def written(self, cell: Cell) -> str:
        """One of its own cells as it stands in the text."""
        return self.text[cell.span[0] : cell.span[1]]


def read_notebook(content: bytes) -> Notebook:
    """A notebook from its bytes.

    Args:
        content: at most ``MOST_BYTES``.

    Raises: InvalidInput, whose message says in a sentence why it is none.
    """
    if len(content) > MOST_BYTES:
        raise _invalid(f"is larger than {MOST_BYTES >> 20} MB")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise _invalid("is not written in UTF-8") from None
    if sum(map(text.count, ",[{")) > MOST_VALUES:
        raise _invalid("holds too many values")
    try:
        return _notebook(text)
    except RecursionError:
        raise _invalid("is nested too deeply") from None
    except (ValueError, IndexError) as error:  # of json, or for a number of thousands of digits
        if isinstance(error, InvalidInput):
            raise
        raise _invalid("is no valid JSON") from None


def write_notebook(
    notebook: Notebook, cells: Sequence[str], metadata: Mapping[str, Any] | None = None, minor: int | None = None
) -> bytes:
    """The bytes of a notebook with other cells.

    Args:
        cells: each as JSON: ``notebook.written(cell)`` for one of its own, else ``notebook.style.dump(value, 2)``.
        metadata: of the notebook, where it changed.
        minor: of the format, where it changed.

    Raises: InvalidInput.
    """
    replaced: dict[Span, str] = {}
    if list(cells) != [notebook.written(each) for each in notebook.cells]:
        replaced[notebook.spans["cells"]] = notebook.style.array(cells, 1)
    if metadata is not None and metadata != notebook.metadata:
        replaced[notebook.spans["metadata"]] = notebook.style.dump(metadata, 1)
    if minor is not None and minor != notebook.minor:
        replaced[notebook.spans["nbformat_minor"]] = str(minor)
    text = notebook.text
    for (start, end), new in sorted(replaced.items(), reverse=True):
        text = text[:start] + new + text[end:]
    return text.encode()


def joined(value: object) -> str | None:
    """Text that nbformat allows as a string or as a list of lines; None for anything else."""
    if isinstance(value, str):
        return clean_text(value)
    if not isinstance(value, list):
        return None
    try:
        return clean_text("".join(value))
    except TypeError:
        return None


def clean_text(text: str) -> str:
    """Text that can be written as UTF-8: a lone half of a character becomes U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


# ---------------------------------------------------------------- reading


def _notebook(text: str) -> Notebook:
    values: dict[str, Any] = {}
    spans: dict[str, Span] = {}
    cells: list[Cell] = []
    at = _skip(text, 1 if text.startswith("\ufeff") else 0)
    for key, start in _members(text, at, spans):
        if key == "cells" and text[start] == "[":
            spans[key] = (start, _read_cells(text, start, cells))
        else:
            values[key], end = _decode(text, start)
            spans[key] = (start, end)
    major, minor, metadata = values.get("nbformat"), values.get("nbformat_minor"), values.get("metadata")
    if type(major) is not int or type(minor) is not int or minor < 0:
        raise _invalid("does not say of which nbformat it is")
    if major != 4:
        raise _invalid(f"is of nbformat {major}, and only 4 is known")
    if "cells" not in spans or "cells" in values:
        raise _invalid("has no list of cells")
    if not isinstance(metadata, dict):
        raise _invalid("has no metadata")
    return Notebook(text, tuple(cells), metadata, minor, spans)


def _members(text: str, at: int, done: Mapping[str, Span]) -> Iterator[tuple[str, int]]:
    """The keys of the object at this place, and where their values begin; ``done`` gets where they end."""
    if text[at] != "{":
        raise _invalid("is no JSON object")
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, at = _decode(text, at)
        at = _skip(text, at)
        if not isinstance(key, str) or text[at] != ":":
            raise ValueError(at)
        if key in done:
            raise _invalid("says one thing twice")
        yield key, _skip(text, at + 1)
        at = _skip(text, done[key][1])
        if text[at] == ",":
            at = _skip(text, at + 1)
            if text[at] == "}":
                raise ValueError(at)
        elif text[at] != "}":
            raise ValueError(at)
    if _skip(text, at + 1) != len(text):
        raise ValueError(at)


def _read_cells(text: str, at: int, cells: list[Cell]) -> int:
    """Read the array at this place; returns where it ends."""
    seen: set[str] = set()
    at = _skip(text, at + 1)
    while text[at] != "]":
        if len(cells) >= MOST_CELLS:
            raise _invalid(f"has more than {MOST_CELLS:,} cells")
        value, end = _decode(text, at)
        cells.append(_cell(value, (at, end), seen, len(cells) + 1))
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
            if text[at] == "]":
                raise ValueError(at)
        elif text[at] != "]":
            raise ValueError(at)
    return at + 1


def _cell(value: object, span: Span, seen: set[str], number: int) -> Cell:
    if not isinstance(value, dict) or value.get("cell_type") not in _KINDS:
        raise _invalid(f"has a cell of no known kind (cell {number})")
    source = joined(value.get("source", ""))
    if source is None:
        raise _invalid(f"has a cell whose source is no text (cell {number})")
    name = value.get("id")
    if not isinstance(name, str) or not _ID.fullmatch(name) or name in seen:
        name = ""
    seen.add(name)
    return Cell(value["cell_type"], name, source, value, span)


def _style(text: str, cells: Sequence[Cell], spans: Mapping[str, Span]) -> Style:
    first = re.match(r"\ufeff?\s*\{(\r?\n)?([ \t]*)", text)
    newline, indent = (first[1], first[2]) if first else (None, "")
    orders = [list(spans), *(list(each.value) for each in cells[:20])]
    sources = [each.value.get("source") for each in cells]
    head = text[: 1 << 20]
    return Style(
        indent=indent if newline else None,
        newline=newline or "\n",
        comma="," if '","' in head or (',"' in head and ', "' not in head) else ", ",
        colon=":" if '":' in head and '": ' not in head else ": ",
        ascii_only=text.isascii() and re.search(r"\\u(?!00[01])[0-9a-fA-F]{4}", text) is not None,
        sorted_keys=all(each == sorted(each) for each in orders),
        lists=not any(isinstance(each, str) and each for each in sources),
    )


_decoder = json.JSONDecoder(parse_constant=lambda _: None)  # NaN: Python writes it, nothing else reads it


def _decode(text: str, at: int) -> tuple[Any, int]:
    value, end = _decoder.raw_decode(text, at)
    return value, end


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _invalid(what: str) -> InvalidInput:
    return InvalidInput(f"The notebook {what}.", hint=_HINT)
