"""How a function is declared and called.

Owns argument counts, conversion of arguments to the declared types, nulls and unknowns. Raises FunctionProblem, which
the evaluator turns into a finding with a place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from jupyter_tasks.templates.hcl.conversion import ConversionError, convert
from jupyter_tasks.templates.hcl.types import Type
from jupyter_tasks.templates.hcl.values import UNKNOWN, Value, has_unknown

__all__ = [
    "MAX_ITEMS",
    "REGISTRY",
    "Files",
    "Function",
    "FunctionContext",
    "FunctionProblem",
    "Renderer",
    "call",
    "function",
]

MAX_ITEMS = 100_000
"""The most elements that a function makes."""


class FunctionProblem(Exception):
    """A call that has no result; ``argument`` is the index of the argument at fault, if one is."""

    def __init__(self, message: str, argument: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.argument = argument


class Files(Protocol):
    """The template's own tree: the only files that functions see."""

    def read(self, path: str) -> bytes:
        """The file's content. Raises: FunctionProblem."""

    def exists(self, path: str) -> bool:
        """Whether there is a file. Raises: FunctionProblem when the path leaves the tree."""

    def list(self, path: str) -> list[str]:
        """Every file below the directory, relative to it, sorted. Raises: FunctionProblem."""


Renderer = Callable[[str, str, Mapping[str, Value]], Value]
"""Renders template text: (name for messages, text, variables) -> value. Raises HclError."""


@dataclass(frozen=True, slots=True)
class FunctionContext:
    """What functions may see beside their arguments."""

    files: Files
    render: Renderer
    now: datetime | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """A declared function. With ``variadic`` the last parameter takes any number of arguments (also none)."""

    name: str
    parameters: tuple[tuple[str, Type], ...]
    body: Callable[..., Value]
    variadic: bool
    nullable: frozenset[str]
    sees_unknown: bool
    with_context: bool


REGISTRY: dict[str, Function] = {}
_Body = TypeVar("_Body", bound=Callable[..., Any])


def function(
    name: str,
    /,
    *,
    _variadic: bool = False,
    _nullable: tuple[str, ...] = (),
    _unknown: bool = False,
    _context: bool = False,
    **parameters: Type,
) -> Callable[[_Body], _Body]:
    """Declare the decorated body as the function ``name`` with these parameters, in order."""

    def declare(body: _Body) -> _Body:
        REGISTRY[name] = Function(
            name, tuple(parameters.items()), body, _variadic, frozenset(_nullable), _unknown, _context
        )
        return body

    return declare


def call(target: Function, values: list[Value], context: FunctionContext) -> Value:
    """Check and convert the arguments, then call. Raises: FunctionProblem."""
    least = len(target.parameters) - (1 if target.variadic else 0)
    if len(values) < least:
        missing = target.parameters[len(values)][0]
        raise FunctionProblem(f'Function "{target.name}" expects {least} argument(s). Missing value for "{missing}".')
    if len(values) > least and not target.variadic:
        raise FunctionProblem(f'Function "{target.name}" expects only {least} argument(s).', least)
    arguments: list[Value] = []
    unknown = False
    for index, value in enumerate(values):
        parameter, kind = target.parameters[min(index, len(target.parameters) - 1)]
        if value is None and parameter not in target.nullable:
            raise FunctionProblem(f'Invalid value for "{parameter}" parameter: argument must not be null.', index)
        try:
            arguments.append(convert(value, kind))
        except ConversionError as problem:
            raise FunctionProblem(f'Invalid value for "{parameter}" parameter: {problem}.', index) from None
        unknown = unknown or has_unknown(value)
    if unknown and not target.sees_unknown:
        return UNKNOWN
    try:
        return target.body(context, *arguments) if target.with_context else target.body(*arguments)
    except ConversionError as problem:
        raise FunctionProblem(f"{problem}.") from None
