"""Module sources -> directories.

Owns what ``source = "…"`` may name: a directory of the template (``./x``), or a module that we ship
(``registry.coder.com/coder/<name>/coder``, also of ``coder-labs`` -> ``builtin/modules/<name>``). The registry protocol
is another ``ModuleSource``; nothing here reads the network.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from jupyter_tasks.templates.configuration import load_module
from jupyter_tasks.templates.hcl.diagnostics import Place, did_you_mean
from jupyter_tasks.templates.hcl.functions.registry import FunctionProblem
from jupyter_tasks.templates.hcl.nodes import Attribute, Literal
from jupyter_tasks.templates.tree import Tree, regular_files

__all__ = ["BuiltinModules", "ModuleLocation", "ModuleSource", "locate", "used_modules"]

_REGISTRY = re.compile(
    r"registry\.coder\.com/(?:modules/(?P<old>[\w-]+)/coder|(?:coder|coder-labs)/(?P<name>[\w-]+)/coder)"
)


@dataclass(frozen=True, slots=True)
class ModuleLocation:
    """Where a module's files are on this machine, and under which path of the tree they are seen."""

    directory: Path
    shown: str


class ModuleSource(Protocol):
    """Finds modules that are not part of the template."""

    def find(self, source: str, version: str) -> Path | None:
        """The directory of that module in a version that fits the constraint ("" for any), or None."""

    def known(self) -> Sequence[str]:
        """The sources that it has, for messages."""


class BuiltinModules:
    """The modules that we ship."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory or Path(__file__).parent / "builtin" / "modules"

    def find(self, source: str, version: str) -> Path | None:
        """The shipped module of that registry name; there is one version of each, which serves every constraint."""
        found = _REGISTRY.fullmatch(source)
        if not found:
            return None
        directory = self._directory / (found["name"] or found["old"])
        return directory if directory.is_dir() else None

    def known(self) -> Sequence[str]:
        """``registry.coder.com/coder/<name>/coder`` of each."""
        names = sorted(path.name for path in self._directory.iterdir() if (path / "main.tf").is_file())
        return [f"registry.coder.com/coder/{name}/coder" for name in names]


def used_modules(tree: Path, modules: ModuleSource) -> Mapping[str, Path]:
    """Source -> directory of every module outside of the template in ``tree`` that it names, and of those that these
    name in turn; sorted by source. What cannot be read is left out."""
    found: dict[str, Path] = {}
    waiting = [tree]
    while waiting:
        directory = waiting.pop()
        below = {Path(name).parent for name, _ in regular_files(directory) if name.endswith(".tf")}
        for part in below:
            for declared in load_module(directory / part, "").modules.values():
                attributes = declared.block.body.attributes
                source, version = (_literal(attributes.get(name)) for name in ("source", "version"))
                place = modules.find(source, version)
                if place is not None and source not in found:
                    found[source] = place
                    waiting.append(place)
    return dict(sorted(found.items()))


def _literal(attribute: Attribute | None) -> str:
    value = attribute.expression.value if attribute and isinstance(attribute.expression, Literal) else ""
    return value if isinstance(value, str) else ""


def locate(
    source: str, version: str, parent: str, address: str, tree: Tree, modules: ModuleSource, place: Place
) -> ModuleLocation:
    """Find the module that ``source`` names in the module shown at ``parent``. Raises: HclError at ``place``."""
    if source in (".", "..") or source.startswith(("./", "../")):
        shown = posixpath.normpath(posixpath.join(parent, source))
        try:
            directory = tree.resolve(shown)
        except FunctionProblem as problem:
            raise place.error("Module outside of the template", problem.message) from None
        if not directory.is_dir():
            raise place.error("Module not found", f"There is no directory {shown!r} in the template.")
        return ModuleLocation(directory, "" if shown == "." else shown)
    found = modules.find(source, version)
    if found is None:
        known = modules.known()
        raise place.error(
            "Module not available",
            f"The module {source!r} is neither a directory of this template nor shipped with Jupyter Tasks"
            f" ({', '.join(known) or 'which ships none'}).",
            suggestion=did_you_mean(source, known) or 'Copy it into the template and name it by "./path".',
        )
    shown = f".terraform/modules/{address}"
    tree.mount(shown, found)
    return ModuleLocation(found, shown)
