"""A survey as JSON for the store, and back.

Owns that form. Paths need not be UTF-8 and JSON in the store has to be: such a path is written as "hex:…".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_tasks.models import ProjectInfo
from jupyter_tasks.tasks.project_listing import Wanted
from jupyter_tasks.tasks.project_repository import Repository
from jupyter_tasks.templates.plan import Mount

if TYPE_CHECKING:
    from jupyter_tasks.tasks.project import Survey

__all__ = ["from_json", "root_from_json", "to_json"]

_VERSION = 1


def to_json(survey: Survey) -> dict[str, Any]:
    """Everything that was decided."""
    wanted = survey.wanted
    return {
        "version": _VERSION,
        "subdirectory": _text(survey.subdirectory),
        "objects": [_text(each) for each in survey.objects],
        "shown": [_mount(each) for each in survey.shown],
        "identity": survey.identity,
        "home": _text(survey.home),
        "info": survey.info().model_dump(mode="json"),
        "wanted": None if wanted is None else _wanted(wanted),
    }


def _wanted(wanted: Wanted) -> dict[str, Any]:
    repository = wanted.repository
    return {
        "root": _text(wanted.root),
        "files": [_text(each) for each in wanted.files],
        "mounts": [_mount(each) for each in wanted.mounts],
        "hidden": [_text(each) for each in wanted.hidden],
        "large": wanted.large,
        "repository": None
        if repository is None
        else {
            "top": _text(repository.top),
            "git_dir": _text(repository.git_dir),
            "common": _text(repository.common),
            "sha256": repository.sha256,
            "shallow": repository.shallow,
        },
    }


def from_json(kept: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a ``Survey``. Raises: ValueError, KeyError, TypeError."""
    if kept["version"] != _VERSION:
        raise ValueError(f"a survey of version {kept['version']!r}")
    wanted = kept["wanted"]
    return {
        "wanted": None if wanted is None else _unwrap(wanted),
        "subdirectory": _path(kept["subdirectory"]),
        "objects": tuple(Path(_path(each)) for each in kept["objects"]),
        "shown": tuple(map(_unmount, kept["shown"])),
        "identity": bool(kept["identity"]),
        "home": Path(_path(kept["home"])),
        "told": ProjectInfo.model_validate(kept["info"]),
    }


def root_from_json(kept: Mapping[str, Any]) -> Path | None:
    """The project alone, where there is one. Raises: ValueError, KeyError, TypeError."""
    return None if kept["wanted"] is None else Path(_path(kept["wanted"]["root"]))


def _unwrap(kept: Mapping[str, Any]) -> Wanted:
    repository = kept["repository"]
    return Wanted(
        root=Path(_path(kept["root"])),
        files=tuple(_path(each) for each in kept["files"]),
        mounts=tuple(map(_unmount, kept["mounts"])),
        hidden=tuple(Path(_path(each)) for each in kept["hidden"]),
        large=bool(kept["large"]),
        repository=None
        if repository is None
        else Repository(
            top=Path(_path(repository["top"])),
            git_dir=Path(_path(repository["git_dir"])),
            common=Path(_path(repository["common"])),
            sha256=bool(repository["sha256"]),
            shallow=bool(repository["shallow"]),
        ),
    )


def _mount(mount: Mount) -> list[str]:
    return [_text(mount.source), _text(mount.target)]


def _unmount(kept: list[str]) -> Mount:
    source, target = kept
    return Mount(source=Path(_path(source)), target=Path(_path(target)))


def _text(path: str | Path) -> str:
    raw = os.fsencode(path)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return f"hex:{raw.hex()}"
    return f"hex:{raw.hex()}" if text.startswith("hex:") else text


def _path(text: str) -> str:
    return os.fsdecode(bytes.fromhex(text[4:])) if text.startswith("hex:") else text
