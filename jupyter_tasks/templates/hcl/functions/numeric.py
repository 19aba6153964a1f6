"""Numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from jupyter_tasks.templates.hcl.conversion import ConversionError, convert
from jupyter_tasks.templates.hcl.functions.registry import FunctionProblem, function
from jupyter_tasks.templates.hcl.types import DYNAMIC, NUMBER
from jupyter_tasks.templates.hcl.values import Value, from_python, number

__all__: list[str] = []
Number = int | Decimal
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@function("abs", num=NUMBER)
def _abs(value: Number) -> Value:
    return value if value >= 0 else number(-value)


@function("ceil", num=NUMBER)
def _ceil(value: Number) -> Value:
    return int(Decimal(value).to_integral_value(ROUND_CEILING))


@function("floor", num=NUMBER)
def _floor(value: Number) -> Value:
    return int(Decimal(value).to_integral_value(ROUND_FLOOR))


@function("signum", num=NUMBER)
def _signum(value: Number) -> Value:
    return (value > 0) - (value < 0)


@function("max", _variadic=True, numbers=NUMBER)
def _max(*values: Number) -> Value:
    if not values:
        raise FunctionProblem("must pass at least one number.")
    return max(values)


@function("min", _variadic=True, numbers=NUMBER)
def _min(*values: Number) -> Value:
    if not values:
        raise FunctionProblem("must pass at least one number.")
    return min(values)


@function("pow", num=NUMBER, power=NUMBER)
def _pow(value: Number, power: Number) -> Value:
    """Through a float, as Terraform does."""
    return _float(lambda: math.pow(value, power))


@function("log", num=NUMBER, base=NUMBER)
def _log(value: Number, base: Number) -> Value:
    return _float(lambda: math.log(value) / math.log(base))


def _float(work: Callable[[], float]) -> Value:
    try:
        result = work()
    except (ValueError, OverflowError, ZeroDivisionError):
        raise FunctionProblem("the result is not a number.") from None
    if not math.isfinite(result):
        raise FunctionProblem("the result is not a number.")
    return from_python(int(result) if result.is_integer() else result)


@function("parseint", number=DYNAMIC, base=NUMBER)
def _parseint(value: Value, base: Number) -> Value:
    text = value
    if not isinstance(text, str):
        raise FunctionProblem("first argument must be a string.", 0)
    if not isinstance(base, int) or not 2 <= base <= 62:
        raise FunctionProblem("base must be a whole number between 2 and 62 inclusive.", 1)
    bad = FunctionProblem(f"cannot parse {text!r} as a base {base} integer.", 0)
    digits = text.lower() if base <= 36 else text
    sign = -1 if digits.startswith("-") else 1
    digits = digits[1:] if digits[:1] in ("-", "+") else digits
    if not digits or len(digits) > 1000:
        raise bad
    total = 0
    for digit in digits:
        at = _DIGITS.find(digit)
        if not 0 <= at < base:
            raise bad
        total = total * base + at
    return sign * total


@function("sum", list=DYNAMIC)
def _sum(values: Value) -> Value:
    if not isinstance(values, tuple):
        raise FunctionProblem("argument must be list, set, or tuple.", 0)
    if not values:
        raise FunctionProblem("cannot sum an empty list.", 0)
    total: Number = 0
    for item in values:
        try:
            number = convert(item, NUMBER)
        except ConversionError:
            number = None
        if not isinstance(number, (int, Decimal)):
            raise FunctionProblem("argument must be list, set, or tuple of number values.", 0)
        total = total + number
    return total
