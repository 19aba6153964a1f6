"""Type constraints: ``list(object({ name = string, size = optional(number, 1) }))`` -> Type.

Owns the grammar of constraints, which is HCL's expression syntax with words of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from jupyter_tasks.templates.hcl.conversion import ConversionError, convert
from jupyter_tasks.templates.hcl.diagnostics import Place, Source, did_you_mean
from jupyter_tasks.templates.hcl.nodes import Call, Expression, Literal, ObjectLiteral, Reference, TupleLiteral
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
)
from jupyter_tasks.templates.hcl.values import Value

__all__ = ["read_type"]

_WORDS = {"string": STRING, "number": NUMBER, "bool": BOOL, "any": DYNAMIC}
_BARE = {"list": ListType("list", DYNAMIC), "map": MapType("map", DYNAMIC), "set": SetType("set", DYNAMIC)}
_KNOWN = ("string", "number", "bool", "any", "list", "map", "set", "object", "tuple")


def read_type(node: Expression, source: Source, constant: Callable[[Expression], Value]) -> Type:
    """The constraint that ``node`` writes; ``constant`` evaluates the default of ``optional(type, default)``.

    Raises: HclError.
    """
    place = Place(source, node.start, node.end)
    if isinstance(node, Reference) and not node.steps:
        found = _WORDS.get(node.name) or _BARE.get(node.name)
        if found:
            return found
        raise place.error(
            "Invalid type specification",
            f'The keyword "{node.name}" is not a valid type specification.',
            suggestion=did_you_mean(node.name, _KNOWN),
        )
    if isinstance(node, Literal) and isinstance(node.value, str):
        detail = "Terraform 0.11 and earlier required type constraints to be given in quotes."
        raise place.error("Invalid quoted type constraints", detail, suggestion=f"Write {node.value} without quotes.")
    if isinstance(node, Call) and not node.expand:
        if node.name in ("list", "set", "map") and len(node.arguments) == 1:
            element = read_type(node.arguments[0], source, constant)
            classes = {"list": ListType, "set": SetType, "map": MapType}
            return classes[node.name](node.name, element)
        if node.name == "tuple" and len(node.arguments) == 1 and isinstance(node.arguments[0], TupleLiteral):
            items = node.arguments[0].items
            return TupleType("tuple", tuple(read_type(item, source, constant) for item in items))
        if node.name == "object" and len(node.arguments) == 1 and isinstance(node.arguments[0], ObjectLiteral):
            return _object(node.arguments[0], source, constant)
    raise place.error(
        "Invalid type specification",
        "A type constraint is string, number, bool, any, list(T), set(T), map(T), object({…}) or tuple([…]).",
    )


def _object(node: ObjectLiteral, source: Source, constant: Callable[[Expression], Value]) -> ObjectType:
    attributes: dict[str, Type] = {}
    optional: dict[str, Value] = {}
    for item in node.items:
        name = item.name
        if name is None and isinstance(item.key, Literal) and isinstance(item.key.value, str):
            name = item.key.value
        if name is None:
            raise Place(source, item.key.start, item.key.end).error(
                "Invalid type specification", "Object constructor map keys must be attribute names."
            )
        given: Expression = item.value
        if not (isinstance(given, Call) and given.name == "optional"):
            attributes[name] = read_type(given, source, constant)
            continue
        if not 1 <= len(given.arguments) <= 2:
            raise Place(source, given.start, given.end).error(
                "Invalid type specification", "optional takes a type and, if you like, a default value."
            )
        kind = attributes[name] = read_type(given.arguments[0], source, constant)
        optional[name] = None
        if len(given.arguments) == 2:
            default = given.arguments[1]
            try:
                optional[name] = convert(constant(default), kind)
            except ConversionError as problem:
                place = Place(source, default.start, default.end)
                raise place.error("Invalid default value for optional attribute", f"{problem}.") from None
    return ObjectType("object", attributes, optional)
