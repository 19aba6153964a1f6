"""The one entry: the workspace agent, or one of its shims.

python3 -I -S agent.pyz --socket PATH --state DIR     the agent; the link's token is the first line on stdin
python3 -I -S agent.pyz agentapi|coder|offline …      a shim, as the launchers on PATH call it
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run what the arguments say; exits with its status."""
    arguments = sys.argv[1:]
    if arguments and arguments[0] in ("agentapi", "coder", "offline"):
        from .shims import run

        sys.exit(run(arguments[0], arguments[1:]))
    sys.exit(_agent(arguments))


def _agent(arguments: list[str]) -> int:
    options = {"--socket": "", "--state": ""}
    rest = list(arguments)
    while rest:
        name, _, value = rest.pop(0).partition("=")
        if name not in options:
            return _usage(f"unknown argument {name}")
        if not value and rest:
            value = rest.pop(0)
        options[name] = value
    if not all(options.values()):
        return _usage("--socket and --state are needed")
    token = _first_line()
    if not token:
        return _usage("no token on stdin")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    try:
        from .daemon import Agent

        Agent(os.path.abspath(options["--state"])).run(os.path.abspath(options["--socket"]), token)
    except OSError as problem:
        sys.stderr.write(f"workspace agent: {problem}\n")
        return 1
    return 0


def _first_line() -> str:
    line = b""
    while len(line) < 4096:
        byte = os.read(0, 1)  # no more than the line: what follows on stdin is not ours
        if byte in (b"", b"\n"):
            break
        line += byte
    return line.decode("utf-8", "replace").strip()


def _usage(problem: str) -> int:
    sys.stderr.write(f"workspace agent: {problem}\nusage: agent --socket PATH --state DIR < token\n")
    return 2


if __name__ == "__main__":
    main()
