"""Fills ``{name}`` in a prompt with text from the kernel's namespace. Pure: no kernel, no I/O.

The rules, whole:

- ``{name}``, an identifier (not a keyword) and nothing else, becomes the text of that variable. A name that is not
  there is an error before anything starts.
- ``{{ … }}`` is a literal pair: one brace each. A doubled brace without its partner stays as typed.
- Every other brace (``{a.b}``, ``{1}``, ``{"json": 1}``, ``{}``) and every ``$`` stays as typed.

The text of a value is bounded: a string is itself, a table (anything with pandas' ``head``, ``to_string`` and
``shape``) its first rows and its size, anything else a bounded ``repr``. What is cut says so where it is cut, and
``Filled.cuts`` names it. What a value's text says is never filled again.
"""

from __future__ import annotations

import difflib
import keyword
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jupyter_tasks.errors import InvalidInput
from jupyter_tasks.notebook.filling_text import is_table, table, written

__all__ = ["EACH", "IN_ALL", "Filled", "fill", "names_in", "text_of"]

EACH = 4_000
"""Characters that one value may bring."""
IN_ALL = 32_000
"""Bytes (UTF-8) that all values together may bring."""

_MARKS = re.compile(r"\{\{|\}\}|\{([^\W\d]\w*)\}")


@dataclass(frozen=True, slots=True)
class Filled:
    """A prompt ready to be sent; ``cuts`` has a sentence for each value that did not fit."""

    text: str
    cuts: tuple[str, ...] = ()


def names_in(prompt: str) -> list[str]:
    """The variables that ``prompt`` asks for, in order, each once."""
    return list(dict.fromkeys(name for _, name in _pieces(prompt) if name))


def fill(prompt: str, names: Mapping[str, object], *, each: int = EACH, in_all: int = IN_ALL) -> Filled:
    """``prompt`` with every ``{name}`` filled.

    Args:
        prompt: as typed.
        names: the namespace.
        each: characters one value may bring, more than 80.
        in_all: bytes all values together may bring; a value that is used twice counts twice.

    Raises: InvalidInput for a name that is not there, or a value whose text cannot be made.
    """
    pieces = _pieces(prompt)
    wanted = dict.fromkeys(name for _, name in pieces if name)
    _refuse_missing(wanted, names)
    texts = {name: text_of(name, names[name], each) for name in wanted}
    cuts = {name: sentence for name, (_, sentence) in texts.items() if sentence}
    left, out = in_all, []
    for literal, name in pieces:
        if not name:
            out.append(literal)
            continue
        text, room = texts[name][0], left
        size = len(text.encode("utf-8", "replace"))
        if size > room:
            text = _within(text, room)
            cuts[name] = f"{{{name}}} was cut: all values together may bring {in_all:,} bytes."
            left = 0
        else:
            left -= size
        out.append(text)
    return Filled("".join(out), tuple(cuts.values()))


def text_of(name: str, value: object, bound: int = EACH) -> tuple[str, str]:
    """The bounded text of one value, and a sentence if it was cut ("" if not).

    Raises: InvalidInput when the value's own code for it fails.
    """
    try:
        if isinstance(value, str):
            text, more = str.__str__(value), False
        elif is_table(value):
            text, more = table(value), False
        else:
            text, more = written(value, bound)
    except Exception as error:  # the user's own class may raise anything
        raise InvalidInput(
            f"The variable {name!r} ({type(value).__name__}) cannot be shown as text: {type(error).__name__}.",
            hint="Put a string of your own into the prompt instead.",
        ) from error
    if len(text) <= bound and not more:
        return text, ""
    of = "" if more else f" of {len(text):,}"
    kept = max(0, bound - len(f"… [cut after {bound:,}{of} characters]"))
    words = f"cut after {kept:,}{of} characters"
    return f"{text[:kept]}… [{words}]", f"{{{name}}} was {words}."


def _pieces(prompt: str) -> list[tuple[str, str]]:
    """``prompt`` as (literal, "") and (as typed, name) in order."""
    marks = [m for m in _MARKS.finditer(prompt) if not m[1] or _usable(m[1])]
    open_pairs: list[int] = []
    paired: set[int] = set()
    for index, mark in enumerate(marks):
        if mark[0] == "{{":
            open_pairs.append(index)
        elif mark[0] == "}}" and open_pairs:
            paired |= {open_pairs.pop(), index}
    pieces: list[tuple[str, str]] = []
    end = 0
    for index, mark in enumerate(marks):
        pieces.append((prompt[end : mark.start()], ""))
        if mark[1]:
            pieces.append((mark[0], unicodedata.normalize("NFKC", mark[1])))
        else:
            pieces.append((mark[0][0] if index in paired else mark[0], ""))
        end = mark.end()
    pieces.append((prompt[end:], ""))
    return [piece for piece in pieces if piece[0]]


def _usable(word: str) -> bool:
    return word.isidentifier() and not keyword.iskeyword(word)


def _refuse_missing(wanted: Iterable[str], names: Mapping[str, object]) -> None:
    missing = [name for name in wanted if name not in names]
    if not missing:
        return
    name = missing[0]
    near = difflib.get_close_matches(name, [str(n) for n in names if not str(n).startswith("_")], n=1)
    guess = f"Did you mean {{{near[0]}}}? " if near else ""
    raise InvalidInput(
        f"The prompt asks for {{{name}}}, but there is no variable {name!r} in this kernel.",
        hint=f"{guess}Write {{{{{name}}}}} for literal braces, or --raw to fill nothing.",
        code="missing_name",
    )


def _within(text: str, room: int) -> str:
    """As much of ``text`` as fits into ``room`` bytes together with the mark that says it was cut."""
    mark = "… [cut]"
    room -= len(mark.encode())
    if room <= 0:
        return mark if room == 0 else ""
    return text.encode("utf-8", "replace")[:room].decode("utf-8", "ignore") + mark
