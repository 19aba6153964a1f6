"""Lines of the link: encoding, bounded decoding, and fields with a type.

Owns ``Refused``, the one way in which an operation says no. Everything a request holds is checked here before a
module sees it; a request is never trusted to have the right shape.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LINE_LIMIT = 1 << 20
_TEXT_LIMIT = 640 * 1024  # a prompt has at most that many bytes


class Refused(Exception):
    """An operation says no: ``code`` is one of link.md's error codes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def bad(message: str) -> Refused:
    """The refusal of a request that is wrong in itself."""
    return Refused("bad_request", message)


def encode(value: dict[str, Any]) -> bytes:
    """One JSON line. Text that is not Unicode (a lone surrogate from a file name) is sent as ``?``."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"


def _small_int(text: str) -> int:
    # int() of a million digits takes seconds
    if len(text) > 19:
        raise ValueError("a number is too long")
    return int(text)


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(parse_int=_small_int, parse_constant=_no_constant)


def decode(line: bytes) -> dict[str, Any]:
    """The object in one line. Raises: Refused."""
    try:
        value = _DECODER.decode(line.decode("utf-8"))
    except (ValueError, RecursionError) as problem:
        raise bad(f"not a JSON line: {str(problem)[:100]}") from None
    if not isinstance(value, dict):
        raise bad("a request is a JSON object")
    return value


def text(request: dict[str, Any], name: str, default: str | None = None, *, limit: int = _TEXT_LIMIT) -> str:
    """A text field of at most ``limit`` characters; required without a default. Raises: Refused."""
    value = request.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or len(value) > limit or "\0" in value:
        raise bad(f"{name} is a text of at most {limit} characters without NUL")
    return value


def word(request: dict[str, Any], name: str) -> str:
    """A name: 1 to 128 characters. Raises: Refused."""
    value = text(request, name, limit=128)
    if not value:
        raise bad(f"{name} is empty")
    return value


def number(request: dict[str, Any], name: str, low: int, high: int, default: int | None = None) -> int:
    """A whole number within bounds; required without a default. Raises: Refused."""
    value = request.get(name)
    if value is None and default is not None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise bad(f"{name} is a whole number from {low} to {high}")
    return value


def seconds(request: dict[str, Any], name: str, default: float, *, limit: float = 7 * 86400.0) -> float:
    """A duration; 0 means none. Raises: Refused."""
    value = request.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= limit:
        raise bad(f"{name} is a number of seconds from 0 to {limit:g}")
    return float(value)


def flag(request: dict[str, Any], name: str, default: bool = False) -> bool:
    """A truth value. Raises: Refused."""
    value = request.get(name, default)
    if not isinstance(value, bool):
        raise bad(f"{name} is true or false")
    return value


def texts(request: dict[str, Any], name: str, *, most: int = 4096) -> list[str]:
    """A list of texts. Raises: Refused."""
    value = request.get(name, [])
    if not isinstance(value, list) or len(value) > most:
        raise bad(f"{name} is a list of at most {most} texts")
    if not all(isinstance(item, str) and "\0" not in item for item in value):
        raise bad(f"{name} holds something that is not a text")
    return value


def variables(request: dict[str, Any], name: str) -> dict[str, str]:
    """Environment variables. Raises: Refused."""
    value = request.get(name) or {}
    if not isinstance(value, dict) or len(value) > 4096:
        raise bad(f"{name} is an object of at most 4096 texts")
    for key, item in value.items():
        if not key or "=" in key or "\0" in key or not isinstance(item, str) or "\0" in item:
            raise bad(f"{name} holds a variable that cannot be set")
    return value


def objects(request: dict[str, Any], name: str, *, most: int) -> list[dict[str, Any]]:
    """A list of objects. Raises: Refused."""
    value = request.get(name) or []
    if not isinstance(value, list) or len(value) > most or not all(isinstance(item, dict) for item in value):
        raise bad(f"{name} is a list of at most {most} objects")
    return value
