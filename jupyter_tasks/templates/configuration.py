"""The ``*.tf`` files of one directory, sorted by what they declare.

Owns which top-level blocks exist and what is inside those of the language itself (variable, output, locals, module);
resources are only indexed here, their content is the provider's. Nothing is evaluated but constant defaults of types.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from jupyter_tasks.errors import Diagnostic
from jupyter_tasks.templates.hcl.diagnostics import HclError, did_you_mean
from jupyter_tasks.templates.hcl.nodes import Attribute, Block, Body
from jupyter_tasks.templates.hcl.syntax import MAX_BYTES, decode, parse

__all__ = ["ModuleConfig", "ModuleDeclaration", "ResourceDeclaration", "load_module"]

_LABELS = {
    "terraform": 0,
    "provider": 1,
    "variable": 1,
    "locals": 0,
    "output": 1,
    "module": 1,
    "resource": 2,
    "data": 2,
    "moved": 0,
    "import": 0,
    "removed": 0,
    "check": 1,
}
_VARIABLE = frozenset({"type", "default", "description", "sensitive", "nullable", "ephemeral", "deprecated"})
_Item = TypeVar("_Item")
_OUTPUT = frozenset({"value", "description", "sensitive", "depends_on", "ephemeral", "deprecated"})


@dataclass(frozen=True, slots=True)
class ResourceDeclaration:
    """A ``resource`` or ``data`` block (``mode`` "managed" or "data")."""

    mode: str
    type: str
    name: str
    block: Block

    @property
    def address(self) -> str:
        """``type.name``, or ``data.type.name``."""
        return f"{'data.' if self.mode == 'data' else ''}{self.type}.{self.name}"


@dataclass(frozen=True, slots=True)
class ModuleDeclaration:
    """A ``module`` block."""

    name: str
    block: Block


@dataclass(slots=True)
class ModuleConfig:
    """One module's declarations by name, in the order of files and lines. Not changed once it is loaded."""

    directory: str
    variables: dict[str, Block] = field(default_factory=dict)
    locals: dict[str, Attribute] = field(default_factory=dict)
    outputs: dict[str, Block] = field(default_factory=dict)
    modules: dict[str, ModuleDeclaration] = field(default_factory=dict)
    resources: dict[str, ResourceDeclaration] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)


@lru_cache(maxsize=256)
def _parsed(name: str, data: bytes) -> Body:
    return parse(decode(name, data))


def load_module(directory: Path, shown: str) -> ModuleConfig:
    """Read every ``*.tf`` file of ``directory``; ``shown`` is how diagnostics name the directory ("" for the root).

    Findings are in ``diagnostics`` of the result: everything readable is there beside them.
    """
    config = ModuleConfig(shown)
    for path in _files(directory, config, shown):
        name = f"{shown}/{path.name}" if shown else path.name
        try:
            body = _parsed(name, _read(path))
            _declare(body, config)
        except HclError as problem:
            config.diagnostics += problem.diagnostics
        except OSError as problem:
            config.diagnostics.append(
                Diagnostic(severity="error", summary="File cannot be read", detail=str(problem.strerror), file=name)
            )
    return config


def _read(path: Path) -> bytes:
    """The file's bytes, one more than are read at most. Raises: OSError, also for what is no regular file."""
    if not path.is_file():
        raise OSError(errno.EINVAL, "It is not a regular file")
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _files(directory: Path, config: ModuleConfig, shown: str) -> Iterator[Path]:
    found = sorted(path for path in directory.iterdir() if not path.name.startswith("."))
    plain = [path for path in found if path.name.endswith(".tf")]
    for path in found:
        other = path.name.endswith(".tf.json")
        if other or path.name == "override.tf" or path.name.endswith("_override.tf"):
            what = "JSON syntax" if other else "An override file"
            config.diagnostics.append(
                Diagnostic(
                    severity="error",
                    summary="Unsupported configuration file",
                    detail=f"{what} is not supported.",
                    file=f"{shown}/{path.name}" if shown else path.name,
                    suggestion="Write the configuration into an ordinary .tf file.",
                )
            )
    for path in plain:
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory)):
            config.diagnostics.append(
                Diagnostic(
                    severity="error",
                    summary="File outside of the template",
                    detail="This link leads out of the template.",
                    file=path.name,
                )
            )
        elif path.name != "override.tf" and not path.name.endswith("_override.tf"):
            yield path


def _declare(body: Body, config: ModuleConfig) -> None:
    for attribute in body.attributes.values():
        config.diagnostics += attribute.place.error(
            "Unsupported argument", f'An argument named "{attribute.name}" is not expected here.'
        ).diagnostics
    for block in body.blocks:
        count = _LABELS.get(block.type)
        if count is None:
            config.diagnostics += block.place.error(
                "Unsupported block type",
                f'Blocks of type "{block.type}" are not expected here.',
                suggestion=did_you_mean(block.type, _LABELS),
            ).diagnostics
        elif len(block.labels) != count:
            config.diagnostics += block.place.error(
                "Wrong number of labels", f"A {block.type} block has {count} label(s), not {len(block.labels)}."
            ).diagnostics
        elif block.type in _DECLARE:
            _DECLARE[block.type](block, config)


def _locals(block: Block, config: ModuleConfig) -> None:
    for name, attribute in block.body.attributes.items():
        if name in config.locals:
            config.diagnostics += attribute.place.error(
                "Duplicate local value definition", f'A local value named "{name}" was already defined.'
            ).diagnostics
        config.locals.setdefault(name, attribute)


def _variable(block: Block, config: ModuleConfig) -> None:
    _check(block, config, _VARIABLE, ("validation",))
    _add(config.variables, block.labels[0].text, block, block, config)


def _output(block: Block, config: ModuleConfig) -> None:
    _check(block, config, _OUTPUT, ("precondition",))
    if "value" not in block.body.attributes:
        config.diagnostics += block.place.error(
            "Missing required argument", 'The argument "value" is required.'
        ).diagnostics
    _add(config.outputs, block.labels[0].text, block, block, config)


def _module(block: Block, config: ModuleConfig) -> None:
    name = block.labels[0].text
    _add(config.modules, name, ModuleDeclaration(name, block), block, config)


def _resource(block: Block, config: ModuleConfig) -> None:
    mode = "data" if block.type == "data" else "managed"
    declared = ResourceDeclaration(mode, block.labels[0].text, block.labels[1].text, block)
    _add(config.resources, declared.address, declared, block, config)


def _add(table: dict[str, _Item], name: str, item: _Item, block: Block, config: ModuleConfig) -> None:
    if name in table:
        config.diagnostics += block.place.error(
            f"Duplicate {block.type} definition", f'A {block.type} named "{name}" was already declared.'
        ).diagnostics
    table.setdefault(name, item)


def _check(block: Block, config: ModuleConfig, arguments: frozenset[str], blocks: tuple[str, ...]) -> None:
    for name, attribute in block.body.attributes.items():
        if name not in arguments:
            config.diagnostics += attribute.place.error(
                "Unsupported argument",
                f'An argument named "{name}" is not expected in a {block.type} block.',
                suggestion=did_you_mean(name, arguments),
            ).diagnostics
    for inner in block.body.blocks:
        if inner.type not in blocks:
            config.diagnostics += inner.place.error(
                "Unsupported block type", f'Blocks of type "{inner.type}" are not expected in a {block.type} block.'
            ).diagnostics


_DECLARE: dict[str, Callable[[Block, ModuleConfig], None]] = {
    "locals": _locals,
    "variable": _variable,
    "output": _output,
    "module": _module,
    "resource": _resource,
    "data": _resource,
}
