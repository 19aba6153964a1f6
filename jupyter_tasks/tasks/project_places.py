"""Which directories may be a project or be shown to a workspace, and which never.

Owns the rules about homes, system directories and places where keys or our own files lie. Looks at paths only.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jupyter_tasks.errors import InvalidInput
from jupyter_tasks.models import ProjectRequest
from jupyter_tasks.places import state_dir
from jupyter_tasks.tasks.project_secrets import in_secret_directory
from jupyter_tasks.templates.plan import Mount

__all__ = ["Places", "absolute"]

_WHOLE = tuple(
    map(Path, ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/run", "/sbin", "/sys"))
)
_THEMSELVES = frozenset(
    map(
        Path,
        ("/", "/home", "/media", "/mnt", "/opt", "/root", "/srv", "/tmp", "/usr", "/usr/local", "/usr/src", "/var"),  # noqa: S108
    )
) | {Path("/Users"), Path("/var/lib"), Path("/var/tmp")}  # noqa: S108
_HOMES = (Path("/home"), Path("/Users"))


def absolute(text: str, home: Path, base: Path | None) -> Path:
    """A path as a person writes it: "~" is ``home``, a relative one starts at ``base``. Links are kept.

    Raises: InvalidInput on one that is relative to nowhere, or empty.
    """
    if not text or "\0" in text:
        raise InvalidInput(f"{text!r} names no directory.", hint="Name a directory, or leave it out.")
    if text == "~" or text.startswith("~/"):
        text = os.fspath(home) + text[1:]
    path = Path(text)
    if not path.is_absolute():
        if base is None:
            raise InvalidInput(f"{text} is relative to an unknown directory.", hint="Name its whole path.")
        path = base / path
    return Path(os.path.normpath(path))


@dataclass(frozen=True, slots=True)
class Places:
    """What is private on this machine. ``own`` are directories of ours and of Jupyter's that never come along."""

    homes: tuple[Path, ...]
    own: tuple[Path, ...]

    @classmethod
    def of(cls, home: Path) -> Places:
        """Those of the user with this home."""
        from jupyter_core.paths import jupyter_config_dir, jupyter_runtime_dir

        homes = [home]
        with suppress(KeyError):  # a user without an entry, in containers
            homes.append(Path(pwd.getpwuid(os.getuid()).pw_dir))
        own = (state_dir(), Path(jupyter_runtime_dir()), Path(jupyter_config_dir()))
        return cls(tuple(dict.fromkeys(_real(each) for each in homes)), tuple(dict.fromkeys(map(_real, own))))

    def refusal(self, directory: Path) -> str | None:
        """Why this directory as a whole goes into no workspace, as the end of a sentence; None where it may.

        Args:
            directory: without links (``Path.resolve``).
        """
        for home in self.homes:
            if directory == home:
                return "is a home directory"
            if home.is_relative_to(directory) and directory != Path("/"):
                return f"holds the home directory {home}"
        if directory.parent in _HOMES:
            return "is a home directory"
        if directory in _THEMSELVES or any(directory.is_relative_to(top) for top in _WHOLE):
            return "is a directory of the system"
        for own in self.own:
            if directory.is_relative_to(own):
                return f"lies in {own}, where Jupyter and Jupyter Tasks keep their own files"
        for home in self.homes:
            if directory.is_relative_to(home) and in_secret_directory(os.fsencode(directory.relative_to(home))):
                return "is where programs keep their keys"
        return None

    def hidden_below(self, directory: Path) -> Sequence[Path]:
        """Our own directories that lie in this one; they never come along."""
        return [own for own in self.own if own.is_relative_to(directory)]

    def mounts(self, ask: ProjectRequest, home: Path) -> list[Mount]:
        """The directories that are to be seen read-only at their own path.

        Raises: InvalidInput for one that does not exist or may not be shown.
        """
        base = absolute(ask.directory, home, None) if ask.directory else None
        found: list[Mount] = []
        for text in ask.mounts:
            named = absolute(text, home, base)
            real = _real(named)
            if not real.is_dir():
                raise InvalidInput(
                    f"The directory {named} to be shown read-only does not exist.",
                    hint="Name an existing directory with its whole path (`--mount DIR`).",
                )
            why = self.refusal(real) or next(
                (f"holds {own}, which is private" for own in self.own if own.is_relative_to(real)), None
            )
            if why is not None:
                raise InvalidInput(
                    f"{named} cannot be shown to a workspace: it {why}.",
                    hint="Name the directory below it that holds the data (`--mount DIR`).",
                )
            mount = Mount(source=real, target=named)
            if mount not in found:
                found.append(mount)
        return found


def _real(path: Path) -> Path:
    """Where a path leads; itself where its links are a loop."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path
