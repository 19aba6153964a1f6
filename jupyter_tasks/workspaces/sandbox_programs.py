"""Where a program really lives, and what of this machine it needs to run.

Owns following a name to the files behind it: symbolic links, ``#!`` lines, Python environments (venv, conda, pyenv,
uv, pipx) and npm packages. Answers with the fewest directories that make it run. Reads only the caller's own machine.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_tasks.errors import InvalidInput, ProgramMissing
from jupyter_tasks.workspaces.sandbox_node import node_dependencies

__all__ = ["SYSTEM", "Needs", "base_python", "is_system", "plain", "python_needs", "resolve_programs"]

SYSTEM = tuple(map(Path, ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")))
"""What every workspace sees, read-only."""

_STORES = tuple(map(Path, ("/nix/store", "/gnu/store")))  # everything in them is public and needs everything else
_MAX_HOPS = 32


@dataclass(slots=True)
class Needs:
    """What has to be visible: ``paths`` (real files, directories), ``links`` (symlink -> target), ``bin`` for PATH."""

    paths: set[Path] = field(default_factory=set)
    links: dict[Path, Path] = field(default_factory=dict)
    bin: list[Path] = field(default_factory=list)

    def add_path(self, path: Path) -> None:
        """Show ``path``, and also under its own name where links lead to it."""
        real = path.resolve()
        if not is_system(real):
            self.paths.add(_store_of(real) or real)
        if real != path and not is_system(path):
            self.links[path] = real

    def add_bin(self, directory: Path) -> None:
        """Put ``directory`` on the PATH inside, once."""
        if directory not in self.bin:
            self.bin.append(directory)


def plain(path: Path) -> Path:
    """``path`` absolute, without "~" and "..", its links kept."""
    return Path(os.path.normpath(path.expanduser().absolute()))


def is_system(path: Path) -> bool:
    """Whether every workspace sees ``path`` anyway."""
    return any(path.is_relative_to(top) for top in SYSTEM)


def _store_of(path: Path) -> Path | None:
    return next((store for store in _STORES if path.is_relative_to(store)), None)


def base_python(prefix: Path) -> Path:
    """The interpreter prefix below a virtual environment (which may itself be one); the prefix itself elsewhere.

    Reads ``pyvenv.cfg``: its ``home`` is the directory of the interpreter that made the environment.
    """
    for _ in range(_MAX_HOPS):
        try:
            text = (prefix / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return prefix
        settings = dict(line.partition("=")[::2] for line in text.splitlines())
        home = next((value.strip() for key, value in settings.items() if key.strip() == "home"), "")
        if not home:
            return prefix
        above = Path(home)
        prefix = above.parent if above.name in {"bin", "Scripts"} else above
    return prefix


def python_needs(prefix: Path, needs: Needs, *, private: Iterable[Path]) -> None:
    """Add a Python environment, its base and the interpreters that its links lead to.

    Raises: InvalidInput when one of ``private`` (the home, our state) lies inside the environment.
    """
    prefix = plain(prefix)
    for one in dict.fromkeys((prefix, base_python(prefix))):
        _refuse_wide(one, private)
        needs.add_path(one)
        for name in ("python", "python3"):
            _follow(one / "bin" / name, needs, private)


def _follow(path: Path, needs: Needs, private: Iterable[Path]) -> None:
    """Make every hop of a chain of interpreter links visible (pyenv, uv and Homebrew put links between)."""
    for _ in range(_MAX_HOPS):
        if not path.is_symlink():
            return
        path = Path(os.path.normpath(path.parent / path.readlink()))
        if is_system(path) or path.parent.name != "bin":
            return
        prefix = path.parent.parent
        if not any(prefix.is_relative_to(seen) for seen in needs.paths):
            _refuse_wide(prefix, private)
            needs.add_path(prefix)


def _refuse_wide(directory: Path, private: Iterable[Path]) -> None:
    """Raises: InvalidInput when showing ``directory`` would show something private."""
    real = directory.resolve()
    for one in private:
        if one.resolve().is_relative_to(real):
            raise InvalidInput(
                f"{directory} cannot be shown to a workspace, because {one} lies in it.",
                hint="Use a virtual environment in a directory of its own.",
            )


def resolve_programs(names: Sequence[str], search: str, needs: Needs, *, private: Iterable[Path]) -> None:
    """Find every program on the PATH ``search`` and add what it needs.

    Raises: ProgramMissing for the first that is not there.
    """
    for name in names:
        _add_program(name, search, needs, tuple(private), 0)


def _add_program(name: str, search: str, needs: Needs, private: tuple[Path, ...], depth: int) -> None:
    found = shutil.which(Path(name).expanduser(), path=search)
    if found is None:
        raise ProgramMissing(
            f"The program {name} is not installed: it is not on your PATH.",
            hint=f"Install {name} so that `command -v {name}` finds it in the shell or Jupyter server you use, "
            "or choose another template.",
        )
    path = plain(Path(found))
    if not is_system(path) and (depth == 0 or os.sep not in name):  # not for an interpreter named by its path
        needs.add_bin(path.parent)
    _add_file(path, search, needs, private, depth)


def _add_file(path: Path, search: str, needs: Needs, private: tuple[Path, ...], depth: int) -> None:
    real = path.resolve()
    if not is_system(path) and real != path:
        needs.links[path] = real
    if is_system(real) or depth > 4 or any(real.is_relative_to(seen) for seen in needs.paths):
        return
    top = _package(real)
    if top is not None:
        _refuse_wide(top, private)
        if (top / "pyvenv.cfg").is_file():
            python_needs(top, needs, private=private)
    needs.add_path(top or real)
    if top is not None and "node_modules" in top.parts:
        for directory in node_dependencies(top):
            needs.add_path(directory)
    _add_interpreter(real, search, needs, private, depth)


def _package(program: Path) -> Path | None:
    """The directory that belongs to ``program`` as a whole; None when the file stands alone."""
    parts = program.parts
    for marker in (".pnpm", "node_modules"):
        if marker in parts:
            at = len(parts) - 1 - parts[::-1].index(marker) if marker == "node_modules" else parts.index(marker)
            if marker == ".pnpm":
                return Path(*parts[: at + 1])
            return Path(*parts[: at + (3 if parts[at + 1].startswith("@") else 2)])
    if program.parent.name == "bin":
        prefix = program.parent.parent
        if (prefix / "pyvenv.cfg").is_file() or (prefix / "conda-meta").is_dir():
            return prefix
    if parts[1] == "opt" and len(parts) > 3:
        return Path(*parts[:3])
    return None


def _add_interpreter(program: Path, search: str, needs: Needs, private: tuple[Path, ...], depth: int) -> None:
    try:
        with program.open("rb") as file:
            first = file.readline(512)
    except OSError as error:
        raise ProgramMissing(
            f"The program {program} cannot be read: {error.strerror}.", hint="Check its permissions."
        ) from error
    if not first.startswith(b"#!"):
        return
    words = shlex.split(first[2:].decode("utf-8", "replace"))
    if not words:
        return
    if Path(words[0]).name == "env":
        # env [-S] [NAME=value …] program
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    if not words:
        return
    # a program's own directory counts: nvm and friends put node beside the scripts that it runs
    beside = os.pathsep.join([*map(str, needs.bin), search])
    _add_program(words[0], beside, needs, private, depth + 1)
