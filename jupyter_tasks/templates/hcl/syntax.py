"""A file of HCL's native syntax -> its tree, with as many findings as can be made out in one go.

Owns bodies (attributes and blocks), labels, recovery after an error, and the bounds on foreign input. Expressions are
read by ``expression_syntax``. Agrees with Go's parser (``pygohcl``) on what is accepted.
"""

from __future__ import annotations

import re

from jupyter_tasks.errors import Diagnostic
from jupyter_tasks.templates.hcl import template_syntax
from jupyter_tasks.templates.hcl.diagnostics import HclError, Source
from jupyter_tasks.templates.hcl.expression_syntax import MAX_DEPTH, ExpressionParser
from jupyter_tasks.templates.hcl.nodes import Attribute, Block, Body, Expression, Label

__all__ = ["MAX_BYTES", "decode", "parse", "parse_expression", "parse_template"]

MAX_BYTES = 2 * 1024 * 1024
_MAX_ERRORS = 20
_ITEM_START = re.compile(r"[ \t]*(?:([A-Za-z_][\w-]*)[ \t]*(?:=(?!=)|\{|\"|[A-Za-z_])|(\}))")


def decode(name: str, data: bytes) -> Source:
    """The bytes of a file as text. Raises: HclError when they are not UTF-8 or too many."""
    if len(data) > MAX_BYTES:
        raise HclError([_file_error(name, "File too large", f"{len(data)} bytes; at most {MAX_BYTES} are read.")])
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        detail = f"Byte {problem.start} (line {line}) is not UTF-8."
        raise HclError([_file_error(name, "Invalid character encoding", detail)]) from None
    return Source(name, text.removeprefix("\ufeff"))


def parse(source: Source) -> Body:
    """The whole file. Raises: HclError with every finding (at most 20) when it is not valid."""
    parser = _BodyParser(source)
    parser.advance()
    body = parser.body("eof")
    if parser.diagnostics:
        raise HclError(parser.diagnostics)
    return body


def parse_expression(source: Source) -> Expression:
    """One expression and nothing else. Raises: HclError."""
    parser = ExpressionParser(source)
    parser.newlines = False
    parser.advance()
    result = parser.expression()
    if parser.kind != "eof":
        raise parser.error("Extra characters after expression", "An expression was read, but more text follows it.")
    return result


def parse_template(source: Source) -> Expression:
    """A template file: text with ``${ }`` and ``%{ }``. Raises: HclError."""
    return template_syntax.file_template(ExpressionParser(source))


def _file_error(name: str, summary: str, detail: str) -> Diagnostic:
    return Diagnostic(severity="error", summary=summary, detail=detail, file=name)


class _BodyParser(ExpressionParser):
    """Reads bodies; findings are gathered in ``diagnostics`` and reading goes on behind them."""

    __slots__ = ("diagnostics", "level")

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.diagnostics: list[Diagnostic] = []
        self.level = 0

    def body(self, closer: str) -> Body:
        """Items up to ``closer`` ("eof" or "}"), which is left at hand."""
        start = self.start
        attributes: dict[str, Attribute] = {}
        blocks: list[Block] = []
        while self.kind != closer:
            if self.kind == "newline":
                self.advance()
                continue
            begin, level = self.start, self.level
            try:
                self._item(attributes, blocks)
            except HclError as problem:
                self.diagnostics += problem.diagnostics
                self.level = level
                if len(self.diagnostics) >= _MAX_ERRORS or not self._recover(begin, closer):
                    self.kind = closer
                    self.start = self.end = len(self.text)
        return Body(start, self.start, attributes, tuple(blocks))

    def _item(self, attributes: dict[str, Attribute], blocks: list[Block]) -> None:
        if self.kind != "name":
            raise self._no_item()
        start, end, name = self.start, self.end, self.word
        self.advance()
        if self.kind == "=":
            found = self._attribute(start, end, name)
            self._end_of_line("argument")
            self._add(attributes, found)
        elif self.kind in ('"', "{", "name"):
            blocks.append(self._block(start, end, name))
        else:
            raise self.error(
                "Invalid block definition",
                "Either a quoted string block label, an opening brace ({) or an equals sign (=) is expected here.",
            )

    def _no_item(self) -> HclError:
        if self.kind == "eof":
            return self.error("Unclosed configuration block", "There is no closing brace for this block.")
        if self.kind == '"':
            return self.error("Invalid argument name", "Argument names must not be quoted.")
        return self.error(
            "Argument or block definition required",
            "To set an argument, use the equals sign (=) to introduce the argument value.",
        )

    def _attribute(self, start: int, name_end: int, name: str) -> Attribute:
        self.advance()
        value = self.expression()
        return Attribute(start, value.end, name, name_end, value, self.source)

    def _add(self, attributes: dict[str, Attribute], found: Attribute) -> None:
        if found.name in attributes:
            line, _ = self.source.position(attributes[found.name].start)
            self.diagnostics.append(
                self.source.diagnostic(
                    found.start,
                    found.name_end,
                    "Attribute redefined",
                    f'The argument "{found.name}" was already set on line {line}. Each argument may be set only once.',
                )
            )
        attributes.setdefault(found.name, found)

    def _end_of_line(self, what: str) -> None:
        if self.kind == "newline":
            self.advance()
        elif self.kind != "eof":
            raise self.error(f"Missing newline after {what}", f"The {what} must end with its line.")

    def _block(self, start: int, end: int, type_: str) -> Block:
        labels: list[Label] = []
        while self.kind != "{":
            label_start = self.start
            if self.kind == '"':
                text, end = template_syntax.quoted_label(self)
            elif self.kind == "name":
                text, end = self.word, self.end
                self.advance()
            else:
                raise self.error(
                    "Invalid block definition",
                    "Either a quoted string block label or an opening brace ({) is expected here.",
                )
            labels.append(Label(label_start, end, text))
        self.level += 1
        if self.level > MAX_DEPTH:
            raise self.error("Blocks nested too deeply", f"At most {MAX_DEPTH} levels are read.")
        opening = self.start
        self.advance()
        if self.kind in ("newline", "eof", "}"):
            body = self.body("}")
            if self.start >= len(self.text):
                self._unclosed(opening, end, start)
                return Block(start, self.end, type_, tuple(labels), end, body, self.source)
        else:
            body = self._one_line_body()
        stop = self.end
        self.level -= 1
        self.advance()
        self._end_of_line("block definition")
        return Block(start, stop, type_, tuple(labels), end, body, self.source)

    def _unclosed(self, opening: int, end: int, start: int) -> None:
        self.kind = "eof"
        if not self.diagnostics:
            self.diagnostics.append(
                self.source.diagnostic(
                    start,
                    max(end, opening + 1),
                    "Unclosed configuration block",
                    "There is no closing brace for this block.",
                )
            )

    def _one_line_body(self) -> Body:
        """``{ name = value }`` in one line; leaves the brace at hand."""
        start, end, name = self.start, self.end, self.word
        is_name = self.kind == "name"
        self.advance()
        if not is_name or self.kind != "=":
            raise self.error("Invalid single-argument block definition", "A one-line block holds name = value.")
        found = self._attribute(start, end, name)
        if self.kind != "}":
            raise self.error(
                "Invalid single-argument block definition",
                "A one-line block holds a single argument.",
                suggestion="Put each argument on its own line.",
            )
        return Body(start, self.start, {name: found}, ())

    def _recover(self, begin: int, closer: str) -> bool:
        """Go to the next line that looks like an item beside the broken one; False when there is none."""
        self.depth, self.newlines = 0, True
        text = self.text
        line = text.rfind("\n", 0, begin) + 1
        indent = begin - line
        at = text.rfind("\n", begin, self.start)  # the line of the error itself, if the item began before it
        if at < 0:
            at = text.find("\n", begin)
        while at >= 0:
            at += 1
            found = _ITEM_START.match(text, at)
            if found:
                word = found.start(1) if found[1] else found.start(2)
                depth = word - at
                if found[2] and depth == indent:
                    self.jump(word + 1)
                    return True
                if depth <= indent and (found[1] or (depth < indent and closer == "}")):
                    self.jump(word)
                    return True
            at = text.find("\n", at)
        return False
