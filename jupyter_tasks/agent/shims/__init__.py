"""Programs that the agent puts on PATH inside: ``coder``, ``agentapi``, ``jupyter-tasks-offline-agent``.

Owns the launchers (three lines of sh each, written at the agent's start) and which module each runs.
"""

from __future__ import annotations

import os
import sys

LAUNCHERS = {"agentapi": "agentapi", "coder": "coder", "jupyter-tasks-offline-agent": "offline"}


def run(name: str, arguments: list[str]) -> int:
    """Run a shim. Returns: its exit status."""
    if name == "agentapi":
        from .agentapi import main as shim
    elif name == "coder":
        from .coder import main as shim
    else:
        return _offline(arguments)
    return shim(arguments)


def _offline(arguments: list[str]) -> int:
    try:
        # in the archive it is a package beside this one; in a checkout, one below it
        if __package__ == "agent.shims":
            from offline import main  # type: ignore[import-not-found, unused-ignore]
        else:
            from jupyter_tasks.agent.offline import main
    except ImportError:
        sys.stderr.write("the offline agent is not part of this installation\n")
        return 127
    return int(main(arguments))


def install(directory: str, early: str = "") -> None:
    """Write the launchers into ``directory``; each runs this very interpreter and these very files. ``early`` is the
    pipe that ``agentapi`` announces itself on before that (``agent.early``)."""
    place = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    package = __name__.rpartition(".")[0]
    for _ in package.split("."):
        place = os.path.dirname(place)
    code = f"import sys; sys.path.insert(0, {place!r}); from {package}.__main__ import main; main()"
    for name, shim in LAUNCHERS.items():
        path = os.path.join(directory, name)
        hint = f"[ -p {_quote(early)} ] && echo $$ 1<>{_quote(early)}\n" if early and shim == "agentapi" else ""
        script = f'#!/bin/sh\n{hint}exec {_quote(sys.executable)} -I -S -c {_quote(code)} {shim} "$@"\n'
        with open(path + ".new", "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(script)
        os.chmod(path + ".new", 0o700)
        os.replace(path + ".new", path)


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
