"""Values as the tables hold them.

Owns the text form of times and JSON; nothing else may format one for the store.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

__all__ = ["from_json", "from_time", "to_json", "to_time"]


def to_time(moment: datetime) -> str:
    """An aware datetime as sortable text in UTC with microseconds."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_time(text: str) -> datetime:
    """The inverse of ``to_time``."""
    return datetime.fromisoformat(text.removesuffix("Z")).replace(
        tzinfo=timezone.utc
    )  # strptime takes ten times so long


def to_json(value: Any) -> str:
    """JSON without spaces; keys keep their order."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def from_json(text: str | None) -> Any:
    """The inverse of ``to_json``; None for NULL."""
    return None if text is None else json.loads(text)
