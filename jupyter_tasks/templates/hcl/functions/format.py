"""format and formatlist: Go's verbs."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import count

from jupyter_tasks.templates.hcl.conversion import ConversionError, convert
from jupyter_tasks.templates.hcl.functions.encoding import json_text
from jupyter_tasks.templates.hcl.functions.registry import FunctionProblem, function
from jupyter_tasks.templates.hcl.types import BOOL, DYNAMIC, NUMBER, STRING, Type
from jupyter_tasks.templates.hcl.values import ListValue, Value, is_number

__all__: list[str] = []

_VERB = re.compile(r"%([-+ #0]*)(\d+)?(?:\.(\d*))?(?:\[(\d+)\])?([a-zA-Z%])?")
_MAX_WIDTH = 10_000


@function("format", _variadic=True, _nullable=("args",), format=STRING, args=DYNAMIC)
def _format(pattern: str, *values: Value) -> Value:
    return _apply(pattern, values)


@function("formatlist", _variadic=True, _nullable=("args",), format=STRING, args=DYNAMIC)
def _formatlist(pattern: str, *values: Value) -> Value:
    lengths = {len(value) for value in values if isinstance(value, tuple)}
    if len(lengths) > 1:
        raise FunctionProblem("all lists must have the same length.")
    size = lengths.pop() if lengths else 1
    rows = ([value[at] if isinstance(value, tuple) else value for value in values] for at in range(size))
    return ListValue(_apply(pattern, tuple(row)) for row in rows)


def _apply(pattern: str, values: tuple[Value, ...]) -> str:
    used: set[int] = set()
    position = count()

    def verb(found: re.Match[str]) -> str:
        flags, width, precision, chosen, letter = found.groups()
        if letter is None:
            raise FunctionProblem(f"unrecognized format sequence at {found[0]!r}.", 0)
        if letter == "%":
            return "%"
        at = int(chosen) - 1 if chosen else next(position)
        if not 0 <= at < len(values):
            raise FunctionProblem(f'not enough arguments for "{found[0]}": need index {at}.', 0)
        if int(width or 0) > _MAX_WIDTH or int(precision or 0) > _MAX_WIDTH:
            raise FunctionProblem(f"a width of more than {_MAX_WIDTH} is not supported.", 0)
        used.add(at)
        text = _verb(letter, flags, precision, values[at], at)
        return text if letter == "t" else _pad(text, flags, int(width or 0))

    result = _VERB.sub(verb, pattern)
    if values and max(used, default=-1) < len(values) - 1 and "[" not in pattern:
        raise FunctionProblem(f"too many arguments; only {len(used)} used by format string.", len(used) + 1)
    return result


def _as(kind: Type, value: Value, letter: str, at: int) -> Value:
    if value is None:
        raise FunctionProblem(f"unsupported value for %{letter}: null value cannot be formatted.", at + 1)
    try:
        return convert(value, kind)
    except ConversionError as problem:
        raise FunctionProblem(f"unsupported value for %{letter}: {problem}.", at + 1) from None


def _verb(letter: str, flags: str, precision: str | None, value: Value, at: int) -> str:
    if letter == "v":
        if "#" in flags or isinstance(value, (tuple, dict)) or value is None:
            return json_text(value)
        text = str(_as(STRING, value, letter, at))
        return f"+{text}" if "+" in flags and is_number(value) and not text.startswith("-") else text
    if letter == "t":
        return "true" if _as(BOOL, value, letter, at) else "false"
    if letter in "sq":
        text = str(_as(STRING, value, letter, at))
        text = text if precision is None else text[: int(precision or 0)]
        return json_text(text) if letter == "q" else text
    if letter not in "bdoxXeEfgG":
        raise FunctionProblem(f"unsupported format verb {letter!r}.", 0)
    amount = _as(NUMBER, value, letter, at)
    assert isinstance(amount, (int, Decimal))  # noqa: S101 - _as(NUMBER) returns nothing else
    sign = "+" if "+" in flags else " " if " " in flags else ""
    if letter in "bdoxX":
        if not isinstance(amount, int):
            raise FunctionProblem(f"unsupported value for %{letter}: an integer is required.", at + 1)
        return format(int(amount), f"{sign}{letter}")
    if letter in "gG" and precision is None:
        return _shortest(amount, sign, letter)
    digits = "6" if precision is None else precision or "0"
    return (
        format(Decimal(amount), f"{sign}.{digits}{letter}")
        if letter in "fF"
        else _exponent(amount, sign, digits, letter)
    )


def _exponent(amount: int | Decimal, sign: str, digits: str, letter: str) -> str:
    return format(float(amount), f"{sign}.{digits}{letter}")


def _shortest(amount: int | Decimal, sign: str, letter: str) -> str:
    text = repr(float(amount)).removesuffix(".0")
    if letter == "G":
        text = text.upper()
    return sign + text if sign and not text.startswith("-") else text


def _pad(text: str, flags: str, width: int) -> str:
    if "-" in flags:
        return text.ljust(width)
    if "0" in flags:
        return text.zfill(width)
    return text.rjust(width)
