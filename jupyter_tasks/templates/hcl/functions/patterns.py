"""RE2 patterns as Go writes them, run by Python's ``re`` within bounds.

Owns the translation (ASCII classes, ``$`` as the end of the text, ``(?U)`` and the like refused). How a pattern is
run is the business of ``matching``.
"""

from __future__ import annotations

import re
from functools import lru_cache

from jupyter_tasks.templates.hcl.functions.registry import FunctionProblem

__all__ = ["compile_pattern"]

_MAX_PATTERN = 2_000
_CLASSES = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": r"\x00-\x7F", "blank": r"\t ", "cntrl": r"\x00-\x1F\x7F",
    "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~", "punct": r"!-/:-@\[-`{-~", "space": r"\t\n\v\f\r ",
    "upper": "A-Z", "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_TOKEN = re.compile(
    r"\\Q(?P<quoted>.*?)(?:\\E|\Z)|\\x\{(?P<hex>[0-9A-Fa-f]+)\}|\\(?P<escape>.)|\[:(?P<class>\^?\w+):\]"
    r"|\(\?(?P<flags>[imsU]+)(?P<close>[):])|\(\?<(?P<name>[A-Za-z_]\w*)>|(?P<dollar>\$)|(?P<brace>\{(?!\d+(?:,\d*)?\}))|(?P<other>.)",
    re.DOTALL,
)


@lru_cache(maxsize=512)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The pattern compiled. Raises: FunctionProblem when RE2 would not take it."""
    if len(pattern) > _MAX_PATTERN:
        raise FunctionProblem(f"the pattern has more than {_MAX_PATTERN} characters.")
    if found := re.search(r"\(\?(?:=|!|<=|<!|>|P=|\(|#)|\\[1-9]|[*+?}]\+", _unquoted(pattern)):
        raise FunctionProblem(f"invalid regexp pattern: {found[0]!r} is not supported.")
    flags = re.ASCII
    if leading := re.match(r"\(\?([ims]+)\)", pattern):
        pattern = pattern[leading.end() :]
        for letter in leading[1]:
            flags |= {"i": re.I, "m": re.M, "s": re.S}[letter]
    try:
        return re.compile(_translate(pattern, bool(flags & re.M)), flags)
    except (re.error, OverflowError, RecursionError) as problem:
        raise FunctionProblem(f"invalid regexp pattern: {problem}.") from None


def _unquoted(pattern: str) -> str:
    return re.sub(r"\\[^1-9]|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]", "x", pattern, flags=re.DOTALL)


def _translate(pattern: str, multiline: bool) -> str:
    made = ""
    inside = False
    for found in _TOKEN.finditer(pattern):
        kind = found.lastgroup
        text = found[0]
        if found["quoted"] is not None:
            text = re.escape(found["quoted"])
        elif found["hex"] is not None:
            text = re.escape(chr(int(found["hex"], 16)))
        elif found["escape"] is not None:
            text = {"z": r"\Z", "C": ".", "a": r"\x07"}.get(found["escape"], text)
        elif found["class"] is not None:
            word = found["class"].lstrip("^")
            if not inside or word not in _CLASSES or found["class"].startswith("^"):
                raise re.error(f"unknown class {text}")
            text = _CLASSES[word]
        elif found["flags"] is not None:
            if found["close"] == ")" or "U" in found["flags"]:
                raise re.error(f"the flags {text} are only supported at the beginning or as (?i:…)")
        elif found["name"] is not None:
            text = f"(?P<{found['name']}>" if not inside else text
        elif kind == "dollar":
            text = "$" if inside or multiline else r"\Z"
        elif kind == "brace":
            text = r"\{"
        elif text == "[":
            text, inside = (r"\[" if inside else "["), True
        elif text == "]":
            inside = False
        made += text
    return made
