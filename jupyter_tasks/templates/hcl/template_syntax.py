"""Text with ``${ }`` and ``%{ }`` in it: quoted strings, heredocs, template files.

Owns escapes, strip markers, the dedent of ``<<-`` and the nesting of if and for directives. What stands inside the
braces is read by ``expression_syntax``. The rules that matter, in this order as in Go's HCL: strip markers work on
one literal token (in heredocs and files a token is at most one line), then ``<<-`` removes the common indentation,
then literals in a row become one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jupyter_tasks.templates.hcl.nodes import (
    Conditional,
    Expression,
    For,
    Literal,
    Template,
    TemplateJoin,
    Wrap,
)

if TYPE_CHECKING:
    from jupyter_tasks.templates.hcl.expression_syntax import ExpressionParser

__all__ = ["file_template", "heredoc", "quoted", "quoted_label"]

_PLAIN = re.compile(r'[^"\\$%\r\n]*')
_QUOTED_RUN = re.compile(r'(?:[^"\\$%\r\n]|\\[^\r\n]|\$\$\{~?|%%\{~?|\$(?!\{)|%(?!\{))+')
_LINE_RUN = re.compile(r"(?:[^$%\r\n]|\$\$\{~?|%%\{~?|\$(?!\{)|%(?!\{)|\r(?=\n))*\n?")
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)|\$\$(?=\{)|%%(?=\{)", re.DOTALL)
_DOUBLED = re.compile(r"\$\$(?=\{)|%%(?=\{)")
_SIMPLE_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)


class _Part:
    """One token of a template: ``kind`` is "text", "value" or the directive's keyword."""

    __slots__ = ("end", "expression", "key_name", "kind", "name", "start", "text")

    def __init__(self, kind: str, start: int, end: int, text: str = "") -> None:
        self.kind, self.start, self.end, self.text = kind, start, end, text
        self.expression: Expression = Literal(start, end, "")
        self.key_name: str | None = None
        self.name = ""


def quoted(parser: ExpressionParser) -> Expression:
    """The string that begins at the quote at hand; leaves the token after it at hand."""
    start, at = parser.start, parser.end
    plain = _PLAIN.match(parser.text, at)
    if plain and plain[0].isascii() and parser.text.startswith('"', plain.end()):
        parser.jump(plain.end() + 1)
        return Literal(start, plain.end() + 1, plain[0])
    reader = _Reader(parser, None, start)
    at = reader.read(at)
    result = reader.build(start, at)
    parser.jump(at)
    return result


def quoted_label(parser: ExpressionParser) -> tuple[str, int]:
    """The text of a block label and where it ends; leaves the token after it at hand."""
    start = parser.start
    value = quoted(parser)
    if not (isinstance(value, Literal) and isinstance(value.value, str)):
        raise parser.source.error(
            start, value.end, "Invalid string literal", "Template sequences are not allowed in a block label."
        )
    return value.value, value.end


def heredoc(parser: ExpressionParser) -> Expression:
    """The heredoc whose introduction is at hand; leaves the token after its end marker at hand."""
    start, at = parser.start, parser.end
    marker = parser.word.strip("<\r\n")
    flush = marker.startswith("-")
    marker = marker[1:] if flush else marker
    reader = _Reader(parser, re.compile(rf"[^\S\n]*{re.escape(marker)}[^\S\n]*?(?=\r?\n)"), start)
    at = reader.read(at)
    if flush:
        _dedent(reader.parts)
    result = reader.build(start, at)
    parser.jump(at)
    return result


def file_template(parser: ExpressionParser) -> Expression:
    """The whole text of the source as a template (``templatefile``)."""
    reader = _Reader(parser, _NEVER, 0)
    return reader.build(0, reader.read(0))


_NEVER = re.compile(r"(?!)")


class _Reader:
    """Reads one template's parts. ``end`` matches the end marker's line; None for a quoted string."""

    def __init__(self, parser: ExpressionParser, end: re.Pattern[str] | None, opening: int) -> None:
        self.parser = parser
        self.end = end
        self.opening = opening
        self.parts: list[_Part] = []

    def read(self, at: int) -> int:
        """Read parts from offset ``at``; returns the offset after the closing quote or end marker."""
        text, size = self.parser.text, len(self.parser.text)
        run = _QUOTED_RUN if self.end is None else _LINE_RUN
        line_start, trim = True, False
        while True:
            if self.end is None:
                if text.startswith('"', at):
                    return at + 1
            elif line_start and (found := self.end.match(text, at)):
                return found.end()
            found = run.match(text, at)
            if found and found.end() > at:
                literal = self._literal(found[0], at)
                line_start = found[0].endswith("\n")
                self.parts.append(_Part("text", at, found.end(), literal.lstrip(_SPACE) if trim else literal))
                at, trim = found.end(), False
            elif at >= size and self.end is _NEVER:
                return at
            elif at >= size or text[at] in "\r\n":
                raise self._unterminated(at)
            else:
                at, trim = self._sequence(at)
                line_start = False

    def build(self, start: int, end: int) -> Expression:
        """The parts as an expression."""
        parts = self.parts
        if not parts:
            return Literal(start, end, "")
        if len(parts) == 1 and parts[0].kind == "value":
            return Wrap(start, end, parts[0].expression)
        if all(part.kind == "text" for part in parts):
            return Literal(start, end, "".join([part.text for part in parts]))
        items, _ = self._nest(0, ())
        return Template(start, end, tuple(items))

    def _literal(self, raw: str, at: int) -> str:
        if not raw.isascii():
            raw = unicodedata.normalize("NFC", raw)
        if self.end is not None:
            return _DOUBLED.sub(lambda m: m[0][0], raw) if "{" in raw else raw
        if "\\" not in raw and "{" not in raw:
            return raw

        def replace(found: re.Match[str]) -> str:
            escape = found[1]
            if escape is None:
                return found[0][0]
            if len(escape) > 1:
                code = int(escape[1:], 16)
                if code <= 0x10FFFF and not 0xD800 <= code < 0xE000:
                    return chr(code)
            if escape not in _SIMPLE_ESCAPES:
                begin = at + found.start()
                raise self.parser.source.error(
                    begin,
                    begin + 2,
                    "Invalid escape sequence",
                    f'The symbol "{escape}" is not a valid escape sequence selector.',
                    suggestion="Write \\\\ for a backslash." if escape not in "uU" else "",
                )
            return _SIMPLE_ESCAPES[escape]

        return _ESCAPE.sub(replace, raw)

    def _sequence(self, at: int) -> tuple[int, bool]:
        """Read ``${…}`` or ``%{…}`` at ``at``; returns where it ends and whether it strips what follows."""
        parser, text = self.parser, self.parser.text
        opener = at + 2
        if text.startswith("~", opener):
            opener += 1
            if self.parts and self.parts[-1].kind == "text":
                self.parts[-1].text = self.parts[-1].text.rstrip(_SPACE)
        saved, parser.newlines = parser.newlines, False
        parser.jump(opener)
        if text[at] == "$":
            part = _Part("value", at, at)
            part.expression = parser.expression()
        else:
            part = self._directive(at)
        if parser.kind not in ("}", "~}"):
            raise self._extra(at)
        part.end = parser.end
        self.parts.append(part)
        parser.newlines = saved
        return parser.end, parser.kind == "~}"

    def _directive(self, at: int) -> _Part:
        parser = self.parser
        keyword = parser.word
        if parser.kind != "name" or keyword not in ("if", "else", "endif", "for", "endfor"):
            raise parser.error(
                "Invalid template directive",
                'A template directive keyword ("if", "else", "endif", "for" or "endfor") is expected after %{.',
                suggestion="Write %%{ for a literal %{.",
            )
        part = _Part(keyword, at, at)
        parser.advance()
        if keyword == "if":
            part.expression = parser.expression()
        elif keyword == "for":
            part.key_name, part.name = parser.for_names()
            part.expression = parser.expression()
        return part

    def _nest(self, at: int, closers: tuple[str, ...]) -> tuple[list[Expression], int]:
        """Expressions from part ``at`` to a directive of ``closers``; returns that directive's index."""
        items: list[Expression] = []
        while at < len(self.parts):
            part = self.parts[at]
            if part.kind in closers:
                return items, at
            if part.kind == "text":
                last = items[-1] if items else None
                if isinstance(last, Literal) and self.parts[at - 1].kind == "text":
                    items[-1] = Literal(last.start, part.end, f"{last.value}{part.text}")
                else:
                    items.append(Literal(part.start, part.end, part.text))
            elif part.kind == "value":
                items.append(part.expression)
            elif part.kind == "if":
                at = self._if(part, at, items)
            elif part.kind == "for":
                at = self._for(part, at, items)
            else:
                raise self._error(part, f"Unexpected {part.kind} directive")
            at += 1
        if closers:
            raise self._error(self.parts[-1], "Unexpected end of template", f"Expected {closers[-1]}.")
        return items, at

    def _if(self, opener: _Part, at: int, items: list[Expression]) -> int:
        yes, at = self._nest(at + 1, ("else", "endif"))
        middle = self.parts[at]
        no: Sequence[Expression] = ()
        if middle.kind == "else":
            no, at = self._nest(at + 1, ("endif",))
        end = self.parts[at].end
        items.append(
            Conditional(
                opener.start,
                end,
                opener.expression,
                Template(opener.end, middle.start, tuple(yes)),
                Template(middle.end, end, tuple(no)),
            )
        )
        return at

    def _for(self, opener: _Part, at: int, items: list[Expression]) -> int:
        inner, at = self._nest(at + 1, ("endfor",))
        end = self.parts[at].end
        body = Template(opener.end, self.parts[at].start, tuple(inner))
        names = (opener.key_name, opener.name)
        loop = For(opener.start, end, *names, opener.expression, None, body, None, False)
        items.append(TemplateJoin(opener.start, end, loop))
        return at

    def _error(self, part: _Part, summary: str, detail: str = "") -> Exception:
        return self.parser.source.error(part.start, part.end, summary, detail)

    def _extra(self, at: int) -> Exception:
        source = self.parser.source
        escaped = self.parser.text[at] * 2 + "{"
        hint = f"Write {escaped} where the text itself should hold {escaped[1:]}."
        if self.parser.kind == "eof":
            return source.error(at, at + 2, "Unclosed template sequence", "No closing } was found.", suggestion=hint)
        return self.parser.error(
            "Extra characters after interpolation expression",
            "Expected a closing brace to end the expression, but found extra characters.",
            suggestion=hint,
        )

    def _unterminated(self, at: int) -> Exception:
        source, text = self.parser.source, self.parser.text
        if self.end is not None or at >= len(text):
            stop = text.find("\n", self.opening)
            detail = "No closing quote was found." if self.end is None else "No line with the end marker was found."
            end = stop if stop >= 0 else len(text)
            return source.error(self.opening, end, "Unterminated template string", detail)
        return source.error(
            self.opening,
            at,
            "Invalid multi-line string",
            "Quoted strings may not be split over multiple lines.",
            suggestion='Close the quote, write "\\n" for a line break, or use a heredoc (<<EOT).',
        )


def _dedent(parts: list[_Part]) -> None:
    """Remove the indentation that all lines share; blank lines do not count and stay as they are."""
    common: int | None = None
    starts: list[_Part] = []
    line_start = True
    for part in parts:
        if line_start:
            line_start = False
            indent = 0
            if part.kind == "text":
                bare = part.text.lstrip(_SPACE)
                if not bare and part.text.endswith("\n"):
                    line_start = True
                    continue
                indent = len(part.text) - len(bare)
                starts.append(part)
            common = indent if common is None else min(common, indent)
        if part.kind == "text" and part.text.endswith("\n"):
            line_start = True
    for part in starts:
        part.text = part.text[common or 0 :]
