"""Terraform's values, as far as templates need them.

Owns what a value is, which type it has, equality and order. A value is a Python ``str``, ``bool``, ``int`` or
``Decimal`` (never a float), ``None`` for null, ``UNKNOWN``, or one of the five collection classes, which keep apart
what Terraform keeps apart (``tolist([1]) == [1]`` is false). The types of empty collections and of nulls are not kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, TypeAlias

from jupyter_tasks.templates.hcl.types import (
    BOOL,
    DYNAMIC,
    NUMBER,
    STRING,
    ListType,
    MapType,
    ObjectType,
    SetType,
    TupleType,
    Type,
    unify,
)

__all__ = [
    "ARITHMETIC",
    "UNKNOWN",
    "ListValue",
    "MapValue",
    "ObjectValue",
    "SetValue",
    "TupleValue",
    "Unknown",
    "Value",
    "equal",
    "from_python",
    "has_unknown",
    "is_number",
    "number",
    "number_text",
    "order_key",
    "to_python",
    "type_of",
]

ARITHMETIC = Context(prec=154, rounding=ROUND_HALF_EVEN, Emax=999_999, Emin=-999_999)
"""512 bits of mantissa are 154 decimal digits."""


class Unknown:
    """The one value that is not known yet; whatever is made of it is unknown too."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


class ListValue(tuple[Any, ...]):
    """list(T)"""

    __slots__ = ()


class TupleValue(tuple[Any, ...]):
    """tuple([…]): what ``[a, b]`` makes"""

    __slots__ = ()


class SetValue(tuple[Any, ...]):
    """set(T): sorted, each once; made by ``make_set``"""

    __slots__ = ()


class MapValue(dict[str, Any]):
    """map(T), in key order"""

    __slots__ = ()


class ObjectValue(dict[str, Any]):
    """object({…}): what ``{a = b}`` makes, in key order"""

    __slots__ = ()


Value: TypeAlias = (
    "str | bool | int | Decimal | Unknown | ListValue | TupleValue | SetValue | MapValue | ObjectValue | None"
)


def is_number(value: Value) -> bool:
    """Whether it is a number (bool is not one)."""
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool)


def number(value: int | Decimal) -> int | Decimal:
    """The one way to write a number: an int where it is whole."""
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return int(value)
    return value


def number_text(value: int | Decimal) -> str:
    """A number as Terraform writes it: in full, no exponent, no trailing zeros."""
    if isinstance(value, int):
        return str(value)
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def has_unknown(value: Value) -> bool:
    """Whether anything in it is unknown."""
    if isinstance(value, tuple):
        return any(has_unknown(item) for item in value)
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    return value is UNKNOWN


def type_of(value: Value) -> Type:
    """Its type; "any" for null, unknown and what empty collections hold."""
    if isinstance(value, str):
        return STRING
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, (int, Decimal)):
        return NUMBER
    if isinstance(value, ObjectValue):
        return ObjectType("object", {name: type_of(item) for name, item in value.items()})
    if isinstance(value, TupleValue):
        return TupleType("tuple", tuple(type_of(item) for item in value))
    if isinstance(value, MapValue):
        return MapType("map", _element_type(value.values()))
    if isinstance(value, ListValue):
        return ListType("list", _element_type(value))
    if isinstance(value, SetValue):
        return SetType("set", _element_type(value))
    return DYNAMIC


def _element_type(items: Iterable[Value]) -> Type:
    found: list[Type] = []
    for item in items:
        kind = type_of(item)
        if kind not in found:
            found.append(kind)
    return unify(found) or DYNAMIC


def order_key(value: Value) -> tuple[Any, ...]:
    """A key that sorts and tells apart values of one type."""
    if value is None:
        return (9,)
    if isinstance(value, bool):
        return (0, value)
    if isinstance(value, (int, Decimal)):
        return (1, value)
    if isinstance(value, str):
        return (2, value)
    if isinstance(value, tuple):
        return (3, tuple(order_key(item) for item in value))
    if isinstance(value, dict):
        return (4, tuple((key, order_key(item)) for key, item in sorted(value.items())))
    return (8, id(value))


def equal(left: Value, right: Value) -> bool | Unknown:
    """Terraform's ``==``: never converts; different types are different."""
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    if left is None or right is None:
        return left is right
    if is_number(left) and is_number(right):
        return left == right
    if type(left) is not type(right):
        return False
    if isinstance(left, tuple) and isinstance(right, tuple):
        pairs = list(zip(left, right, strict=False))
        return len(left) == len(right) and _all_equal(pairs)
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and _all_equal([(left[key], right[key]) for key in left])
    return left == right


def _all_equal(pairs: list[tuple[Value, Value]]) -> bool | Unknown:
    answers = [equal(left, right) for left, right in pairs]
    if False in answers:
        return False
    return UNKNOWN if UNKNOWN in answers else True


def to_python(value: Value) -> Any:
    """The value as JSON would hold it (numbers as int or float); unknown becomes None."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, tuple):
        return [to_python(item) for item in value]
    if isinstance(value, dict):
        return {key: to_python(item) for key, item in value.items()}
    return None if isinstance(value, Unknown) else value


def from_python(value: Any) -> Value:
    """What ``jsondecode`` makes of a decoded JSON value (floats read as Decimal)."""
    if isinstance(value, dict):
        return ObjectValue((str(key), from_python(value[key])) for key in sorted(value, key=str))
    if isinstance(value, (list, tuple)):
        return TupleValue(from_python(item) for item in value)
    if isinstance(value, Decimal):
        return number(value)
    if isinstance(value, float):
        return number(Decimal(repr(value)))
    if value is None or isinstance(value, (str, bool, int)):
        return value
    raise TypeError(f"{type(value).__name__} is no template value")
