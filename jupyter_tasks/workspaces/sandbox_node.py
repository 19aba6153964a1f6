"""What an npm package needs beside itself.

Owns finding the packages that a package depends on as Node does: in its own ``node_modules``, else in one of those
above it. Installed for itself (``npm install -g``) a program has them below it; installed into a folder it has them as
neighbours, its compiled program often among them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["node_dependencies"]

_MOST = 60
_SIZE = 1 << 20
_NAME = re.compile(r"(?:@[a-z0-9._~-]+/)?[a-z0-9._~-]+", re.IGNORECASE)
_KINDS = ("dependencies", "optionalDependencies", "peerDependencies")


def node_dependencies(package: Path) -> Sequence[Path]:
    """The directories outside of ``package`` that it depends on, directly or not; the ``node_modules`` that holds it
    when they are more than 60."""
    found: dict[Path, None] = {}
    waiting = [package]
    while waiting:
        current = waiting.pop()
        for name in _named(current):
            place = _resolve(current, name)
            if place is None or place in found or place.is_relative_to(package):
                continue
            found[place] = None
            waiting.append(place)
        if len(found) > _MOST:
            parts = package.parts
            return [Path(*parts[: len(parts) - parts[::-1].index("node_modules")])]
    return sorted(found)


def _named(package: Path) -> Iterator[str]:
    """The names of what a package depends on, as far as its ``package.json`` can be read."""
    try:
        with (package / "package.json").open("rb") as file:
            about = json.loads(file.read(_SIZE))
    except (OSError, ValueError, RecursionError):
        return
    for kind in _KINDS if isinstance(about, dict) else ():
        names = about.get(kind)
        yield from (name for name in names if _NAME.fullmatch(name)) if isinstance(names, dict) else ()


def _resolve(package: Path, name: str) -> Path | None:
    """Where Node finds ``name`` from ``package``."""
    if ".." in name:
        return None
    for above in (package, *package.parents):
        if above.name != "node_modules":
            place = above / "node_modules" / name
            if place.is_dir():
                return place.resolve()
    return None
