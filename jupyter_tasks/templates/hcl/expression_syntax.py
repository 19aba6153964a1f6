"""Expressions: recursive descent with precedence climbing.

Owns the grammar of everything that has a value, but for the inside of strings (``template_syntax``) and the checks
that need values (``evaluate``). Accepts and rejects what Go's HCL does.
"""

from __future__ import annotations

import re
from decimal import Decimal

from jupyter_tasks.templates.hcl import template_syntax
from jupyter_tasks.templates.hcl.diagnostics import HclError, Source
from jupyter_tasks.templates.hcl.lexer import Cursor
from jupyter_tasks.templates.hcl.nodes import (
    AttributeStep,
    Binary,
    Call,
    Conditional,
    Expression,
    For,
    Index,
    IndexStep,
    Literal,
    ObjectItem,
    ObjectLiteral,
    Parentheses,
    Reference,
    Splat,
    SplatItem,
    Step,
    Traversal,
    TupleLiteral,
    Unary,
)

__all__ = ["MAX_DEPTH", "ExpressionParser"]

MAX_DEPTH = 100
_MAX_DIGITS = 2_000
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:[eE][+\-]?[0-9]+)?", re.ASCII)
_LEVELS = {
    "||": 0,
    "&&": 1,
    "==": 2,
    "!=": 2,
    "<": 3,
    ">": 3,
    "<=": 3,
    ">=": 3,
    "+": 4,
    "-": 4,
    "*": 5,
    "/": 5,
    "%": 5,
}
_KEYWORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


class ExpressionParser(Cursor):
    """Reads one expression at the cursor."""

    __slots__ = ("depth",)

    def __init__(self, source: Source, at: int = 0) -> None:
        super().__init__(source, at)
        self.depth = 0

    def expression(self) -> Expression:
        """The expression at hand; leaves the token after it at hand. Raises: HclError."""
        self._deeper()
        result = self._binary(0)
        if self.kind == "?":
            self.advance()
            yes = self.expression()
            self.expect(":", "Missing false expression in conditional", "A conditional needs a colon and a value.")
            no = self.expression()
            result = Conditional(result.start, no.end, result, yes, no)
        self.depth -= 1
        return result

    def for_names(self) -> tuple[str | None, str]:
        """``k, v in`` or ``v in`` after the keyword ``for``: the names."""
        first = self._for_name()
        if self.kind == ",":
            self.advance()
            key, value = first, self._for_name()
        else:
            key, value = None, first
        if self.kind != "name" or self.word != "in":
            raise self.error("Invalid 'for' expression", "For expression requires the 'in' keyword after its names.")
        self.advance()
        return key, value

    def _for_name(self) -> str:
        if self.kind != "name":
            raise self.error("Invalid 'for' expression", "For expression requires a variable name after 'for'.")
        name = self.word
        self.advance()
        return name

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error("Expression nested too deeply", f"At most {MAX_DEPTH} levels are read.")

    def _binary(self, level: int) -> Expression:
        left = self._operand()
        while (found := _LEVELS.get(self.kind, -1)) >= level:
            operator = self.kind
            self.advance()
            right = self._binary(found + 1)
            left = Binary(left.start, right.end, operator, left, right)
        return left

    def _operand(self) -> Expression:
        term = self._term()
        return self._steps(term) if self.kind in (".", "[") else term

    def _term(self) -> Expression:
        kind, start, end = self.kind, self.start, self.end
        if kind == "name":
            return self._name()
        if kind == '"':
            return template_syntax.quoted(self)
        if kind == "number":
            value = self._number(self.word)
            self.advance()
            return Literal(start, end, value)
        if kind == "[":
            return self._tuple()
        if kind == "{":
            return self._object()
        if kind == "heredoc":
            return template_syntax.heredoc(self)
        if kind == "(":
            return self._parentheses()
        if kind in ("-", "!"):
            self._deeper()
            self.advance()
            operand = self._operand()
            self.depth -= 1
            return Unary(start, operand.end, kind, operand)
        raise self._no_expression()

    def _no_expression(self) -> HclError:
        if self.kind in ("newline", "eof"):
            return self.error("Missing expression", "Expected the start of an expression, but the line ends.")
        return self.error("Invalid expression", f"Expected the start of an expression, but found {self.word!r}.")

    def _name(self) -> Expression:
        start, end, name = self.start, self.end, self.word
        self.advance()
        if self.kind in ("(", "::"):
            return self._call(name, start)
        if name in _KEYWORDS:
            return Literal(start, end, _KEYWORDS[name])
        return Reference(start, end, name, ())

    def _number(self, word: str) -> int | Decimal:
        """The value of a number token. Go's scanner takes ``1.5.2`` as one token too, and refuses it as a whole."""
        if _NUMBER.fullmatch(word) is None:
            raise self.error("Invalid number literal", "The value of this number literal cannot be recognized.")
        if word.isdigit() and len(word) < _MAX_DIGITS:
            return int(word)
        value = Decimal(word)
        if len(word) > _MAX_DIGITS or abs(value.adjusted()) > _MAX_DIGITS:
            raise self.error("Number too large", f"Numbers of more than {_MAX_DIGITS} digits are not supported.")
        return int(value) if value == value.to_integral_value() else value

    def _parentheses(self) -> Expression:
        start = self.start
        saved, self.newlines = self.newlines, False
        self.advance()
        inner = self.expression()
        if self.kind != ")":
            raise self.error("Unbalanced parentheses", "Expected a closing parenthesis to end the expression.")
        end = self.end
        self.newlines = saved
        self.advance()
        return Parentheses(start, end, inner)

    def _call(self, name: str, start: int) -> Expression:
        name_end = start + len(name)
        while self.kind == "::":
            self.advance()
            if self.kind != "name":
                raise self.error("Missing function name", "A function's name is expected after ::.")
            name, name_end = f"{name}::{self.word}", self.end
            self.advance()
        if self.kind != "(":
            raise self.error("Missing open parenthesis", "Function selector must be followed by (.")
        saved, self.newlines = self.newlines, False
        self.advance()
        arguments: list[Expression] = []
        expand = False
        while self.kind != ")":
            arguments.append(self.expression())
            if self.kind == ",":
                self.advance()
            elif self.kind == "...":
                expand = True
                self.advance()
                if self.kind != ")":
                    raise self.error("Missing closing parenthesis", "An argument with ... must be the last one.")
            elif self.kind != ")":
                raise self.error("Missing argument separator", "A comma is required between arguments.")
        end = self.end
        self.newlines = saved
        self.advance()
        return Call(start, end, name, name_end, tuple(arguments), expand)

    def _tuple(self) -> Expression:
        start = self.start
        saved, self.newlines = self.newlines, False
        self.advance()
        if self.kind == "name" and self.word == "for":
            return self._for(start, "]", saved)
        items: list[Expression] = []
        while self.kind != "]":
            items.append(self.expression())
            if self.kind == ",":
                self.advance()
            elif self.kind != "]":
                raise self.error("Missing item separator", "Expected a comma to mark the beginning of the next item.")
        end = self.end
        self.newlines = saved
        self.advance()
        return TupleLiteral(start, end, tuple(items))

    def _object(self) -> Expression:
        start, opening = self.start, self.end
        saved, self.newlines = self.newlines, False
        self.advance()
        if self.kind == "name" and self.word == "for":
            return self._for(start, "}", saved)
        self.newlines = True
        self.jump(opening)
        items: list[ObjectItem] = []
        while True:
            while self.kind == "newline":
                self.advance()
            if self.kind == "}":
                break
            items.append(self._object_item())
            if self.kind in (",", "newline"):
                self.advance()
            elif self.kind != "}":
                raise self.error(
                    "Missing attribute separator",
                    "Expected a newline or comma to mark the beginning of the next attribute.",
                )
        end = self.end
        self.newlines = saved
        self.advance()
        return ObjectLiteral(start, end, tuple(items))

    def _object_item(self) -> ObjectItem:
        key = self.expression()
        name: str | None = None
        if isinstance(key, Reference) and not key.steps:
            name = key.name
        elif isinstance(key, Literal) and (key.value is None or isinstance(key.value, bool)):
            name = self.text[key.start : key.end]
        if self.kind not in ("=", ":"):
            raise self.error("Missing attribute value", "Expected an equals sign (=) and the attribute's value.")
        self.advance()
        value = self.expression()
        return ObjectItem(key.start, value.end, key, name, value)

    def _for(self, start: int, closer: str, saved: bool) -> Expression:
        self.advance()
        key_name, value_name = self.for_names()
        collection = self.expression()
        self.expect(":", "Invalid 'for' expression", "For expression requires a colon after its collection.")
        key: Expression | None = None
        value = self.expression()
        if self.kind == "=>":
            self.advance()
            key, value = value, self.expression()
        group = self.kind == "..."
        if group:
            self.advance()
        condition: Expression | None = None
        if self.kind == "name" and self.word == "if":
            self.advance()
            condition = self.expression()
        if self.kind != closer:
            raise self.error("Invalid 'for' expression", "Extra characters after the end of the 'for' expression.")
        end = self.end
        if closer == "]" and (key is not None or group):
            what = "Grouping (...) and a key expression are" if group else "A key expression is"
            raise self.source.error(start, end, "Invalid 'for' expression", f"{what} not valid for a tuple.")
        if closer == "}" and key is None:
            raise self.source.error(start, end, "Invalid 'for' expression", "An object needs a key expression (=>).")
        self.newlines = saved
        self.advance()
        return For(start, end, key_name, value_name, collection, key, value, condition, group)

    def _steps(self, target: Expression) -> Expression:
        """The attribute steps, indexes and splats that follow ``target``."""
        while True:
            if self.kind == ".":
                at = self.start
                self.advance()
                star = self.kind == "*"
                target = self._attribute_splat(target) if star else _with_step(target, self._dotted(at))
            elif self.kind == "[":
                target = self._bracket(target)
            else:
                return target

    def _dotted(self, at: int) -> Step:
        """What follows a dot: a name, or the legacy ``.0`` (``.0.1`` would read as one number)."""
        step: Step
        if self.kind == "name":
            step = AttributeStep(at, self.end, self.word)
        elif self.kind == "number":
            if "." in self.word:
                raise self.error(
                    "Invalid legacy index syntax",
                    "Two indexes cannot be chained with dots.",
                    suggestion="Write [0][1].",
                )
            step = IndexStep(at, self.end, self._number(self.word))
        else:
            raise self.error("Invalid attribute name", "An attribute name is required after a dot.")
        self.advance()
        return step

    def _attribute_splat(self, target: Expression) -> Expression:
        each: Expression = SplatItem(self.start, self.end)
        end = self.end
        self.advance()
        while self.kind == ".":
            at = self.start
            self.advance()
            if self.kind == "*":
                raise self.error("Nested splat expression not allowed", "A splat expression (*) cannot hold another.")
            each = _with_step(each, self._dotted(at))
            end = each.end
        return Splat(target.start, end, target, each)

    def _bracket(self, target: Expression) -> Expression:
        opening = self.end
        at = self.start
        self.advance()
        if self.kind == "*":
            item: Expression = SplatItem(self.start, self.end)
            self.advance()
            if self.kind != "]":
                raise self.error("Missing close bracket on splat index", "The star must be followed by ].")
            end = self.end
            self.advance()
            each = self._steps(item)
            return Splat(target.start, max(end, each.end), target, each)
        saved, self.newlines = self.newlines, False
        self.jump(opening)
        key = self.expression()
        if self.kind != "]":
            raise self.error("Missing close bracket on index", "The index operator must end with ].")
        end = self.end
        self.newlines = saved
        self.advance()
        if isinstance(key, Literal):
            return _with_step(target, IndexStep(at, end, key.value))
        return Index(target.start, end, target, key)


def _with_step(target: Expression, step: Step) -> Expression:
    if isinstance(target, Reference):
        return Reference(target.start, step.end, target.name, (*target.steps, step))
    if isinstance(target, Traversal):
        return Traversal(target.start, step.end, target.target, (*target.steps, step))
    return Traversal(target.start, step.end, target, (step,))
