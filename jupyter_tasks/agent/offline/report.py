"""Tells the engine how the offline agent is doing, as ``coder_report_task`` does.

Owns the request to the workspace's own ``coder`` service; where there is none, the ``coder`` program on PATH; where
there is none either, nothing: the terminal tells enough.
"""

from __future__ import annotations

import json
import os

__all__ = ["report", "shorten"]

_LIMIT = 160
_TIMEOUT = 2.0


def shorten(text: str) -> str:
    """One line of at most 160 bytes."""
    line = " ".join(text.split())
    data = line.encode("utf-8", "replace")
    if len(data) <= _LIMIT:
        return line
    return data[: _LIMIT - 3].decode("utf-8", "ignore") + "…"


def report(state: str, summary: str) -> bool:
    """Report ``state`` (working, idle, complete, failure). Returns: whether anybody heard it; never raises."""
    url, token = os.environ.get("CODER_AGENT_URL", ""), os.environ.get("CODER_AGENT_TOKEN", "")
    if url and token:
        return _direct(url, token, state, summary)
    if "CODER_AGENT_TOKEN" in os.environ or "JUPYTER_TASKS_CONTROL" in os.environ:
        return _by_program(state, summary)
    return False


def _direct(url: str, token: str, state: str, summary: str) -> bool:
    from http.client import HTTPConnection, HTTPException  # 30 ms that a workspace without a service need not pay
    from urllib.parse import urlsplit

    body = {
        "app_slug": os.environ.get("CODER_MCP_APP_STATUS_SLUG", ""),
        "state": state,
        "message": shorten(summary),
        "uri": "",
    }
    try:
        where = urlsplit(url)
        connection = HTTPConnection(where.hostname or "127.0.0.1", where.port or 80, timeout=_TIMEOUT)
        try:
            headers = {"Coder-Session-Token": token, "Content-Type": "application/json"}
            connection.request("PATCH", "/api/v2/workspaceagents/me/app-status", json.dumps(body), headers)
            return 200 <= connection.getresponse().status < 300
        finally:
            connection.close()
    except (OSError, HTTPException, ValueError):
        return False


def _by_program(state: str, summary: str) -> bool:
    import subprocess

    command = ["coder", "exp", "task", "report", "--state", state, "--summary", shorten(summary)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=2 * _TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
