"""``coder exp mcp server``: an MCP server on stdin and stdout with one tool, ``coder_report_task``.

Owns the JSON-RPC of MCP as far as one tool needs it.
"""

from __future__ import annotations

import json
import os
import sys

from .report import NotReported, report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROTOCOLS = ("2025-06-18", "2025-03-26", "2024-11-05")
LINE_LIMIT = 1 << 20

TOOL = {
    "name": "coder_report_task",
    "description": (
        "Report progress to the user. Call it when the task begins, at each step, and when it is finished or cannot "
        "go on. state: working while anything is left to do, idle when the user's input is needed or all is done, "
        "failure when it cannot be done."
    ),
    "inputSchema": {
        "type": "object",
        "properties": {
            "summary": {
                "type": "string",
                "description": "What is going on, concretely, on one line of at most 160 characters.",
            },
            "link": {
                "type": "string",
                "description": "A link to what the report is about, for example a pull request; may be empty.",
            },
            "state": {"type": "string", "enum": ["working", "idle", "complete", "failure"]},
        },
        "required": ["summary", "link", "state"],
    },
}


def serve() -> int:
    """Answer requests until stdin ends. Returns: the exit status."""
    while True:
        line = sys.stdin.buffer.readline(LINE_LIMIT)
        if not line:
            return 0
        if not line.strip():
            continue
        answer = handle(line)
        if answer is not None:
            sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
            sys.stdout.buffer.flush()


def handle(line: bytes) -> dict[str, Any] | None:
    """The answer to one message; None for a notification."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return _error(None, -32700, "not JSON")
    if not isinstance(message, dict) or not isinstance(message.get("method"), str):
        return _error(None, -32600, "not a request")
    if "id" not in message:
        return None
    params = message.get("params")
    params = params if isinstance(params, dict) else {}
    method = message["method"]
    if method == "initialize":
        asked = params.get("protocolVersion")
        result: dict[str, Any] = {
            "protocolVersion": asked if asked in PROTOCOLS else PROTOCOLS[0],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "Coder Agent", "version": "jupyter-tasks"},
            "instructions": os.environ.get("CODER_MCP_INSTRUCTIONS", ""),
        }
    elif method == "ping":
        result = {}
    elif method == "tools/list":
        result = {"tools": [TOOL] if _allowed() else []}
    elif method == "tools/call" and params.get("name") == TOOL["name"] and _allowed():
        result = _call(params.get("arguments"))
    elif method == "tools/call":
        return _error(message["id"], -32602, f"no tool {str(params.get('name'))[:60]!r}")
    else:
        return _error(message["id"], -32601, f"no method {method[:60]!r}")
    return {"jsonrpc": "2.0", "id": message["id"], "result": result}


def _call(arguments: object) -> dict[str, Any]:
    fields = arguments if isinstance(arguments, dict) else {}
    values = [fields.get(name, "") for name in ("summary", "link", "state")]
    if not all(isinstance(value, str) for value in values) or not values[0]:
        return _told("summary, link and state are texts; summary is needed", failed=True)
    try:
        report(values[0], values[1], values[2])
    except NotReported as problem:
        return _told(f"The report did not arrive: {problem}", failed=True)
    return _told("Thanks for reporting!")


def _told(text: str, *, failed: bool = False) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": failed}


def _allowed() -> bool:
    names = os.environ.get("CODER_MCP_ALLOWED_TOOLS", "")
    return not names or TOOL["name"] in names.replace(",", " ").split()


def _error(request_id: object, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}
