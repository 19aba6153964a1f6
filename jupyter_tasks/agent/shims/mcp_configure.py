"""``coder exp mcp configure AGENT``: makes a coding agent know the tool ``coder_report_task``.

Owns what is written where: for Claude Code ``~/.claude.json`` and the blocks of Coder in ``CLAUDE.md``, for Claude
Desktop and Cursor their list of servers. What the user has in these files stays. Files are replaced as a whole, so that
an agent that reads one meanwhile sees the old or the new one.
"""

from __future__ import annotations

import json
import os
import shutil
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

AGENTS = ("claude-code", "claude-desktop", "cursor")
FLAGS = {
    "--claude-api-key": "CLAUDE_API_KEY",
    "--claude-config-path": "CODER_MCP_CLAUDE_CONFIG_PATH",
    "--claude-md-path": "CODER_MCP_CLAUDE_MD_PATH",
    "--claude-system-prompt": "CODER_MCP_CLAUDE_SYSTEM_PROMPT",
    "--claude-coder-prompt": "CODER_MCP_CLAUDE_CODER_PROMPT",
    "--claude-app-status-slug": "CODER_MCP_APP_STATUS_SLUG",
    "--app-status-slug": "CODER_MCP_APP_STATUS_SLUG",
    "--ai-agentapi-url": "CODER_MCP_AI_AGENTAPI_URL",
}
_FORWARDED = ("CODER_AGENT_URL", "CODER_AGENT_TOKEN", "CODER_MCP_APP_STATUS_SLUG", "CODER_MCP_AI_AGENTAPI_URL")
_TOOL = "mcp__coder__coder_report_task"
_SIZE = 16 << 20
_REPORT_PROMPT = """\
Report what you do with the tool coder_report_task, so that the user sees it without reading along:
state "working" at the start of every request and again at each step worth naming; state "idle" when you need the
user, or have finished; state "failure" when it cannot be done. The summary is one line of at most 160 characters."""


class Unusable(Exception):
    """A file that is there cannot be taken over; the text says which and why."""


def main(arguments: list[str]) -> int:
    """Run ``coder exp mcp configure ARGUMENTS``. Returns: the exit status."""
    words, given = _split(arguments)
    if words is None or not words or words[0] not in AGENTS:
        sys.stderr.write(f"usage: coder exp mcp configure {'|'.join(AGENTS)} [DIRECTORY]\n")
        return 2
    for flag, value in given.items():
        os.environ[FLAGS[flag]] = value
    try:
        if words[0] == "claude-code":
            _claude_code(os.path.abspath(words[1] if len(words) > 1 else "."))
        else:
            _servers_file(words[0])
    except (OSError, Unusable) as problem:
        sys.stderr.write(f"coder exp mcp configure: {problem}\n")
        return 1
    return 0


def _split(arguments: list[str]) -> tuple[list[str] | None, dict[str, str]]:
    """Words, and the known flags; None for the words (and a message) when a flag is wrong."""
    words: list[str] = []
    given: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if not name.startswith("-"):
            words.append(name + equals + value)
        elif name in FLAGS and (equals or rest):
            given[name] = value if equals else rest.pop(0)
        else:
            sys.stderr.write(f"coder exp mcp configure: wrong argument {name}\n")
            return None, {}
    return words, given


def _claude_code(directory: str) -> None:
    environ = os.environ
    path = environ.get("CODER_MCP_CLAUDE_CONFIG_PATH") or os.path.expanduser("~/.claude.json")
    reports = bool(environ.get("CODER_MCP_APP_STATUS_SLUG"))

    def change(config: dict[str, Any]) -> None:
        key = environ.get("CLAUDE_API_KEY")
        if key and environ.get("CLAUDE_CODE_USE_BEDROCK") != "1":
            config["primaryApiKey"] = key
        config["hasCompletedOnboarding"] = True
        config["bypassPermissionsModeAccepted"] = True
        config["autoUpdaterStatus"] = "disabled"
        config["autoUpdates"] = False
        config["hasAcknowledgedCostThreshold"] = True
        project = _object(_object(config, "projects"), directory)
        project["hasTrustDialogAccepted"] = True
        project["hasCompletedProjectOnboarding"] = True
        if reports:
            allowed = project.get("allowedTools")
            kept = [tool for tool in allowed if tool != _TOOL] if isinstance(allowed, list) else []
            project["allowedTools"] = [*kept, _TOOL]
            _object(project, "mcpServers")["coder"] = _server()

    _rewrite(path, change)
    if reports or environ.get("CODER_MCP_CLAUDE_SYSTEM_PROMPT"):
        prompt = environ.get("CODER_MCP_CLAUDE_CODER_PROMPT") or (_REPORT_PROMPT if reports else "")
        own = environ.get("CODER_MCP_CLAUDE_MD_PATH") or "~/.claude/CLAUDE.md"
        _write_prompts(os.path.expanduser(own), prompt, environ.get("CODER_MCP_CLAUDE_SYSTEM_PROMPT", ""))


def _servers_file(agent: str) -> None:
    places = {
        "cursor": "~/.cursor/mcp.json",
        "claude-desktop": "~/.config/Claude/claude_desktop_config.json",
    }

    def change(config: dict[str, Any]) -> None:
        _object(config, "mcpServers")["coder"] = _server()

    _rewrite(os.path.expanduser(places[agent]), change)


def _server() -> dict[str, Any]:
    return {
        "command": shutil.which("coder") or "coder",
        "args": ["exp", "mcp", "server"],
        "env": {name: os.environ[name] for name in _FORWARDED if os.environ.get(name)},
    }


def _object(parent: dict[str, Any], key: str) -> dict[str, Any]:
    """The object at ``key``; a new one where there is none."""
    found = parent.get(key)
    if not isinstance(found, dict):
        found = parent[key] = {}
    return found


def _rewrite(path: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a JSON file in place. Raises: Unusable when what is there is no JSON object; OSError."""
    text = _read(path)
    try:
        config = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as problem:
        raise Unusable(f"{path} is not JSON ({problem}); correct it or move it away") from None
    if not isinstance(config, dict):
        raise Unusable(f"{path} holds no JSON object; correct it or move it away")
    change(config)
    _replace(path, json.dumps(config, indent=2, ensure_ascii=False) + "\n")


def _write_prompts(path: str, coder: str, system: str) -> None:
    """Put the two blocks at the top of a CLAUDE.md, in the place of older ones; the rest of it stays."""
    text = _read(path)
    for tag in ("coder-prompt", "system-prompt"):
        begin = text.find(f"<{tag}>")
        end = text.find(f"</{tag}>")
        if 0 <= begin < end:
            text = text[:begin] + text[end + len(tag) + 3 :]
    blocks = f"<coder-prompt>\n{coder}\n</coder-prompt>\n<system-prompt>\n{system}\n</system-prompt>\n"
    rest = text.strip("\n")
    _replace(path, blocks + (rest + "\n" if rest else ""))


def _read(path: str) -> str:
    """The text of a file, "" when there is none."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read(_SIZE + 1)
    except FileNotFoundError:
        return ""
    if len(text) > _SIZE:
        raise Unusable(f"{path} is over 16 MiB")
    return text


def _replace(path: str, text: str) -> None:
    path = os.path.realpath(path)  # a link of the user's stays a link
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    new = f"{path}.{os.getpid()}.new"
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
    os.replace(new, path)
