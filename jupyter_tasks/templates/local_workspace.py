"""``terraform_data "local_workspace" { input = {…} }``: limits and mounts of a workspace on this machine.

Owns its keys and what is said about wrong ones. To Coder it is a resource that does nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_tasks.templates.hcl.diagnostics import HclError, Place, did_you_mean, one_of
from jupyter_tasks.templates.hcl.functions.registry import FunctionProblem
from jupyter_tasks.templates.hcl.values import Value, is_number
from jupyter_tasks.templates.instances import Instance
from jupyter_tasks.templates.plan import LocalWorkspace, Mount
from jupyter_tasks.templates.tree import Tree

__all__ = ["read_local_workspace"]

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGT]?)(i?)B?", re.ASCII | re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_LEAST_MEMORY = 32 << 20
_PROVIDER = re.compile(r"[a-z][a-z0-9-]{0,39}")
_PROGRAM = re.compile(r"[A-Za-z0-9_./~+-]+")


def read_local_workspace(instance: Instance, tree: Tree) -> LocalWorkspace:
    """The limits that the resource asks for. Raises: HclError with every finding."""
    place = instance.decoded.at("input")
    given = instance.values.get("input")
    if not isinstance(given, dict):
        raise place.error("Invalid local workspace", f"input must be an object with {one_of(_READERS)}.")
    values: dict[str, Any] = {}
    problems: list[HclError] = []
    for key, value in given.items():
        try:
            if key not in _READERS:
                raise place.error(
                    "Unknown key of local workspace",
                    f'"{key}" is not known; there are {one_of(_READERS)}.',
                    suggestion=did_you_mean(key, _READERS),
                )
            if value is not None:
                values[key] = _READERS[key](value, place, tree)
        except HclError as problem:
            problems.append(problem)
    if problems:
        raise HclError([found for problem in problems for found in problem.diagnostics])
    return LocalWorkspace(**values)


def _memory(value: Value, place: Place, tree: Tree) -> int:
    size = value if isinstance(value, int) and not isinstance(value, bool) else 0
    if isinstance(value, str) and (found := _SIZE.fullmatch(value.strip())):
        size = int(float(found[1]) * (1024 if found[3] else 1000) ** _POWERS[found[2].lower()])
    if size < _LEAST_MEMORY:
        raise place.error(
            "Invalid memory", f'memory must be at least 32 MiB: a number of bytes, or text like "2GB" (not {value!r}).'
        )
    return size


def _count(name: str, least: int, most: int) -> Callable[[Value, Place, Tree], int]:
    def read(value: Value, place: Place, tree: Tree) -> int:
        if not is_number(value) or not isinstance(value, int) or not least <= value <= most:
            raise place.error(f"Invalid {name}", f"{name} must be a whole number from {least} to {most}.")
        return value

    return read


def _programs(value: Value, place: Place, tree: Tree) -> tuple[str, ...]:
    items = value if isinstance(value, tuple) else (value,)
    for item in items:
        if not isinstance(item, str) or not _PROGRAM.fullmatch(item):
            raise place.error("Invalid programs", "programs must be a list of names or paths of programs.")
    return tuple(items)


def _providers(value: Value, place: Place, tree: Tree) -> tuple[str, ...]:
    items = value if isinstance(value, tuple) else (value,)
    for item in items:
        if not isinstance(item, str) or not _PROVIDER.fullmatch(item):
            raise place.error("Invalid providers", "providers must be a list of names of LLM providers.")
    return tuple(items)


def _mounts(value: Value, place: Place, tree: Tree) -> tuple[Mount, ...]:
    made: list[Mount] = []
    for item in value if isinstance(value, tuple) else (value,):
        if not isinstance(item, dict) or set(item) != {"source", "target"}:
            raise place.error("Invalid mounts", "Each of mounts is an object { source = …, target = … }.")
        source, target = item["source"], item["target"]
        for path in (source, target):
            if not isinstance(path, str) or not path.startswith("/") or ".." in path.split("/"):
                raise place.error("Invalid mounts", f"{path!r} is not an absolute path without dots.")
        made.append(Mount(source=Path(source), target=Path(target)))
    return tuple(made)


def _files(value: Value, place: Place, tree: Tree) -> Path:
    if not isinstance(value, str):
        raise place.error("Invalid files", "files must name a directory of the template.")
    try:
        found = tree.resolve(value)
    except FunctionProblem as problem:
        raise place.error("Files outside of the template", problem.message) from None
    if not found.is_dir():
        raise place.error("Invalid files", f"There is no directory {value!r} in the template.")
    return found


_READERS: dict[str, Callable[[Value, Place, Tree], object]] = {
    "memory": _memory,
    "processes": _count("processes", 8, 100_000),
    "cpu_share": _count("cpu_share", 1, 10_000),
    "programs": _programs,
    "mounts": _mounts,
    "files": _files,
    "providers": _providers,
}
