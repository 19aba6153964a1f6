"""Reports of a task's state: one PATCH to the ``coder`` service, by a raw socket.

Owns the request of ``coder_report_task`` and ``coder exp task report``; ``urllib`` would cost 60 ms a report.
"""

from __future__ import annotations

import json
import os
import socket

STATES = ("working", "idle", "complete", "failure")
SUMMARY_LIMIT = 160  # bytes, Coder's
TIMEOUT = 15.0


class NotReported(Exception):
    """The report did not arrive; the text says why."""


def report(summary: str, link: str, state: str) -> None:
    """Report a task's state. Raises: NotReported."""
    if state not in STATES:
        raise NotReported(f"state must be one of: {', '.join(STATES)}")
    body = {
        "app_slug": os.environ.get("CODER_MCP_APP_STATUS_SLUG", ""),
        "state": state,
        "message": cut(summary),
        "uri": link,
    }
    status, answer = _patch("/api/v2/workspaceagents/me/app-status", body)
    if not 200 <= status < 300:
        raise NotReported(f"HTTP {status}: {answer[:200]}")


def cut(summary: str) -> str:
    """One line of at most 160 bytes."""
    line = " ".join(summary.split())
    data = line.encode("utf-8", "replace")
    if len(data) <= SUMMARY_LIMIT:
        return line
    return data[: SUMMARY_LIMIT - 3].decode("utf-8", "ignore") + "…"


def _patch(path: str, body: dict[str, str]) -> tuple[int, str]:
    url = os.environ.get("CODER_AGENT_URL", "")
    token = os.environ.get("CODER_AGENT_TOKEN", "")
    scheme, _, authority = url.rstrip("/").partition("://")
    host, _, port = authority.rpartition(":")
    if scheme != "http" or not port.isdigit() or not token:
        raise NotReported("CODER_AGENT_URL and CODER_AGENT_TOKEN are not set")
    payload = json.dumps(body).encode()
    head = (
        f"PATCH {path} HTTP/1.1\r\nHost: {authority}\r\nCoder-Session-Token: {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\nConnection: close\r\n\r\n"
    )
    try:
        with socket.create_connection((host, int(port)), TIMEOUT) as sock:
            sock.sendall(head.encode("latin-1", "replace") + payload)
            answer = b""
            while len(answer) < 65536:
                data = sock.recv(65536)
                if not data:
                    break
                answer += data
    except OSError as problem:
        raise NotReported(str(problem)) from None
    first, _, rest = answer.partition(b"\r\n")
    words = first.split()
    if len(words) < 2 or not words[1].isdigit():
        raise NotReported("no HTTP answer")
    return int(words[1]), rest.partition(b"\r\n\r\n")[2].decode("utf-8", "replace")
