"""The templates that there are, and their versions.

Owns where templates are found (those that we ship, and ``share/jupyter/tasks/templates`` of Jupyter's data path,
read-only), their ids and descriptions. A version is its content: the id is made of the hash of the tree's files and of
the modules that it uses of ours, so that the same content is the same version and a change is another one.
"""

from __future__ import annotations

import hashlib
import re
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from jupyter_tasks.errors import NotFound
from jupyter_tasks.templates.analysis import Analysis, analyse
from jupyter_tasks.templates.hcl.diagnostics import did_you_mean
from jupyter_tasks.templates.modules import BuiltinModules, ModuleSource, used_modules
from jupyter_tasks.templates.tree import regular_files

__all__ = ["DirectoryLibrary", "Library", "Template", "default_library", "front_matter"]

_NAMESPACE = uuid.UUID("a3f1c6f2-6a53-5e1d-9e0b-3d5a6a3f7b10")
_NAME = re.compile(r"[a-z0-9](?:-?[a-z0-9])*")
_README_BYTES = 64 * 1024
_CACHED = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template in its current version. ``tree`` is its directory; ``builtin`` whether we ship it."""

    id: str
    name: str
    display_name: str
    description: str
    icon: str
    tree: Path
    version_id: str
    version_name: str
    builtin: bool


class Library(Protocol):
    """Where the tasks service finds templates."""

    def list(self) -> Sequence[Template]:
        """Every template, by name."""

    def get(self, name: str) -> Template:
        """The template of that name or id. Raises: NotFound with the names that there are."""

    def version(self, version_id: str) -> Template:
        """The template whose content is that version. Raises: NotFound when it has changed or is gone."""

    def analysis(self, template: Template, variables: Mapping[str, str] | None = None) -> Analysis:
        """What the template asks and shows, with these values of its variables; remembered for its version."""


@dataclass(frozen=True, slots=True)
class _Version:
    """A version as it was computed: of files in this state, and of these modules of ours."""

    id: str
    state: object
    modules: Mapping[str, Path]


class DirectoryLibrary:
    """Templates in directories: each folder of a ``places`` entry that holds a ``*.tf`` file is one.

    The earlier place wins where two have a template of one name. May be used from several threads.
    """

    def __init__(self, places: Iterable[tuple[Path, bool]], modules: ModuleSource | None = None) -> None:
        """``places`` are directories, each with whether its templates are those that we ship; ``modules`` finds the
        modules that are not part of a template (default: those that we ship)."""
        self._places = tuple(places)
        self._modules = modules or BuiltinModules()
        self._lock = threading.Lock()
        self._versions: dict[Path, _Version] = {}
        self._analyses: dict[object, Analysis] = {}

    def list(self) -> Sequence[Template]:
        """Every template, by name; directories that cannot be read are left out."""
        found: dict[str, Template] = {}
        for place, builtin in self._places:
            for tree in _trees(place):
                if tree.name not in found:
                    found[tree.name] = self._template(tree, builtin)
        return [found[name] for name in sorted(found)]

    def get(self, name: str) -> Template:
        """The template of that name or id. Raises: NotFound with the names that there are."""
        if _NAME.fullmatch(name):
            for place, builtin in self._places:
                if _is_template(tree := place / name):
                    return self._template(tree, builtin)
        templates = self.list()
        for template in templates:
            if template.id == name:
                return template
        names = [template.name for template in templates]
        hint = f"{did_you_mean(name, names)} Available templates: {', '.join(names) or 'none'}.".strip()
        raise NotFound(f'There is no template "{name}".', hint=hint)

    def version(self, version_id: str) -> Template:
        """The template whose content is that version. Raises: NotFound when it has changed or is gone."""
        for template in self.list():
            if template.version_id == version_id:
                return template
        raise NotFound(
            f"There is no template version {version_id}.",
            hint="The template was changed or removed; use its current version.",
        )

    def analysis(self, template: Template, variables: Mapping[str, str] | None = None) -> Analysis:
        """What the template asks and shows, with these values of its variables; remembered for its version."""
        key = (template.version_id, *sorted((variables or {}).items()))
        with self._lock:
            found = self._analyses.get(key)
        if found is None:
            found = analyse(
                template.tree, template_version_id=template.version_id, modules=self._modules, variables=variables
            )
            with self._lock:
                if len(self._analyses) >= _CACHED:
                    self._analyses.clear()
                self._analyses[key] = found
        return found

    def _template(self, tree: Path, builtin: bool) -> Template:
        about = front_matter(tree / "README.md")
        version_id = self._version_id(tree)
        return Template(
            id=str(uuid.uuid5(_NAMESPACE, f"template/{tree.name}")),
            name=tree.name,
            display_name=about.get("display_name") or tree.name,
            description=about.get("description", ""),
            icon=about.get("icon", ""),
            tree=tree,
            version_id=version_id,
            version_name=f"content-{version_id[:8]}",
            builtin=builtin,
        )

    def _version_id(self, tree: Path) -> str:
        with self._lock:
            known = self._versions.get(tree)
        if known is not None and _files(tree, known.modules)[0] == known.state:
            return known.id
        modules = used_modules(tree, self._modules)
        state, files = _files(tree, modules)
        digest = hashlib.sha256(tree.name.encode())
        for name, path in files:
            encoded = name.encode("utf-8", "surrogateescape")
            digest.update(len(encoded).to_bytes(4, "big") + encoded + _content_digest(path))
        version_id = str(uuid.uuid5(_NAMESPACE, f"version/{digest.hexdigest()}"))
        with self._lock:
            self._versions[tree] = _Version(version_id, state, modules)
        return version_id


def default_library() -> DirectoryLibrary:
    """The templates that we ship, then those of Jupyter's data path."""
    from jupyter_core.paths import jupyter_path

    places = [(Path(__file__).parent / "builtin", True)]
    places += [(Path(path), False) for path in jupyter_path("tasks", "templates")]
    return DirectoryLibrary(places)


def front_matter(readme: Path) -> dict[str, str]:
    """The simple ``key: value`` lines between the ``---`` lines at the top of a README; {} when there are none."""
    try:
        with readme.open("rb") as file:
            lines = file.read(_README_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return {}
    if not lines or lines[0].strip() != "---":
        return {}
    found: dict[str, str] = {}
    for line in lines[1:]:
        if line.strip() == "---":
            return found
        key, colon, value = line.partition(":")
        if colon and key and not key.startswith((" ", "#", "-")):
            text = value.strip()
            quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
            found[key.strip()] = text[1:-1] if quoted else text
    return {}


def _files(tree: Path, modules: Mapping[str, Path]) -> tuple[object, Sequence[tuple[str, Path]]]:
    """What tells whether anything has changed, and every file by the name that it has in the version."""
    places = [("", tree), *((f"{source}//", directory) for source, directory in modules.items())]
    found = [(prefix + name, place / name, about) for prefix, place in places for name, about in regular_files(place)]
    state = tuple((name, about.st_size, about.st_mtime_ns, about.st_ino) for name, _, about in found)
    return state, [(name, path) for name, path, _ in found]


def _content_digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.digest()


def _trees(place: Path) -> list[Path]:
    try:
        return sorted(path for path in place.iterdir() if _NAME.fullmatch(path.name) and _is_template(path))
    except OSError:
        return []


def _is_template(path: Path) -> bool:
    try:
        return path.is_dir() and any(item.name.endswith(".tf") for item in path.iterdir())
    except OSError:
        return False
