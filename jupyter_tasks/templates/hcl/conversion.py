"""Conversion of values between Terraform's types.

Owns what converts to what, and the messages for what does not; the same rules as cty's ``convert``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from jupyter_tasks.templates.hcl.types import (
    DYNAMIC,
    ListType,
    MapType,
    ObjectType,
    SetType,
    TupleType,
    Type,
    type_name,
    unify,
)
from jupyter_tasks.templates.hcl.values import (
    UNKNOWN,
    ListValue,
    MapValue,
    ObjectValue,
    SetValue,
    TupleValue,
    Value,
    is_number,
    number,
    number_text,
    order_key,
    type_of,
)

__all__ = [
    "ConversionError",
    "convert",
    "make_set",
    "unify_values",
]

_NUMBER_TEXT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)


class ConversionError(Exception):
    """A value does not fit a type; ``path`` says where in it, as ``.a[0]``."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.path = path

    def __str__(self) -> str:
        return f"{self.path.lstrip('.')}: {self.message}" if self.path else self.message


def unify_values(values: Iterable[Value]) -> list[Value]:
    """The values converted to one type. Raises: ConversionError when there is none."""
    items = list(values)
    kind = unify([type_of(item) for item in items])
    if kind is None:
        raise ConversionError("all elements must have the same type")
    return [convert(item, kind) for item in items]


def convert(value: Value, kind: Type) -> Value:
    """The value as that type. Raises: ConversionError."""
    if value is None or value is UNKNOWN:
        return value
    if type(kind) is Type:
        return _to_primitive(value, kind)
    if isinstance(kind, (ListType, SetType)):
        if not isinstance(value, tuple):
            raise ConversionError(f"{type_name(kind)} required")
        items = _to_elements(enumerate(value), kind.element)
        return make_set(items) if isinstance(kind, SetType) else ListValue(items)
    if not isinstance(value, dict) and isinstance(kind, (MapType, ObjectType)):
        raise ConversionError(f"{type_name(kind)} required")
    if isinstance(kind, MapType) and isinstance(value, dict):
        keys = sorted(value)
        items = _to_elements(((f'"{key}"', value[key]) for key in keys), kind.element)
        return MapValue(zip(keys, items, strict=True))
    if isinstance(kind, ObjectType) and isinstance(value, dict):
        return _to_object(value, kind)
    if isinstance(kind, TupleType):
        if not isinstance(value, tuple) or len(value) != len(kind.elements):
            raise ConversionError(f"tuple with {len(kind.elements)} elements required")
        pairs = zip(value, kind.elements, strict=True)
        return TupleValue(_at(f"[{i}]", item, of) for i, (item, of) in enumerate(pairs))
    raise ConversionError(f"{type_name(kind)} required")


def _to_primitive(value: Value, kind: Type) -> Value:
    if kind is DYNAMIC or kind.name == "any":
        return value
    if kind.name == "string":
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (int, Decimal)):
            return number_text(value)
        raise ConversionError("string required")
    if kind.name == "number":
        if is_number(value):
            return value
        if isinstance(value, str) and len(value) < 400 and _NUMBER_TEXT.fullmatch(value):
            return number(Decimal(value))
        raise ConversionError("a number is required")
    if isinstance(value, bool):
        return value
    if value in ("true", "1", "false", "0") and isinstance(value, str):
        return value in ("true", "1")
    raise ConversionError("a bool is required")


def _to_elements(pairs: Iterable[tuple[object, Value]], kind: Type) -> list[Value]:
    items = [_at(f"[{key}]", item, kind) for key, item in pairs]
    return unify_values(items) if kind.name == "any" else items


def _at(step: str, value: Value, kind: Type) -> Value:
    try:
        return convert(value, kind)
    except ConversionError as problem:
        raise ConversionError(problem.message, step + problem.path) from None


def _to_object(value: dict[str, Value], kind: ObjectType) -> ObjectValue:
    missing = [name for name in kind.attributes if name not in value and name not in kind.optional]
    if missing:
        named = " and ".join(f'"{name}"' for name in missing)
        verb = "is" if len(missing) == 1 else "are"
        raise ConversionError(f"attribute{'s' if len(missing) > 1 else ''} {named} {verb} required")
    result: dict[str, Value] = {}
    for name in sorted(kind.attributes):
        item = value.get(name)
        if item is None:
            item = kind.optional.get(name)
        result[name] = _at(f".{name}", item, kind.attributes[name])
    return ObjectValue(result)


def make_set(items: Iterable[Value]) -> SetValue:
    """A set: one type, each element once, in Terraform's order."""
    found: dict[tuple[Any, ...], Value] = {}
    for item in unify_values(items):
        found.setdefault(order_key(item), item)
    return SetValue(found[key] for key in sorted(found))
