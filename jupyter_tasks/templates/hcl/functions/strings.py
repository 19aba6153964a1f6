"""Text."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

from jupyter_tasks.templates.hcl.functions.matching import Match, find, replace
from jupyter_tasks.templates.hcl.functions.patterns import compile_pattern
from jupyter_tasks.templates.hcl.functions.registry import FunctionProblem, function
from jupyter_tasks.templates.hcl.types import NUMBER, STRING, ListType
from jupyter_tasks.templates.hcl.values import ListValue, ObjectValue, Value

__all__ = ["graphemes"]

_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)


def graphemes(text: str) -> list[str]:
    """The characters as a reader counts them: a letter with its combining marks is one."""
    if text.isascii():
        return re.findall(r"\r\n|.", text, re.DOTALL)
    found: list[str] = []
    joined = False
    for character in text:
        extends = (
            unicodedata.combining(character) or character in "\u200d\ufe0f" or "\U0001f3fb" <= character <= "\U0001f3ff"
        )
        if found and (extends or joined or (character == "\n" and found[-1] == "\r")):
            found[-1] += character
        else:
            found.append(character)
        joined = character == "\u200d"
    return found


def _by_letter(text: str, upper: bool) -> str:
    """Case letter by letter, as Go does: where Python would make two letters of one, it stays."""
    changed = ((letter, letter.upper() if upper else letter.lower()) for letter in text)
    return "".join(new if len(new) == 1 else letter for letter, new in changed)


@function("lower", str=STRING)
def _lower(text: str) -> Value:
    return text.lower() if text.isascii() else _by_letter(text, False)


@function("upper", str=STRING)
def _upper(text: str) -> Value:
    return text.upper() if text.isascii() else _by_letter(text, True)


@function("title", str=STRING)
def _title(text: str) -> Value:
    return re.sub(r"(?<!\w)\w", lambda found: _by_letter(found[0], True), text)


@function("trimspace", str=STRING)
def _trimspace(text: str) -> Value:
    return text.strip(_SPACE)


@function("trim", str=STRING, cutset=STRING)
def _trim(text: str, cut: str) -> Value:
    return text.strip(cut) if cut else text


@function("trimprefix", str=STRING, prefix=STRING)
def _trimprefix(text: str, prefix: str) -> Value:
    return text.removeprefix(prefix)


@function("trimsuffix", str=STRING, suffix=STRING)
def _trimsuffix(text: str, suffix: str) -> Value:
    return text.removesuffix(suffix)


@function("chomp", str=STRING)
def _chomp(text: str) -> Value:
    return text.rstrip("\r\n")


@function("startswith", str=STRING, prefix=STRING)
def _startswith(text: str, prefix: str) -> Value:
    return text.startswith(prefix)


@function("endswith", str=STRING, suffix=STRING)
def _endswith(text: str, suffix: str) -> Value:
    return text.endswith(suffix)


@function("strcontains", str=STRING, substr=STRING)
def _strcontains(text: str, wanted: str) -> Value:
    return wanted in text


@function("strrev", str=STRING)
def _strrev(text: str) -> Value:
    return "".join(reversed(graphemes(text)))


@function("join", _variadic=True, separator=STRING, lists=ListType("list", STRING))
def _join(separator: str, *lists: tuple[Value, ...]) -> Value:
    if not lists:
        raise FunctionProblem("at least one list is required.", 1)
    items = [item for one in lists for item in one]
    if None in items:
        raise FunctionProblem("elements must not be null.", 1)
    return separator.join(str(item) for item in items)


@function("split", separator=STRING, str=STRING)
def _split(separator: str, text: str) -> Value:
    return ListValue(text.split(separator) if separator else list(text))


@function("indent", spaces=NUMBER, str=STRING)
def _indent(spaces: int | Decimal, text: str) -> Value:
    if not isinstance(spaces, int) or not 0 <= spaces <= 1000:
        raise FunctionProblem("the number of spaces must be a whole number up to 1000.", 0)
    return text.replace("\n", "\n" + " " * spaces)


@function("substr", str=STRING, offset=NUMBER, length=NUMBER)
def _substr(text: str, offset: int | Decimal, length: int | Decimal) -> Value:
    if not isinstance(offset, int) or not isinstance(length, int):
        raise FunctionProblem("offset and length must be whole numbers.", 1)
    letters = graphemes(text)
    if offset < 0:
        offset = max(0, offset + len(letters))
    end = len(letters) if length < 0 else offset + length
    return "".join(letters[offset:end])


@function("replace", str=STRING, substr=STRING, replace=STRING)
def _replace(text: str, wanted: str, new: str) -> Value:
    if len(wanted) > 1 and wanted.startswith("/") and wanted.endswith("/"):
        return replace(compile_pattern(wanted[1:-1]), new, text)
    if not wanted and len(text) > 100_000:
        raise FunctionProblem("the text is too long.", 0)
    return text.replace(wanted, new)


@function("regex", pattern=STRING, string=STRING)
def _regex(pattern: str, text: str) -> Value:
    found = find(compile_pattern(pattern), text, most=1)
    if not found:
        raise FunctionProblem("pattern did not match any part of the given string.", 1)
    return _captures(found[0])


@function("regexall", pattern=STRING, string=STRING)
def _regexall(pattern: str, text: str) -> Value:
    return ListValue(_captures(found) for found in find(compile_pattern(pattern), text))


def _captures(found: Match) -> Value:
    groups = len(found.spans) - 1
    if found.names:
        if len(found.names) != groups:
            raise FunctionProblem("named and unnamed groups cannot be mixed.", 0)
        return ObjectValue(sorted((name, found.group(number)) for name, number in found.names.items()))
    return ListValue(found.group(number + 1) for number in range(groups)) if groups else found.group(0)
