"""The bounded text of a Python value: as much of its ``repr`` as there is room for, and no more work than that.

``reprlib`` bounds counts and depth, not work: a list that holds itself five hundred times keeps it busy for ever, and
it does not say that it has left something out. Here writing stops when the room is full. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import Any

__all__ = ["is_table", "table", "written"]

_ROWS = 20
_COLUMNS = 40
_LONGEST_INT = 4_000 * 3  # bits: about 3,600 digits; Python refuses to write more than 4,300
_BRACKETS: dict[type, tuple[str, str, str]] = {
    list: ("[", "]", "[]"),
    tuple: ("(", ")", "()"),
    set: ("{", "}", "set()"),
    frozenset: ("frozenset({", "})", "frozenset()"),
    dict: ("{", "}", "{}"),
}


class _Full(Exception):
    """There is no more room."""


class _Writer:
    def __init__(self, room: int) -> None:
        self.room = room
        self.parts: list[str] = []
        self.open: set[int] = set()  # containers that are being written: one that holds itself is not entered again

    def put(self, text: str) -> None:
        self.parts.append(text)
        self.room -= len(text)
        if self.room < 0:
            raise _Full


def written(value: object, room: int) -> tuple[str, bool]:
    """``repr(value)``, or its beginning (at least ``room`` characters of it) and True when it is longer."""
    writer = _Writer(room)
    try:
        _write(value, writer)
    except (_Full, RecursionError):
        return "".join(writer.parts), True
    return "".join(writer.parts), False


def _write(value: object, out: _Writer) -> None:
    if isinstance(value, str | bytes | bytearray):
        out.put(repr(value[: out.room + 1]))
    elif type(value) is int and value.bit_length() > _LONGEST_INT:
        out.put(f"<an int of {value.bit_length():,} bits>")
    elif (kind := _container(value)) is not None:
        _write_container(value, kind, out)
    else:
        out.put(repr(value))


def _container(value: Any) -> type | None:
    """Which built-in container writes ``value``: its own type, or a big subclass (Counter, named tuple …)."""
    for kind in _BRACKETS:
        if type(value) is kind or (isinstance(value, kind) and isinstance(value, Sized) and len(value) > 1_000):
            return kind
    return None


def _write_container(value: Any, kind: type, out: _Writer) -> None:
    first, last, empty = _BRACKETS[kind]
    if type(value) is not kind:
        first, last = f"{type(value).__name__}({first}", f"{last})"
    elif not value:
        return out.put(empty)
    if id(value) in out.open:
        return out.put(f"{first}...{last}")
    out.open.add(id(value))
    out.put(first)
    for separator, item in _separated(value):
        out.put(separator)
        _write(item, out)
        if kind is dict:
            out.put(": ")
            _write(value[item], out)
    out.put(",)" if kind is tuple and len(value) == 1 else last)
    out.open.discard(id(value))
    return None


def _separated(value: Any) -> Iterator[tuple[str, object]]:
    for index, item in enumerate(value):
        yield (", " if index else ""), item


def is_table(value: object) -> bool:
    """Whether it is like pandas' DataFrame or Series."""
    kind = type(value)
    return all(hasattr(kind, part) for part in ("head", "to_string", "shape"))


def table(value: Any) -> str:
    """The first rows of a table and its size, without importing pandas."""
    shape = tuple(value.shape)
    shown = value.head(_ROWS)
    cut = shape[0] > _ROWS
    if len(shape) > 1 and shape[1] > _COLUMNS:
        shown, cut = shown.iloc[:, :_COLUMNS], True
    size = " x ".join(f"{count:,} {word}" for count, word in zip(shape, ("rows", "columns"), strict=False))
    return f"{shown.to_string()}\n[{size}{'; the first are shown' if cut else ''}]"
