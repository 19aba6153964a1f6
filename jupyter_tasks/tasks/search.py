"""The query language of the task list (``q=``).

Owns its grammar and Coder's error texts (reference/coder-tasks.md 1.4).
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from jupyter_tasks.errors import FieldError, InvalidInput
from jupyter_tasks.tasks.owner import Owner

__all__ = ["Query", "parse"]

KEYS = ("owner", "organization", "status")


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for; None: anything."""

    owner: str | None = None
    status: str | None = None


def parse(text: str, me: Owner) -> Query:
    """Read ``key:value`` terms; values may be quoted; a bare word is an owner. Raises: InvalidInput."""
    found: dict[str, str] = {}
    for term in _terms(text.lower()):
        key, colon, value = term.partition(":")
        if not colon:
            key, value = "owner", term
        elif not key or not value:
            raise _wrong(f"Query element \"{term}\" cannot start or end with ':'")
        elif ":" in value:
            raise _wrong(f"Query element \"{term}\" can only contain 1 ':'")
        if key not in KEYS:
            raise _wrong(f'"{key}" is not a valid query param; known are {", ".join(KEYS)}')
        found[key] = value
    owner = found.get("owner")
    if owner in ("me", me.id):
        owner = me.name
    return Query(owner=owner, status=found.get("status"))


def _terms(text: str) -> list[str]:
    reader = shlex.shlex(text, posix=True)
    reader.whitespace_split = True
    reader.commenters = ""
    reader.quotes = '"'
    reader.escape = ""
    try:
        return list(reader)
    except ValueError as error:
        raise _wrong("a quote is not closed") from error


def _wrong(detail: str) -> InvalidInput:
    return InvalidInput("Invalid task search query.", validations=[FieldError("q", detail)])
