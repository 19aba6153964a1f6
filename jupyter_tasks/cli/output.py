"""How values look in a shell: tables, JSON, times, colours; and nothing that a workspace wrote reaches a terminal raw.

Owns formatting only. What the columns of a thing are is with the command that shows it.
"""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["as_json", "clean", "duration", "print_json", "stamp", "styled", "table"]

T = TypeVar("T")

_SEQUENCES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_].*?(?:\x07|\x1b\\|$)|[ -/]*[0-~])|\x9b[0-?]*[ -/]*[@-~]", re.DOTALL
)
# C0 and C1 controls but tab and line feed; and what turns the direction of text round, to make it lie
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """``text`` without anything that a terminal would obey: what an agent wrote must not move the cursor."""
    return _CONTROLS.sub("", _SEQUENCES.sub("", text.replace("\r\n", "\n")))


def styled(text: str, **style: Any) -> str:
    """``text`` in colour where stdout is a terminal that wants it."""
    return click.style(text, **style) if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else text


def stamp(moment: datetime) -> str:
    """A moment as ``coder`` prints it (Go's time.Stamp), in local time."""
    local = moment.astimezone()
    return f"{local:%b} {local.day:2d} {local:%H:%M:%S}"


def duration(seconds: float) -> str:
    """Whole seconds as Go writes a duration: 1h2m3s, 2m3s, 3s."""
    whole = max(0, int(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def print_json(value: BaseModel | Sequence[BaseModel] | Mapping[str, Any]) -> None:
    """A value of the wire as indented JSON."""
    click.echo(as_json(value, indent=2))


def as_json(value: Any, indent: int | None = None) -> str:
    """The same as a string; what a terminal would obey is escaped."""
    text = json.dumps(_plain(value), indent=indent, ensure_ascii=False)
    return _CONTROLS.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def table(rows: Sequence[T], columns: Sequence[str], cells: Mapping[str, Callable[[T], str]]) -> str:
    """Rows under upper-case headings, two blanks apart; a cell of several lines takes several lines."""
    body = [[clean(cells[name](row)).split("\n") for name in columns] for row in rows]
    widths = [
        max(_width(name), *(_width(line) for row in body for line in row[at])) if body else _width(name)
        for at, name in enumerate(columns)
    ]
    lines = ["  ".join(_padded(name.upper(), width) for name, width in zip(columns, widths, strict=True))]
    for row in body:
        for at in range(max(len(cell) for cell in row)):
            parts = (cell[at] if at < len(cell) else "" for cell in row)
            lines.append("  ".join(_padded(part, width) for part, width in zip(parts, widths, strict=True)))
    return "\n".join(line.rstrip() for line in lines)


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text.expandtabs()
    )


def _padded(text: str, width: int) -> str:
    text = text.expandtabs()
    return text + " " * (width - _width(text))
