"""Where in a template something is wrong, and how it is said.

Owns a file's text with its line index (``Source``), the exception that carries findings through parser and evaluator
(``HclError``), and "did you mean". The shape of a finding is ``errors.Diagnostic``, which crosses the wire.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from jupyter_tasks.errors import Diagnostic

__all__ = ["HclError", "Place", "Source", "did_you_mean", "one_of", "undeclared"]

_LONGEST_SOURCE_LINE = 400


@dataclass(slots=True, eq=False)
class Source:
    """One file's text. Offsets everywhere in ``hcl`` are code points into ``text``; ``byte_offset`` converts.

    ``name`` is what diagnostics show: the path relative to the template.
    """

    name: str
    text: str
    _lines: list[int] = field(default_factory=list)

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column (both from 1, in code points) of ``offset``."""
        if not self._lines:
            self._lines.append(0)
            at = self.text.find("\n")
            while at >= 0:
                self._lines.append(at + 1)
                at = self.text.find("\n", at + 1)
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def byte_offset(self, offset: int) -> int:
        """The same place counted in UTF-8 bytes, as Go's tools and language servers count."""
        return len(self.text[:offset].encode())

    def diagnostic(
        self,
        start: int,
        end: int,
        summary: str,
        detail: str = "",
        *,
        suggestion: str = "",
        severity: str = "error",
    ) -> Diagnostic:
        """A finding that marks ``start`` to ``end`` (cut at the end of the first line)."""
        line, column = self.position(start)
        begin = self._lines[line - 1]
        stop = self.text.find("\n", begin)
        shown = self.text[begin : stop if stop >= 0 else len(self.text)].rstrip("\r")
        length = max(1, min(end - start, len(shown) - column + 1))
        return Diagnostic(
            severity=severity,
            summary=summary,
            detail=detail,
            file=self.name,
            line=line,
            column=column,
            end_column=column + length,
            source=shown if len(shown) <= _LONGEST_SOURCE_LINE else "",
            suggestion=suggestion,
        )

    def error(self, start: int, end: int, summary: str, detail: str = "", *, suggestion: str = "") -> HclError:
        """The finding of ``diagnostic`` as an exception to raise."""
        return HclError([self.diagnostic(start, end, summary, detail, suggestion=suggestion)])


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of a file: what a later check points at when it finds something wrong there."""

    source: Source
    start: int
    end: int

    def error(self, summary: str, detail: str = "", *, suggestion: str = "") -> HclError:
        """A finding at this place, as an exception to raise."""
        return self.source.error(self.start, self.end, summary, detail, suggestion=suggestion)

    def warning(self, summary: str, detail: str = "") -> Diagnostic:
        """A finding at this place that does not stop a plan."""
        return self.source.diagnostic(self.start, self.end, summary, detail, severity="warning")


class HclError(Exception):
    """One or more findings. ``static`` ones (an undeclared name) are not caught by ``try`` and ``can``."""

    def __init__(self, diagnostics: Sequence[Diagnostic], *, static: bool = False) -> None:
        super().__init__("\n".join(d.render() for d in diagnostics))
        self.diagnostics = tuple(diagnostics)
        self.static = static


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``Did you mean "x"?`` for the closest known name, or ""."""
    from difflib import get_close_matches

    found = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f'Did you mean "{found[0]}"?' if found else ""


def undeclared(what: str, name: str) -> str:
    """The sentence about a name that nothing declares; ``what`` is "resource", "input variable" …"""
    if what == "resource":
        return f'A resource "{name}" has not been declared.'
    article = "An" if what[0] in "aeiou" else "A"
    return f'{article} {what} with the name "{name}" has not been declared.'


def one_of(words: Iterable[str]) -> str:
    """``a, b and c`` in order, or "none"."""
    listed = sorted(words)
    if len(listed) < 2:
        return listed[0] if listed else "none"
    return f"{', '.join(listed[:-1])} and {listed[-1]}"
