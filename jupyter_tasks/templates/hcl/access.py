"""Steps into values: ``.name`` and ``[key]``.

Owns what a step into each kind of value gives, and what is said when it leads nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable

from jupyter_tasks.templates.hcl import nodes, operations
from jupyter_tasks.templates.hcl.conversion import ConversionError, convert
from jupyter_tasks.templates.hcl.diagnostics import Place, did_you_mean, one_of
from jupyter_tasks.templates.hcl.scope import Scope
from jupyter_tasks.templates.hcl.types import STRING, type_name
from jupyter_tasks.templates.hcl.values import (
    UNKNOWN,
    ListValue,
    MapValue,
    SetValue,
    TupleValue,
    Value,
    type_of,
)

__all__ = ["follow", "index"]


def follow(value: Value, steps: Iterable[nodes.Step], scope: Scope) -> Value:
    """The value that attribute and index steps lead to. Raises: HclError."""
    for step in steps:
        if value is UNKNOWN:
            return UNKNOWN
        if isinstance(step, nodes.AttributeStep):
            value = _attribute(value, step, scope)
        else:
            value = index(value, step.key, scope.place(step))
    return value


def _attribute(value: Value, step: nodes.AttributeStep, scope: Scope) -> Value:
    place = scope.place(step)
    if isinstance(value, dict):
        if step.name in value:
            return value[step.name]  # type: ignore[no-any-return]
        if isinstance(value, MapValue):
            raise place.error("Missing map element", f'This map does not have an element with the key "{step.name}".')
        known = f"It has {one_of(value)}." if value else "It has none."
        raise place.error(
            "Unsupported attribute",
            f'This object does not have an attribute named "{step.name}". {known}',
            suggestion=did_you_mean(step.name, value),
        )
    if value is None:
        raise place.error(
            "Attempt to get attribute from null value", "This value is null, so it does not have any attributes."
        )
    if isinstance(value, tuple):
        raise place.error(
            "Unsupported attribute",
            f"This value is a {type_name(type_of(value))}; its elements may have attributes.",
            suggestion=f"Write [0].{step.name} for one element, or [*].{step.name} for all of them.",
        )
    raise place.error(
        "Unsupported attribute", f"This value is a {type_name(type_of(value))}, so it does not have any attributes."
    )


def index(value: Value, key: Value, place: Place) -> Value:
    """The element of ``value`` that ``key`` names. Raises: HclError at ``place``."""
    if value is UNKNOWN or key is UNKNOWN:
        return UNKNOWN
    if value is None:
        raise place.error("Attempt to index null value", "This value is null, so it does not have any indices.")
    if key is None:
        raise place.error("Invalid index", "Can't use a null value as an indexing key.")
    try:
        if isinstance(value, (ListValue, TupleValue)):
            wanted = operations.numeric(key)
            if isinstance(wanted, int) and 0 <= wanted < len(value):
                return value[wanted]  # type: ignore[no-any-return]
            size = f"It has {len(value)} element{'' if len(value) == 1 else 's'}."
            raise place.error("Invalid index", f"The given key does not identify an element. {size}")
        if isinstance(value, dict):
            name = convert(key, STRING)
            if name in value:
                return value[name]  # type: ignore[index, no-any-return]
            hint = did_you_mean(str(name), value)
            raise place.error("Invalid index", f'There is no element with the key "{name}".', suggestion=hint)
    except ConversionError as problem:
        raise place.error("Invalid index", f"The given key is not suitable: {problem}.") from None
    if isinstance(value, SetValue):
        raise place.error("Invalid index", "Elements of a set are identified only by their value.")
    raise place.error("Invalid index", f"A {type_name(type_of(value))} does not have any indices.")
