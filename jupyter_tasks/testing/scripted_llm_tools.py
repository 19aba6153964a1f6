"""What a script's tools are called by each agent: one script drives them all.

Owns the mapping of ``write_file``, ``edit_file``, ``bash`` and ``mcp`` onto what a request advertised, the detours to
tools that agents list only when asked (Claude Code's ToolSearch, Codex's tool_search), and Codex's "code mode".
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from jupyter_tasks.testing import scripted_llm_anthropic as anthropic
from jupyter_tasks.testing import scripted_llm_responses as responses
from jupyter_tasks.testing.scripted_llm_wire import Advertised, Asked, Call

__all__ = ["Tool", "as_call", "bash", "edit_file", "instance", "mcp", "write_file"]

_WRITE = ("Write", "write", "write_file", "create_file")
_EDIT = ("Edit", "edit", "edit_file", "replace")
_SHELL = ("Bash", "bash", "exec_command", "shell_command", "shell", "run_shell_command")
_DIRECTORY = re.compile(r"(?:[Ww]orking directory(?: is)?:? |<cwd>)(/[^\s<\\\"]*)")
_FIELDS = {
    "path": ("file_path", "filePath", "path"),
    "content": ("content", "contents", "text"),
    "old": ("old_string", "oldString", "old_text"),
    "new": ("new_string", "newString", "new_text"),
    "command": ("command", "cmd"),
}


@dataclass(frozen=True)
class Tool:
    """A tool by the script's name for it."""

    kind: Literal["write_file", "edit_file", "bash", "mcp"]
    args: Mapping[str, Any]
    name: str = ""
    """Of an MCP tool, without its server."""


def write_file(path: str, content: str) -> Tool:
    """The agent writes a whole file; a relative path is in the directory that it works in."""
    return Tool("write_file", {"path": path, "content": content})


def edit_file(path: str, old: str, new: str) -> Tool:
    """The agent replaces whole lines in a file (which Claude Code must have read before)."""
    return Tool("edit_file", {"path": path, "old": old, "new": new})


def bash(command: str) -> Tool:
    """The agent runs a command."""
    return Tool("bash", {"command": command})


def mcp(name: str, **args: Any) -> Tool:
    """The agent calls a tool of an MCP server of its."""
    return Tool("mcp", args, name)


def as_call(tool: Tool, asked: Asked, raw: str) -> Call | None:
    """The call that does it with what this request advertised; None when nothing fits.

    Args:
        tool: what the script wants.
        asked: the request.
        raw: its text, where tools that are not listed are named.
    """
    tool = _placed(tool, raw)
    code = next((name for name, offered in asked.tools.items() if offered.javascript), None)
    if code is not None:
        return Call(code, text=_javascript(tool))
    if tool.kind == "mcp":
        return _mcp(tool, asked, raw)
    if tool.kind != "bash" and "apply_patch" in asked.tools:
        patch = _patch(tool)
        custom = asked.tools["apply_patch"].custom
        return Call("apply_patch", text=patch) if custom else Call("apply_patch", {"input": patch})
    names = {"write_file": _WRITE, "edit_file": _EDIT, "bash": _SHELL}[tool.kind]
    offered = next((asked.tools[name] for name in names if name in asked.tools), None)
    if offered is not None:
        return Call(offered.name, _filled(offered, tool.args), namespace=offered.namespace)
    return None if tool.kind == "bash" else as_call(bash(_by_shell(tool)), asked, raw)


def instance(schema: Mapping[str, Any]) -> Any:
    """The least JSON value that satisfies a simple schema: the answer to titles, judges and the like."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    if schema.get("properties"):
        wanted = schema.get("required") or list(schema["properties"])
        return {name: instance(schema["properties"].get(name, {})) for name in wanted}
    kinds: dict[Any, Any] = {"boolean": False, "integer": 1, "number": 1, "array": [], "object": {}}
    kind = schema.get("type")
    return kinds.get(kind if isinstance(kind, str) else None, "scripted")


def _placed(tool: Tool, raw: str) -> Tool:
    """A relative path made absolute, as most agents want it, where the agent says where it is."""
    found = _DIRECTORY.search(raw)
    if found is None or tool.kind == "mcp" or tool.args.get("path", "/").startswith("/"):
        return tool
    return replace(tool, args={**tool.args, "path": f"{found[1]}/{tool.args['path']}"})


def _mcp(tool: Tool, asked: Asked, raw: str) -> Call | None:
    found = sorted(
        (name for name in asked.tools if name == tool.name or name.endswith((f"__{tool.name}", f"coder_{tool.name}"))),
        key=len,
    )
    if found:
        return Call(found[0], tool.args, namespace=asked.tools[found[0]].namespace)
    if responses.SEARCH in asked.tools:
        return Call(responses.SEARCH, {"query": tool.name.replace("_", " "), "limit": 8}, search=True)
    if anthropic.SEARCH in asked.tools:
        listed = re.search(rf"\bmcp__\w*?__{re.escape(tool.name)}\b", raw)
        query = f"select:{listed[0]}" if listed else tool.name
        return Call(anthropic.SEARCH, {"query": query, "max_results": 3}, search=True)
    return None


def _filled(offered: Advertised, args: Mapping[str, Any]) -> dict[str, Any]:
    known: Mapping[str, Any] = offered.schema.get("properties") or {}
    out: dict[str, Any] = {}
    for key, value in args.items():
        name = next((name for name in _FIELDS[key] if name in known), _FIELDS[key][0])
        listed = (known.get(name) or {}).get("type") == "array"
        out[name] = ["bash", "-lc", value] if listed else value
    for name in offered.schema.get("required") or []:
        out.setdefault(name, instance(known.get(name) or {}))
    return out


def _patch(tool: Tool) -> str:
    """Codex's patch format."""
    path = tool.args["path"]
    if tool.kind == "write_file":
        body = f"*** Add File: {path}\n" + _marked("+", tool.args["content"])
    else:
        body = f"*** Update File: {path}\n@@\n" + _marked("-", tool.args["old"]) + _marked("+", tool.args["new"])
    return f"*** Begin Patch\n{body}*** End Patch\n"


def _marked(mark: str, text: str) -> str:
    return "".join(f"{mark}{line}\n" for line in text.removesuffix("\n").split("\n"))


def _javascript(tool: Tool) -> str:
    if tool.kind == "mcp":
        found = f"ALL_TOOLS.find(tool => tool.name.endsWith({json.dumps(tool.name)})).name"
        called = f"tools[{found}]({json.dumps(dict(tool.args))})"
    elif tool.kind == "bash":
        called = f"tools.exec_command({json.dumps({'cmd': tool.args['command']})})"
    else:
        called = f"tools.apply_patch({json.dumps(_patch(tool))})"
    return f"text(await {called})"


def _by_shell(tool: Tool) -> str:
    path = shlex.quote(tool.args["path"])
    if tool.kind == "write_file":
        return f"printf %s {shlex.quote(tool.args['content'])} > {path}"
    program = "import sys; p, a, b = sys.argv[1:]; t = open(p).read(); open(p, 'w').write(t.replace(a, b, 1))"
    return shlex.join(["python3", "-c", program, tool.args["path"], tool.args["old"], tool.args["new"]])
