"""HCL's words: one compiled pattern and a cursor with one token of lookahead.

Owns where a token begins and ends, comments, blanks, and whether a line break counts. Strings and heredocs are only
recognised by their opening; ``template_syntax`` reads what follows, because there the rules change.

A token's ``kind`` is the operator itself, or "name", "number", "newline", "heredoc", "eof" or "bad".
"""

from __future__ import annotations

import re

from jupyter_tasks.templates.hcl.diagnostics import HclError, Source

__all__ = ["Cursor"]

_TOKEN = re.compile(
    r"""[ \t]*(?:
      ([A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_\-\u0080-\U0010ffff]*)
    | (\r?\n | (?:\#|//)[^\n]*(?:\n|\Z))
    | ([0-9](?:\.*(?:[eE][+\-]?)?[0-9])*)
    | (<<-?[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_\-\u0080-\U0010ffff]*\r?\n)
    | (==|!=|<=|>=|=>|&&|\|\||\.\.\.|::|~\}|[{}\[\]().,=<>!+\-*%?:"]|/(?!\*))
    | (/\*.*?\*/)
    | (\Z)
    | (.)
    )""",
    re.VERBOSE | re.DOTALL,
)
_KINDS = ("", "name", "newline", "number", "heredoc", "", "comment", "eof", "bad")
_OPERATOR, _COMMENT = 5, 6


class Cursor:
    """The token at hand (``kind``, ``word``, ``start``, ``end``) in ``source``.

    ``newlines`` says whether a line break is a token (in a body, in an object) or blank (in brackets).
    """

    __slots__ = ("end", "kind", "newlines", "source", "start", "text", "word")

    def __init__(self, source: Source, at: int = 0) -> None:
        self.source = source
        self.text = source.text
        self.newlines = True
        self.kind = self.word = ""
        self.start = self.end = at

    def advance(self) -> None:
        """Go to the next token."""
        at = self.end
        text = self.text
        while True:
            found = _TOKEN.match(text, at)
            assert found is not None  # noqa: S101 - the last alternatives take anything
            group = found.lastindex or 0
            self.start, self.end = found.span(group)
            if group == _OPERATOR:
                self.kind = self.word = found[group]
                return
            kind = _KINDS[group]
            if group == _COMMENT or (kind == "newline" and not self.newlines):
                at = self.end
                continue
            self.kind = kind
            self.word = found[group]
            if (kind in ("name", "heredoc")) and not self.word.isascii():
                self._check_name()
            return

    def jump(self, at: int) -> None:
        """Go on with the token that begins at or after offset ``at``."""
        self.end = at
        self.advance()

    def expect(self, kind: str, summary: str, detail: str) -> None:
        """Step over a token of ``kind``. Raises: HclError when another one is there."""
        if self.kind != kind:
            raise self.error(summary, detail)
        self.advance()

    def error(self, summary: str, detail: str = "", *, suggestion: str = "") -> HclError:
        """A finding at the token at hand."""
        if self.kind == "bad":
            summary, detail, suggestion = self._bad_word()
        return self.source.error(self.start, self.end, summary, detail, suggestion=suggestion)

    def _bad_word(self) -> tuple[str, str, str]:
        if self.word == "'":
            return "Invalid character", "Single quotes are not valid.", 'Use double quotes (") around strings.'
        if self.word in "&|^~":
            return (
                "Unsupported operator",
                "Bitwise operators are not supported.",
                "Did you mean boolean && or ||?" if self.word in "&|" else "",
            )
        if self.word == "/":
            return "Unterminated comment", "A comment that begins with /* must end with */.", ""
        return "Invalid character", f"The character {self.word!r} is not used within the language.", ""

    def _check_name(self) -> None:
        """Cut a name with letters beyond ASCII where Unicode says that it ends."""
        word = self.word.rstrip("\r\n")
        first = len(word) - len(word.lstrip("<-")) if self.kind == "heredoc" else 0
        length = first
        for character in word[first:]:
            opening = length == first
            if character != "-" and not (character if opening else f"a{character}").isidentifier():
                break
            length += 1
        if length == len(word):
            return
        if length == first:
            self.kind, self.word, self.end = "bad", word[first], self.start + 1
            return
        self.kind = "bad" if self.kind == "heredoc" else "name"
        self.word = word[:length]
        self.end = self.start + length
