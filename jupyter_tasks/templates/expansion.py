"""``count`` and ``for_each``: how many instances a block has, and what each of them sees.

Owns their rules; which instances there are is remembered by ``instances``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jupyter_tasks.templates.hcl import nodes
from jupyter_tasks.templates.hcl.conversion import ConversionError, convert
from jupyter_tasks.templates.hcl.evaluate import evaluate
from jupyter_tasks.templates.hcl.scope import Scope
from jupyter_tasks.templates.hcl.types import NUMBER, type_name
from jupyter_tasks.templates.hcl.values import (
    UNKNOWN,
    ObjectValue,
    SetValue,
    TupleValue,
    Value,
    is_number,
    type_of,
)

__all__ = ["MAX_INSTANCES", "Expansion", "Local", "expand", "suffix"]

MAX_INSTANCES = 1_000
Local = Mapping[str, Value]
"""Names that only one instance sees: each, count."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """The instances of a block: their keys with the names that each sees."""

    kind: str
    items: Sequence[tuple[Value, Local]]

    def collect(self, values: Sequence[Value]) -> Value:
        """The instances' values as a reference to the whole block sees them."""
        if self.kind == "one":
            return values[0]
        if self.kind == "count":
            return TupleValue(values)
        return ObjectValue((str(key), value) for (key, _), value in zip(self.items, values, strict=True))


def expand(block: nodes.Block, scope: Scope) -> Expansion:
    """The instances that ``count`` or ``for_each`` of ``block`` make. Raises: HclError."""
    attributes = block.body.attributes
    count, each = attributes.get("count"), attributes.get("for_each")
    if count and each:
        raise each.place.error('Invalid combination of "count" and "for_each"', "Only one of them may be set.")
    if count:
        return _counted(count, scope)
    if each:
        return _each(each, scope)
    return Expansion("one", [(None, {})])


def _counted(attribute: nodes.Attribute, scope: Scope) -> Expansion:
    value = evaluate(attribute.expression, scope)
    try:
        value = convert(value, NUMBER)
    except ConversionError as problem:
        raise attribute.value_place.error("Incorrect value for count", f"{problem}.") from None
    if value is UNKNOWN or not isinstance(value, int) or not 0 <= value <= MAX_INSTANCES:
        raise attribute.value_place.error(
            "Invalid count argument", f"count must be a known whole number from 0 to {MAX_INSTANCES}."
        )
    return Expansion("count", [(index, {"count": ObjectValue(index=index)}) for index in range(value)])


def _each(attribute: nodes.Attribute, scope: Scope) -> Expansion:
    value = evaluate(attribute.expression, scope)
    pairs: list[tuple[str, Value]]
    if isinstance(value, dict):
        pairs = sorted(value.items())
    elif isinstance(value, SetValue) and all(isinstance(item, str) for item in value):
        pairs = [(str(item), item) for item in value]
    else:
        raise attribute.value_place.error(
            "Invalid for_each argument",
            f"for_each must be a map, or a set of strings, and this is a {type_name(type_of(value))}.",
            suggestion="Use toset([…]) for a list of strings." if isinstance(value, tuple) else "",
        )
    return Expansion("each", [(key, {"each": ObjectValue(key=key, value=item)}) for key, item in pairs])


def suffix(key: Value) -> str:
    """``[0]`` or ``["key"]`` of an address; "" without a key."""
    if key is None:
        return ""
    return f"[{key}]" if is_number(key) else f'["{key}"]'
