"""Terraform's values and types, as far as templates need them.

Owns what a value is, what type it has, conversion and unification. A value is a Python ``str``, ``bool``, ``int`` or
``Decimal`` (never a float), ``None`` for null, ``UNKNOWN``, or one of the five collection classes, which keep apart
what Terraform keeps apart (``tolist([1]) == [1]`` is false). The types of empty collections and of nulls are not kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Union

__all__ = [
    "ARITHMETIC",
    "BOOL",
    "DYNAMIC",
    "NUMBER",
    "STRING",
    "UNKNOWN",
    "ConversionError",
    "ListType",
    "ListValue",
    "MapType",
    "MapValue",
    "ObjectType",
    "ObjectValue",
    "SetType",
    "SetValue",
    "TupleType",
    "TupleValue",
    "Type",
    "Unknown",
    "Value",
    "convert",
    "equal",
    "from_python",
    "has_unknown",
    "is_number",
    "make_set",
    "number",
    "number_text",
    "order_key",
    "to_python",
    "type_name",
    "type_of",
    "unify",
    "unify_values",
]

ARITHMETIC = Context(prec=154, rounding=ROUND_HALF_EVEN, Emax=999_999, Emin=-999_999)
"""512 bits of mantissa are 154 decimal digits."""

_NUMBER_TEXT = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)


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


Value = Union[str, bool, int, Decimal, None, Unknown, ListValue, TupleValue, SetValue, MapValue, ObjectValue]


@dataclass(frozen=True, slots=True)
class Type:
    """A type; this class itself serves string, number, bool and "any"."""

    name: str


@dataclass(frozen=True, slots=True)
class ListType(Type):
    """list(element)"""

    element: Type


@dataclass(frozen=True, slots=True)
class SetType(Type):
    """set(element)"""

    element: Type


@dataclass(frozen=True, slots=True)
class MapType(Type):
    """map(element)"""

    element: Type


@dataclass(frozen=True, slots=True)
class ObjectType(Type):
    """object({…}); ``optional`` holds the attributes that may be missing with what they are then."""

    attributes: Mapping[str, Type]
    optional: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TupleType(Type):
    """tuple([…])"""

    elements: tuple[Type, ...]


STRING, NUMBER, BOOL, DYNAMIC = Type("string"), Type("number"), Type("bool"), Type("any")


class ConversionError(Exception):
    """A value does not fit a type; ``path`` says where in it, as ``.a[0]``."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.path = path

    def __str__(self) -> str:
        return f"{self.path.lstrip('.')}: {self.message}" if self.path else self.message


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


def type_name(kind: Type) -> str:
    """A type as messages name it."""
    if isinstance(kind, (ListType, SetType, MapType)):
        return f"{kind.name} of {type_name(kind.element)}"
    return kind.name


def unify(types: list[Type]) -> Type | None:
    """The type that all of them can be converted to, or None; the rules of cty's ``convert.Unify``."""
    kinds = [kind for kind in types if kind != DYNAMIC]
    if not kinds:
        return DYNAMIC
    first = kinds[0]
    if all(kind == first for kind in kinds[1:]):
        return first
    if all(type(kind) is Type for kind in kinds):
        return STRING if STRING in kinds else None
    classes = {type(kind) for kind in kinds}
    if classes == {ObjectType}:
        return _unify_objects(kinds)
    if classes == {TupleType}:
        return _unify_tuples(kinds)
    for class_, structural, name in (
        (MapType, ObjectType, "map"),
        (ListType, TupleType, "list"),
        (SetType, TupleType, "set"),
    ):
        if class_ in classes and classes <= {class_, structural} | ({ListType} if class_ is SetType else set()):
            element = unify(_elements(kinds))
            return None if element is None else class_(name, element)
    return None


def _elements(kinds: list[Type]) -> list[Type]:
    found: list[Type] = []
    for kind in kinds:
        if isinstance(kind, (ListType, SetType, MapType)):
            found.append(kind.element)
        elif isinstance(kind, ObjectType):
            found += kind.attributes.values()
        elif isinstance(kind, TupleType):
            found += kind.elements
    return found


def _unify_objects(kinds: list[Type]) -> Type | None:
    objects = [kind for kind in kinds if isinstance(kind, ObjectType)]
    names = set(objects[0].attributes)
    if any(set(kind.attributes) != names for kind in objects):
        element = unify(_elements(kinds))
        return None if element is None else MapType("map", element)
    attributes: dict[str, Type] = {}
    for name in objects[0].attributes:
        kind = unify([item.attributes[name] for item in objects])
        if kind is None:
            return None
        attributes[name] = kind
    return ObjectType("object", attributes)


def _unify_tuples(kinds: list[Type]) -> Type | None:
    tuples = [kind for kind in kinds if isinstance(kind, TupleType)]
    if len({len(kind.elements) for kind in tuples}) > 1:
        element = unify(_elements(kinds))
        return None if element is None else ListType("list", element)
    elements = [unify(list(column)) for column in zip(*(kind.elements for kind in tuples), strict=True)]
    known = tuple(kind for kind in elements if kind is not None)
    return TupleType("tuple", known) if len(known) == len(elements) else None


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
    found: dict[object, Value] = {}
    for item in unify_values(items):
        found.setdefault(order_key(item), item)
    return SetValue(found[key] for key in sorted(found, key=lambda key: key))  # type: ignore[type-var,unused-ignore]


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
