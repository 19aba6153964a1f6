"""``coder``: the subcommands of Coder's CLI that scripts inside a workspace call.

Owns the command line. ``stat``, ``exp mcp server``, ``exp mcp configure``, ``exp sync`` and ``exp task report``;
anything else is refused by name, so that a module which needs more says so in its log.
"""

from __future__ import annotations

import sys

from ..wire import Refused
from .control import Control

USAGE = """usage:
  coder stat cpu|mem|disk [--host] [--path DIR] [-o json]
  coder exp mcp server
  coder exp mcp configure claude-code|claude-desktop|cursor [DIRECTORY]
  coder exp sync want UNIT NEEDED…  |  start UNIT  |  complete UNIT  |  status UNIT
  coder exp task report --state working|idle|complete|failure --summary TEXT [--link URL]
"""


def main(arguments: list[str]) -> int:
    """Run ``coder ARGUMENTS``. Returns: its exit status."""
    if arguments[:1] == ["stat"]:
        from .stat import main as stat

        return stat(arguments[1:])
    if arguments[:3] == ["exp", "mcp", "server"]:
        return _mcp(arguments[3:])
    if arguments[:3] == ["exp", "mcp", "configure"]:
        from .mcp_configure import main as configure

        return configure(arguments[3:])
    if arguments[:2] == ["exp", "sync"] and len(arguments) > 2:
        return _sync(arguments[2], arguments[3:])
    if arguments[:3] == ["exp", "task", "report"]:
        return _report(arguments[3:])
    if arguments[:1] in (["--version"], ["version"]):
        sys.stdout.write("Coder (Jupyter Tasks)\n")
        return 0
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write(USAGE)
        return 0
    sys.stderr.write(f"coder {' '.join(arguments[:3])}: not available in a workspace of Jupyter Tasks\n{USAGE}")
    return 2


def _mcp(arguments: list[str]) -> int:
    import os

    from .mcp import serve

    flags = {
        "--instructions": "CODER_MCP_INSTRUCTIONS",
        "--allowed-tools": "CODER_MCP_ALLOWED_TOOLS",
        "--app-status-slug": "CODER_MCP_APP_STATUS_SLUG",
        "--ai-agentapi-url": "CODER_MCP_AI_AGENTAPI_URL",
    }
    given = _flags(arguments, tuple(flags))
    if given is None:
        return 2
    for name, value in given.items():
        os.environ[flags[name]] = value
    return serve()


def _sync(verb: str, arguments: list[str]) -> int:
    names = [argument for argument in arguments if not argument.startswith("-")]
    if verb not in ("want", "start", "complete", "status") or not names:
        sys.stderr.write(USAGE)
        return 2
    more = {"needs": names[1:]} if verb == "want" else {}
    try:
        answer = Control().request(f"sync.{verb}", unit=names[0], **more)
    except Refused as no:
        sys.stderr.write(f"coder exp sync: {no.message}\n")
        return 1
    except OSError as problem:
        sys.stderr.write(f"coder exp sync: {problem}\n")
        return 1
    if verb == "status":
        sys.stdout.write(f"{answer.get('status')}\n")
    return 0


def _report(arguments: list[str]) -> int:
    from .report import NotReported, report

    given = _flags(arguments, ("--state", "--summary", "--link"))
    if given is None:
        return 2
    if not given.get("--state") or not given.get("--summary"):
        sys.stderr.write(USAGE)
        return 2
    try:
        report(given["--summary"], given.get("--link", ""), given["--state"])
    except NotReported as problem:
        sys.stderr.write(f"coder exp task report: {problem}\n")
        return 1
    return 0


def _flags(arguments: list[str], known: tuple[str, ...]) -> dict[str, str] | None:
    """``--name VALUE`` and ``--name=VALUE``; None (and a message) for anything else."""
    given: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if name not in known or not (equals or rest):
            sys.stderr.write(f"coder: wrong argument {name}\n{USAGE}")
            return None
        given[name] = value if equals else rest.pop(0)
    return given
