"""An MCP server on stdin and stdout with one tool, ``coder_report_task``; calls are added to ``$MCP_REPORT_LOG``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

WORD = {"type": "string"}
TOOL = {
    "name": "coder_report_task",
    "description": "Report progress on your task.",
    "inputSchema": {
        "type": "object",
        "required": ["summary", "link", "state"],
        "properties": {"summary": WORD, "link": WORD, "state": {**WORD, "enum": ["working", "idle", "complete"]}},
    },
}


def answer(message: dict[str, Any]) -> Any:
    """The result for one request."""
    method, given = message["method"], message.get("params") or {}
    if method == "initialize":
        return {
            "protocolVersion": given.get("protocolVersion"),
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "coder", "version": "1"},
        }
    if method == "tools/list":
        return {"tools": [TOOL]}
    if method == "tools/call":
        with Path(os.environ["MCP_REPORT_LOG"]).open("a") as log:
            log.write(json.dumps(given.get("arguments")) + "\n")
        return {"content": [{"type": "text", "text": "Thanks for reporting!"}]}
    return {}


if __name__ == "__main__":
    for line in sys.stdin:
        request = json.loads(line)
        if "id" in request:
            print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": answer(request)}), flush=True)
