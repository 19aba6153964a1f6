"""Operators on values: arithmetic, comparison, logic.

Owns what an operator does once its operands are known; short-circuiting is the evaluator's (``evaluate``).
Raises ConversionError for operands of a wrong type, ArithmeticProblem for a division by zero.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, Overflow

from jupyter_tasks.templates.hcl.conversion import ConversionError, convert
from jupyter_tasks.templates.hcl.types import BOOL, NUMBER
from jupyter_tasks.templates.hcl.values import ARITHMETIC, UNKNOWN, Unknown, Value, equal, number

__all__ = ["ArithmeticProblem", "binary", "logical", "negate", "numeric"]

_MAX_BITS = 8_192


class ArithmeticProblem(Exception):
    """A calculation without a result."""


def numeric(value: Value) -> int | Decimal | Unknown:
    """An operand of arithmetic. Raises: ConversionError."""
    found = convert(value, NUMBER)
    if found is None:
        raise ConversionError("argument must not be null")
    return found  # type: ignore[return-value]


def logical(value: Value) -> bool | Unknown:
    """An operand of logic, or a condition. Raises: ConversionError."""
    found = convert(value, BOOL)
    if found is None:
        raise ConversionError("argument must not be null")
    return found  # type: ignore[return-value]


def negate(operator: str, value: Value) -> Value:
    """``-value`` or ``!value``."""
    if operator == "!":
        answer = logical(value)
        return answer if isinstance(answer, Unknown) else not answer
    amount = numeric(value)
    return amount if isinstance(amount, Unknown) else number(-amount)


def binary(operator: str, left: Value, right: Value) -> Value:
    """``left operator right`` for everything but ``&&`` and ``||``."""
    if operator in ("==", "!="):
        answer = equal(left, right)
        return answer if isinstance(answer, Unknown) or operator == "==" else not answer
    one, two = numeric(left), numeric(right)
    if isinstance(one, Unknown) or isinstance(two, Unknown):
        return UNKNOWN
    return _NUMERIC[operator](one, two)


def _calculate(operation: str, one: int | Decimal, two: int | Decimal) -> int | Decimal:
    if isinstance(one, int) and isinstance(two, int) and operation != "divide":
        result = one * two if operation == "multiply" else one + two if operation == "add" else one - two
        if result.bit_length() <= 512:
            return result
        if result.bit_length() > _MAX_BITS:
            raise ArithmeticProblem("The result has too many digits.")
    try:
        done: Decimal = getattr(ARITHMETIC, operation)(Decimal(one), Decimal(two))
    except Overflow:
        raise ArithmeticProblem("The result has too many digits.") from None
    if abs(done.adjusted()) > 2_500:
        raise ArithmeticProblem("The result has too many digits.")
    return number(done)


def _divide(one: int | Decimal, two: int | Decimal) -> int | Decimal:
    if two == 0:
        raise ArithmeticProblem("Division by zero.")
    return _calculate("divide", one, two)


def _modulo(one: int | Decimal, two: int | Decimal) -> int | Decimal:
    if two == 0:
        raise ArithmeticProblem("Division by zero.")
    return number(ARITHMETIC.remainder(Decimal(one), Decimal(two)))


_NUMERIC: dict[str, Callable[[int | Decimal, int | Decimal], Value]] = {
    "+": lambda one, two: _calculate("add", one, two),
    "-": lambda one, two: _calculate("subtract", one, two),
    "*": lambda one, two: _calculate("multiply", one, two),
    "/": _divide,
    "%": _modulo,
    "<": lambda one, two: one < two,
    ">": lambda one, two: one > two,
    "<=": lambda one, two: one <= two,
    ">=": lambda one, two: one >= two,
}
