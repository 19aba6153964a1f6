"""Fields of what a workspace agent says, checked before anybody sees them.

Owns the rule that nothing of a hostile line gets through unchecked: texts are cut and made encodable, numbers are
whole and within bounds, lists have a length. Everything wrong is a LinkViolation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from jupyter_tasks.errors import LinkViolation

__all__ = ["OFFSET_LIMIT", "Fields", "clean", "parse", "plain"]

OFFSET_LIMIT = 1 << 62
_SHORT = 256


def clean(text: str, limit: int) -> str:
    """A text of at most ``limit`` characters that every encoder takes (no lone surrogates, no NUL)."""
    return text[:limit].encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")


def plain(text: str, limit: int) -> str:
    """``clean`` for one line on a screen: nothing that moves a cursor, colours or breaks a line."""
    return "".join(character if character.isprintable() else "\ufffd" for character in clean(text, limit))


def _small_int(text: str) -> int:
    if len(text) > 19:
        raise ValueError("number too long")
    return int(text)


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(parse_int=_small_int, parse_constant=_no_constant)


def parse(line: bytes) -> Fields:
    """The object in one line. Raises: LinkViolation."""
    try:
        value = _DECODER.decode(line.decode("utf-8"))
    except (ValueError, RecursionError):
        raise LinkViolation("The workspace agent sent a line that is not JSON.") from None
    if not isinstance(value, dict):
        raise LinkViolation("The workspace agent sent a line that is not a JSON object.")
    return Fields(value)


class Fields:
    """One object of the far end."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def text(self, name: str, limit: int = _SHORT, *, default: str | None = None, lines: bool = False) -> str:
        """A text, cut to ``limit`` characters, on one line and printable unless ``lines``. Raises: LinkViolation."""
        value = self._values.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise _wrong(name, "a text")
        return clean(value, limit) if lines else plain(value, limit)

    def number(self, name: str, low: int = 0, high: int = OFFSET_LIMIT, *, default: int | None = None) -> int:
        """A whole number within bounds. Raises: LinkViolation."""
        value = self._values.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise _wrong(name, f"a whole number from {low} to {high}")
        return value

    def exit(self, name: str = "exit") -> int | None:
        """An exit status (minus a signal's number), or None. Raises: LinkViolation."""
        return None if self._values.get(name) is None else self.number(name, -256, 256)

    def flag(self, name: str, *, default: bool | None = None) -> bool:
        """A truth value. Raises: LinkViolation."""
        value = self._values.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, bool):
            raise _wrong(name, "true or false")
        return value

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        """One of some words. Raises: LinkViolation."""
        value = self._values.get(name)
        if not isinstance(value, str) or value not in allowed:
            raise _wrong(name, f"one of {', '.join(allowed)}")
        return value

    def texts(self, name: str, most: int, limit: int) -> tuple[str, ...]:
        """A list of texts; each is cut. Raises: LinkViolation."""
        values = self._list(name, most)
        if not all(isinstance(value, str) for value in values):
            raise _wrong(name, "a list of texts")
        return tuple(clean(str(value), limit) for value in values)

    def numbers(self, name: str, most: int, low: int, high: int) -> tuple[int, ...]:
        """A list of whole numbers within bounds. Raises: LinkViolation."""
        values = self._list(name, most)
        return tuple(Fields({name: value}).number(name, low, high) for value in values)

    def inners(self, name: str, most: int) -> Iterator[Fields]:
        """A list of objects. Raises: LinkViolation."""
        for value in self._list(name, most):
            if not isinstance(value, dict):
                raise _wrong(name, "a list of objects")
            yield Fields(value)

    def inner(self, name: str) -> Fields | None:
        """An object, or None. Raises: LinkViolation."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise _wrong(name, "an object")
        return Fields(value)

    def word_map(self, name: str, most: int, limit: int) -> dict[str, str]:
        """An object of texts. Raises: LinkViolation."""
        value = self._values.get(name) or {}
        if not isinstance(value, dict) or len(value) > most:
            raise _wrong(name, f"an object of at most {most} texts")
        if not all(isinstance(item, str) for item in value.values()):
            raise _wrong(name, "an object of texts")
        return {clean(key, _SHORT): clean(item, limit) for key, item in value.items()}

    def _list(self, name: str, most: int) -> list[object]:
        value = self._values.get(name)
        if not isinstance(value, list) or len(value) > most:
            raise _wrong(name, f"a list of at most {most}")
        return value


def _wrong(name: str, what: str) -> LinkViolation:
    return LinkViolation(f"The workspace agent sent a wrong {name}.", detail=f"It has to be {what}.")
