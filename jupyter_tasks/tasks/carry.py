"""What of the user's own agent set-up comes along into a workspace, as a copy.

Owns the list of what may (instructions, skills, commands, sub-agents, a few settings, the git identity) and its bounds.
Everything else stays behind, keys and logins before all: a file that looks like one is left out wherever it lies, and
so is what a link brings in from outside of the set-up's own directory. Everything here blocks.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_tasks.errors import InvalidInput, WorkspaceFailed
from jupyter_tasks.tasks.carry_settings import claude_settings, git_identity
from jupyter_tasks.tasks.project_secrets import in_secret_directory, likely_secret
from jupyter_tasks.templates.hcl.diagnostics import did_you_mean

__all__ = ["NAMES", "Carry", "survey_carry"]

MOST_FILES = 2_000
MOST_BYTES = 32 << 20
"""Of one name; what is larger is left out as a whole."""
_DEPTH = 12

_Made = Callable[[Path], "bytes | None"]


@dataclass(frozen=True, slots=True)
class _Source:
    """One place of the set-up: ``path`` in the home, below the directory ``top``; or ``make`` for a made file."""

    top: str
    path: str
    make: _Made | None = None


_SOURCES: Mapping[str, Sequence[_Source]] = {
    "CLAUDE.md": (_Source(".claude", ".claude/CLAUDE.md"),),
    "AGENTS.md": (
        _Source(".codex", ".codex/AGENTS.md"),
        _Source(".config/opencode", ".config/opencode/AGENTS.md"),
    ),
    "skills": (_Source(".claude", ".claude/skills"), _Source(".codex", ".codex/skills")),
    "commands": (
        _Source(".claude", ".claude/commands"),
        _Source(".config/opencode", ".config/opencode/command"),
        _Source(".config/opencode", ".config/opencode/commands"),
    ),
    "agents": (
        _Source(".claude", ".claude/agents"),
        _Source(".config/opencode", ".config/opencode/agent"),
        _Source(".config/opencode", ".config/opencode/agents"),
    ),
    "prompts": (_Source(".codex", ".codex/prompts"),),
    "settings": (_Source(".claude", ".claude/settings.json", claude_settings),),
    "git identity": (_Source("", ".gitconfig", git_identity),),
}

NAMES = tuple(_SOURCES)
"""What can be carried."""


@dataclass(frozen=True, slots=True)
class _Item:
    """A file to write: its path in the new home, its content or where to read it, and whether it can be run."""

    path: str
    source: Path | None = None
    content: bytes = b""
    runs: bool = False


@dataclass(frozen=True, slots=True)
class Carry:
    """What there is to carry. ``names`` are those of ``NAMES`` that something was found for; ``left_out`` says of
    each path in the home that stays behind why."""

    names: Sequence[str]
    left_out: Mapping[str, str]
    _items: Sequence[_Item] = field(default=(), repr=False)

    def fill(self, home: Path) -> None:
        """Write it into a home that is being made; what is there already stays. Raises: WorkspaceFailed."""
        for item in self._items:
            try:
                content = item.content if item.source is None else _read(item.source)
            except OSError:
                continue  # gone or locked since it was looked at
            try:
                _write(home, item.path, content, 0o700 if item.runs else 0o600)
            except FileExistsError:
                continue
            except OSError as error:
                raise WorkspaceFailed(
                    "Your agent's set-up could not be copied into the workspace.",
                    detail=f"({item.path}: {error.strerror})",
                    hint="Free some space, or leave it out: --no-carry.",
                ) from error


def survey_carry(home: Path, wanted: Sequence[str] | None) -> Carry:
    """Look what is there; makes nothing.

    Args:
        home: the user's own home.
        wanted: names of ``NAMES``, [] for nothing, None for all.
    Raises: InvalidInput for an unknown name.
    """
    for name in wanted or ():
        if name not in _SOURCES:
            raise InvalidInput(
                f'There is nothing called "{name}" to carry.',
                hint=f"{did_you_mean(name, NAMES)} Known are: {', '.join(NAMES)}.".strip(),
            )
    names: list[str] = []
    items: list[_Item] = []
    left_out: dict[str, str] = {}
    for name in NAMES if wanted is None else dict.fromkeys(wanted):
        found = [item for source in _SOURCES[name] for item in _look(home, source, left_out)]
        if found:
            names.append(name)
            items += found
    return Carry(tuple(names), left_out, tuple(items))


def _look(home: Path, source: _Source, left_out: dict[str, str]) -> list[_Item]:
    """The files of one place; none (and the reason) when there is too much."""
    if source.make is not None:
        made = source.make(home)
        return [_Item(source.path, content=made)] if made else []
    top = Path(os.path.realpath(home / source.top))
    found: list[_Item] = []
    size = 0
    for item, length in _walk(home / source.path, source.path, top, left_out, ()):
        found.append(item)
        size += length
        if len(found) > MOST_FILES or size > MOST_BYTES:
            left_out[source.path] = f"it is over {MOST_FILES:,} files or {MOST_BYTES >> 20} MiB"
            return []
    return found


def _walk(
    path: Path, shown: str, top: Path, left_out: dict[str, str], above: tuple[Path, ...]
) -> Iterator[tuple[_Item, int]]:
    """Every regular file at or below ``path`` that may come along, with its size. ``above`` are the directories on the
    way here."""
    real = Path(os.path.realpath(path))
    try:
        about = real.stat()
    except OSError as error:
        if path.is_symlink():
            left_out[shown] = f"the link leads nowhere ({error.strerror})"
        return
    if not real.is_relative_to(top):
        left_out[shown] = "the link leads out of the set-up's directory"
    elif stat.S_ISREG(about.st_mode):
        names = [os.fsencode(name) for name in (shown, str(real.relative_to(top)))]
        if any(likely_secret(name) or in_secret_directory(name) or _login(name) for name in names):
            left_out[shown] = "it looks like a key or a login"
        elif os.access(real, os.R_OK):
            yield _Item(shown, real, runs=bool(about.st_mode & 0o100)), about.st_size
        else:
            left_out[shown] = "it cannot be read"
    elif stat.S_ISDIR(about.st_mode):
        if real in above or len(above) >= _DEPTH:
            left_out[shown] = "the links go round in a loop" if real in above else "it lies too deep"
            return
        try:
            entries = sorted(os.listdir(real))  # noqa: PTH208 - names only
        except OSError:
            left_out[shown] = "it cannot be read"
            return
        for name in entries:
            if not name.startswith(".") and name not in {"node_modules", "__pycache__"}:
                yield from _walk(real / name, f"{shown}/{name}", top, left_out, (*above, real))


def _login(path: bytes) -> bool:
    """Whether agents keep their logins under such a name."""
    last = path.rsplit(b"/", 1)[-1]
    return last in {b"auth.json", b".credentials.json", b"settings.local.json", b"history.jsonl"}


def _read(path: Path) -> bytes:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{path} is no regular file")
        return file.read(MOST_BYTES)


def _write(home: Path, name: str, content: bytes, mode: int) -> None:
    """Write a new file, no link followed on the way. Raises: OSError; FileExistsError when it is there already."""
    *directories, last = name.split("/")
    below = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for directory in directories:
            with contextlib.suppress(FileExistsError):
                os.mkdir(directory, 0o700, dir_fd=below)
            inner = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=below)
            os.close(below)
            below = inner
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(last, flags, mode, dir_fd=below), "wb") as file:
            file.write(content)
    finally:
        os.close(below)
