"""Plans as JSON, so that a build that was accepted is the same build after a restart or an upgrade of the engine.

Owns the way there and back. Unknown fields of an older or newer plan are left out, missing ones take their default.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from jupyter_tasks.templates import plan as plan_types
from jupyter_tasks.templates.plan import WorkspacePlan

__all__ = ["plan_from_json", "plan_to_json"]


def plan_to_json(plan: WorkspacePlan) -> Any:
    """A plan as a JSON value."""
    return _encode(plan)


def plan_from_json(value: Any) -> WorkspacePlan:
    """The plan again."""
    return cast("WorkspacePlan", _decode(WorkspacePlan, value))


def _encode(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _encode(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: _encode(item) for key, item in value.items()}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_encode(item) for item in value]
    return value


def _decode(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _decode(next(each for each in get_args(kind) if each is not type(None)), value)
    if is_dataclass(kind):
        known = _kinds(cast("Any", kind))
        return cast("Any", kind)(**{name: _decode(known[name], item) for name, item in value.items() if name in known})
    if origin is not None and issubclass(origin, Mapping):
        return {key: _decode(get_args(kind)[1], item) for key, item in value.items()}
    if origin is not None and issubclass(origin, Sequence):
        return tuple(_decode(get_args(kind)[0], item) for item in value)
    return Path(value) if kind is Path else value


@cache
def _kinds(kind: type[Any]) -> Mapping[str, Any]:
    """The types of a dataclass's fields; to read them out of their annotations takes longer than to decode a plan."""
    hints = get_type_hints(kind, vars(plan_types))
    return {field.name: hints[field.name] for field in fields(kind)}
