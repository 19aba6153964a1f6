"""The real agent CLIs that tests drive: found, or installed once for all runs of this user.

Owns which versions are tried, and where they lie. They come from npm, with a Node of their own: with an older one npm
silently installs old versions.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from jupyter_tasks.errors import TasksError

__all__ = ["PINNED", "WHERE", "AgentClis", "NoAgentClis", "agent_clis"]

WHERE = "JUPYTER_TASKS_TEST_AGENTS"
"""Names the directory that holds the commands (``claude``, ``codex``, ``node`` …); nothing is installed then."""
NODE = "node@22.23.3"
PINNED = ("@anthropic-ai/claude-code@2.1.330", "@openai/codex@0.169.0", "opencode-ai@1.18.33")
"""What the screens in the tests were recorded with."""
_COMMANDS = ("claude", "codex", "opencode", "node")
_INSTALL_LIMIT = 600.0


class NoAgentClis(TasksError):
    """The agent CLIs are not here and could not be installed."""

    code = "no_agent_clis"


@dataclass(frozen=True)
class AgentClis:
    """A directory of commands."""

    directory: Path

    @cached_property
    def path(self) -> str:
        """``PATH`` for a process that uses them."""
        return f"{self.directory}:/usr/local/bin:/usr/bin:/bin"

    def command(self, name: str) -> Path:
        """The file that ``name`` runs."""
        return (self.directory / name).resolve()

    def version(self, name: str) -> str:
        """What the command says its version is; nothing where it does not run."""
        with tempfile.TemporaryDirectory() as home:
            done = subprocess.run(
                [str(self.directory / name), "--version"],
                env={"PATH": self.path, "HOME": home},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
            )
        return "" if done.returncode else done.stdout.strip()


def agent_clis() -> AgentClis:
    """The CLIs, installed where they are not yet.

    Raises: NoAgentClis with the reason.
    """
    named = os.environ.get(WHERE)
    directory = Path(named) if named else _installed()
    missing = [name for name in _COMMANDS if not (directory / name).exists()]
    if missing:
        raise NoAgentClis(f"{directory} has no {', '.join(missing)}.", hint=f"Set {WHERE} to where they are.")
    return AgentClis(directory)


def _installed() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    root = cache / "jupyter-tasks-tests" / "-".join(spec.rpartition("@")[2] for spec in (NODE, *PINNED))
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:  # xdist's workers and other runs share it
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = root / "done"
        if not done.exists():
            try:
                _install(root)
            except NoAgentClis:  # a registry that was out of reach for a moment
                _install(root)
            done.touch()
    return root / "node_modules" / ".bin"


def _install(root: Path) -> None:
    """All of them, from nothing. npm is content without what a command really runs: that is an optional dependency."""
    shutil.rmtree(root / "node_modules", ignore_errors=True)
    for name in ("package.json", "package-lock.json"):
        (root / name).unlink(missing_ok=True)
    _npm(root, os.environ.get("PATH", os.defpath), NODE)
    _npm(root, f"{root}/node_modules/.bin:{os.environ.get('PATH', os.defpath)}", *PINNED)
    clis = AgentClis(root / "node_modules" / ".bin")
    mute = [name for name in _COMMANDS if not ((clis.directory / name).exists() and clis.version(name))]
    if mute:
        raise NoAgentClis(f"npm installed {', '.join(mute)} without the program behind the command.")


def _npm(root: Path, path: str, *packages: str) -> None:
    """``npm install`` these there."""
    npm = shutil.which("npm")
    if npm is None:
        raise NoAgentClis("There is no npm.", hint=f"Install npm, or set {WHERE} to a directory with the commands.")
    command = [npm, "install", "--prefix", str(root), "--no-audit", "--no-fund", "--loglevel=error", *packages]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_INSTALL_LIMIT,
        )
    except subprocess.TimeoutExpired:
        raise NoAgentClis(f"npm did not install {', '.join(packages)} in {_INSTALL_LIMIT:.0f} s.") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise NoAgentClis(f"npm did not install {', '.join(packages)}: {said[0][:300]}")
