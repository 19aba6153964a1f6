"""What a program inside a workspace sees: variables, directories, shell.

Owns the environment that every script, terminal and exec starts from, and the directories below the state directory.
"""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .manifest import Manifest

_VARIABLE = re.compile(r"\$(?:\{([^}]*)\}|([A-Za-z0-9_]+))")
_ARGUMENT_LIMIT = 120 * 1024  # the kernel takes 128 KiB in one argument


class Environment:
    """The variables of this workspace. ``state`` is the agent's private directory."""

    def __init__(self, state: str) -> None:
        self.state = state
        self.logs = os.path.join(state, "logs")
        self.recordings = os.path.join(state, "recordings")
        self.shims = os.path.join(state, "shims")
        self.script_bin = os.path.join(state, "bin")
        self.script_data = os.path.join(state, "data")
        self.control = os.path.join(state, "control.sock")
        self.directory = ""
        self._variables: dict[str, str] = {}
        for path in (self.logs, self.recordings, self.shims, self.script_bin, self.script_data):
            os.makedirs(path, 0o700, exist_ok=True)
        self.home = os.environ.get("HOME") or _home_of_user() or "/"
        self._variables = self._base(os.environ)

    def _base(self, given: Mapping[str, str]) -> dict[str, str]:
        variables = {"HOME": self.home, "LANG": "C.UTF-8", **given}
        variables["CODER"] = "true"
        variables["CODER_SCRIPT_BIN_DIR"] = self.script_bin
        variables["JUPYTER_TASKS_CONTROL"] = self.control
        path = variables.get("PATH") or "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        variables["PATH"] = f"{self.shims}:{self.script_bin}:{path}"
        return variables

    def adopt(self, manifest: Manifest, services: Mapping[str, int]) -> None:
        """Take the variables of a manifest; ``services`` are the loopback ports that were opened for it."""
        variables = self._base(os.environ)
        own = {
            "CODER_WORKSPACE_NAME": manifest.workspace_name,
            "CODER_WORKSPACE_AGENT_NAME": manifest.agent_name,
            "CODER_WORKSPACE_OWNER_NAME": manifest.workspace_owner,
        }
        if "coder" in services:
            own["CODER_AGENT_URL"] = f"http://127.0.0.1:{services['coder']}"
        if "gateway" in services:
            own["JUPYTER_TASKS_GATEWAY_URL"] = f"http://127.0.0.1:{services['gateway']}"
        variables.update(own)
        # as Coder: the process's own variables are what $NAME means in a manifest's value
        variables.update({key: expand(value, variables) for key, value in manifest.env.items()})
        variables["CODER_AGENT_TOKEN"] = manifest.token
        self._variables = variables
        self.directory = self.path(manifest.directory) if manifest.directory else self.home
        try:
            os.makedirs(self.directory, exist_ok=True)
        except OSError:
            pass

    def variables(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The variables of one program, with its own on top."""
        return {**self._variables, **(extra or {})}

    def path(self, name: str, base: str = "") -> str:
        """A path that a template wrote: ``~`` and variables expanded, relative to ``base`` (else home)."""
        name = expand(name, self._variables)
        if name == "~" or name.startswith("~/"):
            name = self.home + name[1:]
        return os.path.normpath(os.path.join(base or self.home, name))

    def cwd(self, wanted: str = "") -> str:
        """A directory to start in that exists: the wanted one, else the agent's, else home, else the root."""
        if wanted:
            return self.path(wanted, self.directory)
        for path in (self.directory, self.home):
            if path and os.path.isdir(path):
                return path
        return "/"

    def script(self, script: str, place: str) -> list[str]:
        """The command that runs a script as Coder's agent does: its ``#!`` line with ``-c``, else the user's shell.

        A script that is too long for an argument is written to the file ``place``.
        """
        stripped = script.strip()
        command = [self._shell()]
        if stripped.startswith("#!"):
            words = stripped.split("\n", 1)[0][2:].split()
            if words:
                command = words
        if len(script.encode("utf-8", "replace")) < _ARGUMENT_LIMIT:
            return [*command, "-c", script]
        with open(place, "w", encoding="utf-8", errors="replace", newline="") as file:
            file.write(script)
        return [*command, place]

    def _shell(self) -> str:
        for shell in (self._variables.get("SHELL", ""), "/bin/bash"):
            # not every login shell understands the scripts of templates
            if os.path.basename(shell) in {"bash", "zsh", "sh", "dash", "ksh"} and os.access(shell, os.X_OK):
                return shell
        return "/bin/sh"


def expand(text: str, variables: Mapping[str, str]) -> str:
    """``$NAME`` and ``${NAME}`` replaced as Go's os.ExpandEnv does: an unknown one becomes nothing."""
    return _VARIABLE.sub(lambda found: variables.get(found.group(1) or found.group(2) or "", ""), text)


def file_name(name: str) -> str:
    """A name from a manifest as a file name."""
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", name):
        return name
    return "x" + name.encode("utf-8", "replace").hex()[:180]


def _home_of_user() -> str:
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_dir
    except (ImportError, KeyError):
        return ""
