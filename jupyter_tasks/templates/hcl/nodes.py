"""The syntax tree of HCL's native syntax: frozen, slotted, every node with its span.

Owns the node types only; ``syntax`` makes them, ``evaluate`` gives them values. ``start`` and ``end`` are offsets into
the text of the file's ``Source``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from jupyter_tasks.templates.hcl.diagnostics import Place, Source

__all__ = [
    "Attribute",
    "AttributeStep",
    "Binary",
    "Block",
    "Body",
    "Call",
    "Conditional",
    "Expression",
    "For",
    "Index",
    "IndexStep",
    "Label",
    "Literal",
    "Node",
    "ObjectItem",
    "ObjectLiteral",
    "Parentheses",
    "Reference",
    "Splat",
    "SplatItem",
    "Step",
    "Template",
    "TemplateJoin",
    "Traversal",
    "TupleLiteral",
    "Unary",
    "Wrap",
    "children",
]


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """Anything with a place."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class Expression(Node):
    """Anything with a value."""


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Expression):
    """A number, true, false, null, or a stretch of text of a template."""

    value: str | int | Decimal | bool | None


@dataclass(frozen=True, slots=True, eq=False)
class AttributeStep(Node):
    """``.name``"""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class IndexStep(Node):
    """``[key]`` or ``.0`` with a literal key."""

    key: str | int | Decimal | bool | None


Step = AttributeStep | IndexStep


@dataclass(frozen=True, slots=True, eq=False)
class Reference(Expression):
    """``name`` with the literal steps that follow it."""

    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Traversal(Expression):
    """Literal steps into the value of any other expression."""

    target: Expression
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Index(Expression):
    """``target[key]`` where the key is computed."""

    target: Expression
    key: Expression


@dataclass(frozen=True, slots=True, eq=False)
class SplatItem(Expression):
    """The element at hand inside a splat."""


@dataclass(frozen=True, slots=True, eq=False)
class Splat(Expression):
    """``target[*]…`` or ``target.*…``; ``each`` has a SplatItem at its root."""

    target: Expression
    each: Expression


@dataclass(frozen=True, slots=True, eq=False)
class Call(Expression):
    """``name(arguments)``; ``expand`` when the last argument is followed by ``...``."""

    name: str
    name_end: int
    arguments: tuple[Expression, ...]
    expand: bool


@dataclass(frozen=True, slots=True, eq=False)
class Unary(Expression):
    """``-x`` or ``!x``"""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True, eq=False)
class Binary(Expression):
    """``left operator right``"""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True, eq=False)
class Conditional(Expression):
    """``condition ? yes : no``, and ``%{ if }`` in a template."""

    condition: Expression
    yes: Expression
    no: Expression


@dataclass(frozen=True, slots=True, eq=False)
class Parentheses(Expression):
    """``(inner)``"""

    inner: Expression


@dataclass(frozen=True, slots=True, eq=False)
class TupleLiteral(Expression):
    """``[a, b]``"""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ObjectItem(Node):
    """``key = value`` in ``{…}``; ``name`` is set when the key is a bare word."""

    key: Expression
    name: str | None
    value: Expression


@dataclass(frozen=True, slots=True, eq=False)
class ObjectLiteral(Expression):
    """``{a = b}``"""

    items: tuple[ObjectItem, ...]


@dataclass(frozen=True, slots=True, eq=False)
class For(Expression):
    """``[for k, v in collection : value if condition]`` or, with ``key``, ``{for … : key => value...}``."""

    key_name: str | None
    value_name: str
    collection: Expression
    key: Expression | None
    value: Expression
    condition: Expression | None
    group: bool


@dataclass(frozen=True, slots=True, eq=False)
class Template(Expression):
    """Text with parts to fill in: always a string."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Wrap(Expression):
    """``"${inner}"`` and nothing else: keeps the inner value's type."""

    inner: Expression


@dataclass(frozen=True, slots=True, eq=False)
class TemplateJoin(Expression):
    """``%{ for }`` in a template: the loop's strings in a row."""

    loop: For


@dataclass(frozen=True, slots=True, eq=False)
class Label(Node):
    """A block's label, quoted or bare."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Attribute(Node):
    """``name = expression``"""

    name: str
    name_end: int
    expression: Expression
    source: Source

    @property
    def place(self) -> Place:
        """Where the name stands."""
        return Place(self.source, self.start, self.name_end)

    @property
    def value_place(self) -> Place:
        """Where the expression stands."""
        return Place(self.source, self.expression.start, self.expression.end)


@dataclass(frozen=True, slots=True, eq=False)
class Body(Node):
    """What stands between braces, or in a whole file."""

    attributes: dict[str, Attribute]
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Block(Node):
    """``type "label" { … }``; ``header_end`` is where the header ends."""

    type: str
    labels: tuple[Label, ...]
    header_end: int
    body: Body
    source: Source

    @property
    def place(self) -> Place:
        """Where the header stands."""
        return Place(self.source, self.start, self.header_end)


def children(node: Node) -> Iterator[Node]:
    """The nodes right below ``node``, in order."""
    for name in _CHILDREN[type(node)]:
        found: Any = getattr(node, name)
        if isinstance(found, Node):
            yield found
        elif isinstance(found, dict):
            yield from found.values()
        elif found is not None:
            yield from found


_CHILDREN: dict[type, tuple[str, ...]] = {
    Literal: (),
    AttributeStep: (),
    IndexStep: (),
    Reference: ("steps",),
    Traversal: ("target", "steps"),
    Index: ("target", "key"),
    SplatItem: (),
    Splat: ("target", "each"),
    Call: ("arguments",),
    Unary: ("operand",),
    Binary: ("left", "right"),
    Conditional: ("condition", "yes", "no"),
    Parentheses: ("inner",),
    TupleLiteral: ("items",),
    ObjectItem: ("key", "value"),
    ObjectLiteral: ("items",),
    For: ("collection", "key", "value", "condition"),
    Template: ("parts",),
    Wrap: ("inner",),
    TemplateJoin: ("loop",),
    Label: (),
    Attribute: ("expression",),
    Body: ("attributes", "blocks"),
    Block: ("labels", "body"),
}
