"""What a resource type accepts, and how a block is read by it.

Owns arguments, nested blocks, ``dynamic`` blocks and what is said about wrong ones; which types exist and what their
values mean belongs to the family modules (``coder``, ``parameter``, ``preset``, ``utility``).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ParamSpec

from jupyter_tasks.errors import Diagnostic
from jupyter_tasks.templates.hcl.conversion import ConversionError, convert
from jupyter_tasks.templates.hcl.diagnostics import HclError, Place, did_you_mean
from jupyter_tasks.templates.hcl.evaluate import evaluate
from jupyter_tasks.templates.hcl.nodes import Attribute, Block, Body
from jupyter_tasks.templates.hcl.scope import Scope
from jupyter_tasks.templates.hcl.types import STRING, Type, type_name
from jupyter_tasks.templates.hcl.values import UNKNOWN, ObjectValue, SetValue, TupleValue, Value, type_of
from jupyter_tasks.templates.plan import PlanInputs

__all__ = ["Argument", "Decoded", "Draft", "Facts", "Kind", "Nested", "Schema", "decode"]

_Given = ParamSpec("_Given")
_NAMESPACE = uuid.UUID("6f1a7a0c-3f0e-5d57-9c55-1f6b2f0c7a11")


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument. ``default`` is its value when it is absent or null; a computed one cannot be set."""

    type: Type = STRING
    required: bool = False
    default: Value = None
    computed: bool = False


@dataclass(frozen=True, slots=True)
class Nested:
    """A kind of nested block; ``most`` None means any number."""

    schema: Schema
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """Arguments and nested blocks by name."""

    arguments: Mapping[str, Argument] = field(default_factory=dict)
    blocks: Mapping[str, Nested] = field(default_factory=dict)


@dataclass(slots=True)
class Decoded:
    """A block's values, each with its place for later checks."""

    place: Place
    values: dict[str, Value] = field(default_factory=dict)
    blocks: dict[str, list[Decoded]] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)

    def at(self, name: str) -> Place:
        """Where the value of ``name`` stands, or the block where it is not set."""
        return self.places.get(name, self.place)

    def error(self, name: str, summary: str, detail: str = "", *, suggestion: str = "") -> HclError:
        """A finding about the argument ``name``."""
        return self.at(name).error(summary, detail, suggestion=suggestion)

    def text(self, name: str) -> str:
        """The argument as text; "" for null."""
        value = self.values.get(name)
        return value if isinstance(value, str) else ""

    def flag(self, name: str) -> bool:
        """The argument as a bool; False for null."""
        return self.values.get(name) is True

    def whole(self, name: str) -> int | None:
        """The argument as a whole number; None for null. Raises: HclError for a fraction."""
        value = self.values.get(name)
        if value is None or isinstance(value, int):
            return value
        raise self.error(name, "Incorrect attribute value type", f'"{name}" must be a whole number.')

    def given(self, name: str) -> bool:
        """Whether the argument is set to something, or such a block is there."""
        return (name in self.places and self.values.get(name) is not None) or bool(self.blocks.get(name))

    def as_object(self) -> ObjectValue:
        """The values as references see them: nested blocks are lists of objects."""
        made: dict[str, Value] = dict(self.values)
        for name, inner in self.blocks.items():
            made[name] = TupleValue(item.as_object() for item in inner)
        return ObjectValue(sorted(made.items()))


@dataclass(frozen=True, slots=True)
class Facts:
    """What the provider knows: the inputs, and the parameter values in force."""

    inputs: PlanInputs
    parameters: Mapping[str, str]
    version_id: str

    def uuid(self, *parts: str) -> str:
        """An id that is the same whenever the same thing of the same workspace is planned."""
        return str(uuid.uuid5(_NAMESPACE, "\0".join((self.inputs.workspace_id, *parts))))


@dataclass(slots=True)
class Draft:
    """A resource instance in the making: what was written, where, and the facts."""

    address: str
    name: str
    decoded: Decoded
    facts: Facts
    warnings: list[Diagnostic]

    @property
    def id(self) -> str:
        """The instance's own id."""
        return self.facts.uuid(self.address)


@dataclass(frozen=True, slots=True)
class Kind:
    """A resource type: its schema, and what checks an instance and returns its computed values."""

    schema: Schema
    complete: Callable[[Draft], Mapping[str, Value]]


def decode(body: Body, schema: Schema, scope: Scope, place: Place, ignored: frozenset[str] = frozenset()) -> Decoded:
    """Read ``body`` by ``schema``; names in ``ignored`` are the caller's. Raises: HclError with every finding."""
    found = Decoded(place)
    problems: list[Diagnostic] = []
    for name, attribute in body.attributes.items():
        if name not in ignored:
            _gather(problems, _argument, attribute, schema, scope, found)
    for name, argument in schema.arguments.items():
        if argument.required and name not in body.attributes:
            problems += place.error(
                "Missing required argument", f'The argument "{name}" is required, but no definition was found.'
            ).diagnostics
        if found.values.get(name) is None:
            found.values[name] = argument.default
    for block in body.blocks:
        if block.type not in ignored:
            _gather(problems, _nested, block, schema, scope, found)
    for name, nested in schema.blocks.items():
        inner = found.blocks.setdefault(name, [])
        if nested.most is not None and len(inner) > nested.most:
            problems += (
                inner[nested.most]
                .place.error(f"Too many {name} blocks", f'No more than {nested.most} "{name}" blocks are allowed.')
                .diagnostics
            )
    if problems:
        raise HclError(problems)
    return found


def _gather(
    problems: list[Diagnostic], work: Callable[_Given, None], *given: _Given.args, **named: _Given.kwargs
) -> None:
    try:
        work(*given, **named)
    except HclError as problem:
        problems += problem.diagnostics


def _argument(attribute: Attribute, schema: Schema, scope: Scope, found: Decoded) -> None:
    name = attribute.name
    argument = schema.arguments.get(name)
    if argument is None:
        known = [key for key, item in schema.arguments.items() if not item.computed]
        block = f"Did you mean to define a block: {name} {{ … }}?" if name in schema.blocks else ""
        raise attribute.place.error(
            "Unsupported argument",
            f'An argument named "{name}" is not expected here.',
            suggestion=block or did_you_mean(name, known),
        )
    if argument.computed:
        raise attribute.place.error("Value for unconfigurable attribute", f'"{name}" is decided automatically.')
    value = evaluate(attribute.expression, scope)
    try:
        value = convert(value, argument.type)
    except ConversionError as problem:
        raise attribute.value_place.error(
            "Incorrect attribute value type", f'Inappropriate value for attribute "{name}": {problem}.'
        ) from None
    if argument.required and value is None:
        raise attribute.value_place.error(
            "Missing required argument", f'The argument "{name}" is required, but is null.'
        )
    found.values[name] = value
    found.places[name] = attribute.value_place


def _nested(block: Block, schema: Schema, scope: Scope, found: Decoded) -> None:
    if block.type == "dynamic":
        _dynamic(block, schema, scope, found)
        return
    nested = _known_block(block, block.type, schema)
    if block.labels:
        raise block.place.error("Extraneous label", f'A "{block.type}" block has no labels.')
    found.blocks.setdefault(block.type, []).append(decode(block.body, nested.schema, scope, block.place))


def _known_block(block: Block, name: str, schema: Schema) -> Nested:
    nested = schema.blocks.get(name)
    if nested is None:
        equals = f"Did you mean to set it: {name} = …?" if name in schema.arguments else ""
        raise block.place.error(
            "Unsupported block type",
            f'Blocks of type "{name}" are not expected here.',
            suggestion=equals or did_you_mean(name, schema.blocks),
        )
    return nested


def _dynamic(block: Block, schema: Schema, scope: Scope, found: Decoded) -> None:
    if len(block.labels) != 1:
        raise block.place.error("Invalid dynamic block", 'A dynamic block has one label: dynamic "name" { … }.')
    name = block.labels[0].text
    nested = _known_block(block, name, schema)
    content = [inner for inner in block.body.blocks if inner.type == "content"]
    each = block.body.attributes.get("for_each")
    if each is None or len(content) != 1:
        raise block.place.error("Invalid dynamic block", "A dynamic block needs for_each and one content block.")
    iterator = name
    if chosen := block.body.attributes.get("iterator"):
        iterator = chosen.source.text[chosen.expression.start : chosen.expression.end]
    collection = evaluate(each.expression, scope)
    if collection is UNKNOWN or collection is None or not isinstance(collection, (tuple, dict)):
        what = "an unknown value" if collection is UNKNOWN else type_name(type_of(collection))
        raise each.value_place.error("Invalid dynamic for_each value", f"Cannot use {what} in for_each.")
    if isinstance(collection, dict):
        pairs: list[tuple[Value, Value]] = list(collection.items())
    elif isinstance(collection, SetValue):
        pairs = [(item, item) for item in collection]
    else:
        pairs = list(enumerate(collection))
    for key, value in pairs:
        inner = scope.with_local(**{iterator: ObjectValue(key=key, value=value)})
        made = decode(content[0].body, nested.schema, inner, content[0].place)
        found.blocks.setdefault(name, []).append(made)
