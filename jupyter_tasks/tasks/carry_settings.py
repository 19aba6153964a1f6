"""The files of the user's agent set-up that come along only in part.

Owns which settings of Claude Code mean the same inside a workspace and hold no secret, and the two lines of a git
configuration that say who somebody is. Everything here blocks.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

__all__ = ["claude_settings", "git_identity"]

_SIZE = 1 << 20
_PLAIN = (
    "alwaysThinkingEnabled",
    "attribution",
    "autoCompactEnabled",
    "effortLevel",
    "includeCoAuthoredBy",
    "language",
    "model",
    "outputStyle",
    "respectGitignore",
    "spinnerTipsEnabled",
    "theme",
    "verbose",
)
_ENVIRONMENT = (
    "BASH_DEFAULT_TIMEOUT_MS",
    "BASH_MAX_OUTPUT_LENGTH",
    "BASH_MAX_TIMEOUT_MS",
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
    "MAX_MCP_OUTPUT_TOKENS",
    "MAX_THINKING_TOKENS",
)


def claude_settings(home: Path) -> bytes | None:
    """``~/.claude/settings.json`` with what may come along; None when nothing is left.

    Hooks, status lines, key helpers and MCP servers stay behind, since they name programs of the user's machine; so do
    environment variables but for some numbers, and the list of allowed commands, which often holds a key that was
    once typed. What is denied stays denied.
    """
    top = Path(os.path.realpath(home / ".claude"))
    path = Path(os.path.realpath(top / "settings.json"))
    if not path.is_relative_to(top):
        return None
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            settings = json.loads(file.read(_SIZE))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(settings, dict):
        return None
    kept = {name: settings[name] for name in _PLAIN if name in settings and _is_plain(settings[name])}
    permissions = settings.get("permissions")
    denied = permissions.get("deny") if isinstance(permissions, dict) else None
    if isinstance(denied, list) and denied:
        kept["permissions"] = {"deny": [rule for rule in denied if isinstance(rule, str)]}
    variables = settings.get("env")
    if isinstance(variables, dict):
        numbers = {name: str(variables[name]) for name in _ENVIRONMENT if str(variables.get(name, "")).isdecimal()}
        if numbers:
            kept["env"] = numbers
    return json.dumps(kept, indent=2).encode() + b"\n" if kept else None


def _is_plain(value: object) -> bool:
    """Whether a setting is what it should be: a word, a number, a switch, or an object of such."""
    if isinstance(value, dict):
        return all(isinstance(item, (str, bool)) and len(str(item)) <= 500 for item in value.values())
    return isinstance(value, (bool, int, float)) or (isinstance(value, str) and len(value) <= 200)


def git_identity(home: Path) -> bytes | None:
    """A git configuration with the user's name and mail and nothing else; None when git knows neither."""
    kept = ("PATH", "LANG", "LC_ALL", "XDG_CONFIG_HOME")
    environment = {name: os.environ[name] for name in kept if name in os.environ} | {"HOME": str(home)}
    if home != Path.home():
        environment.pop("XDG_CONFIG_HOME", None)
    command = ["git", "config", "--global", "--includes", "-z", "--get-regexp", r"^user\.(name|email)$"]
    try:
        done = subprocess.run(
            command, env=environment, cwd="/", capture_output=True, timeout=5, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found: dict[str, str] = {}
    for entry in done.stdout[:_SIZE].decode("utf-8", "replace").split("\0"):
        name, _, value = entry.partition("\n")
        plain = "".join(character for character in value if character.isprintable()).strip()
        if name in ("user.name", "user.email") and plain:
            found[name.partition(".")[2]] = plain[:300]  # the last one counts, as for git
    if not found:
        return None
    lines = [f"\t{name} = {_quoted(found[name])}" for name in ("name", "email") if name in found]
    return "\n".join(["[user]", *lines, ""]).encode()


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
