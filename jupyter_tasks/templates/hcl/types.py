"""Terraform's types: what they are, their names, and the one type that several can be converted to.

Owns types without values; which type a value has is in ``values``, conversion in ``conversion``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "BOOL",
    "DYNAMIC",
    "NUMBER",
    "STRING",
    "ListType",
    "MapType",
    "ObjectType",
    "SetType",
    "TupleType",
    "Type",
    "type_name",
    "unify",
]


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
    optional: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TupleType(Type):
    """tuple([…])"""

    elements: tuple[Type, ...]


STRING, NUMBER, BOOL, DYNAMIC = Type("string"), Type("number"), Type("bool"), Type("any")


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
