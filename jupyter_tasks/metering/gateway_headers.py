"""What of a call's head goes on, and errors as the vendors write theirs.

Owns the lists of headers that never pass in either direction, the path of a call below its provider's base, and the
bodies of the gateway's own errors: an agent shows them as it shows its vendor's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

from jupyter_tasks.metering.credentials import Credential
from jupyter_tasks.metering.credentials_providers import PROVIDERS, Provider, Wire

__all__ = ["Headers", "error_body", "request_headers", "response_headers", "routed", "tokens_in", "vendor_words"]

Headers = Sequence[tuple[bytes, bytes]]
"""Names in lower case."""

_HOP = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection"),
        *(b"te", b"trailer", b"transfer-encoding", b"upgrade", b"http2-settings"),
    }
)
_TOKEN_HEADERS = (b"x-api-key", b"x-goog-api-key", b"api-key")
_NOT_UP = _HOP | frozenset(
    {
        *(b"host", b"authorization", b"cookie", b"accept-encoding", b"expect", *_TOKEN_HEADERS),
        *(b"forwarded", b"via", b"x-real-ip", b"referer", b"origin"),  # they name where the call comes from
    }
)
_NOT_UP_BEGINNINGS = (b"x-forwarded-", b"sec-", b"coder-", b"x-coder-", b"jupyter-", b"x-jupyter-")
_NOT_DOWN = _HOP | frozenset({b"set-cookie", b"set-cookie2", b"alt-svc", b"strict-transport-security"})
_PATH = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
MOST_WORDS = 300


def routed(target: bytes) -> tuple[Provider, str, str] | None:
    """The provider of a request target, the path below its base, and the query; None where no agent may go.

    No path climbs: a segment that decodes to ``..`` leads nowhere, also behind another separator.
    """
    if not target.startswith(b"/"):  # the absolute form, which names a host that does not count here
        target = b"/" + target.partition(b"://")[2].partition(b"/")[2]
    raw, _, query = target.partition(b"?")
    if not _PATH.fullmatch(raw) or any(part in (b".", b"..") for part in re.split(rb"[/\\]", unquote_to_bytes(raw))):
        return None
    path = re.sub("/{2,}", "/", raw.decode("ascii"))
    for provider in PROVIDERS.values():
        below = path[len(provider.route) :]
        if path.startswith(provider.route + "/") and provider.serves(below):
            # Gemini's clients put their key, here a task token, into the query
            kept = [part for part in query.split(b"&") if part.partition(b"=")[0] != b"key"]
            return provider, below, b"&".join(kept).decode("latin-1")
    return None


def tokens_in(headers: Headers, target: bytes) -> list[bytes]:
    """Everything in a head that can be meant as a token."""
    found = []
    for name, value in headers:
        if name in _TOKEN_HEADERS:
            found.append(value.strip())
        elif name == b"authorization":
            scheme, _, rest = value.strip().partition(b" ")
            found.append(rest.strip() if scheme.lower() == b"bearer" else b"")
    parts = target.partition(b"?")[2].split(b"&")
    return found + [unquote_to_bytes(part[4:]) for part in parts if part.startswith(b"key=")]


def request_headers(headers: Headers, credential: Credential, host: str) -> list[tuple[bytes, bytes]]:
    """The head for the upstream: the client's own without what tells of the workspace, with the credential."""
    named = _named_by_connection(headers)
    framing = [(b"transfer-encoding", b"chunked") for name, _ in headers if name == b"transfer-encoding"]
    going = [*framing, (b"host", host.encode("ascii")), (b"accept-encoding", b"identity")]
    additions = dict(credential.additions())
    seen = set()
    for name, value in headers:
        if name in _NOT_UP or name in named or name.startswith(_NOT_UP_BEGINNINGS):
            continue
        seen.add(name)
        more = additions.pop(name.decode("latin-1"), None)
        if more is not None and more.encode() not in [part.strip() for part in value.split(b",")]:
            value = value + b"," + more.encode() if value.strip() else more.encode()
        going.append((name, value))
    required = {name: value for name, value in credential.provider.headers.items() if name.encode() not in seen}
    ours = (*required.items(), *additions.items(), *credential.headers().items())
    return [*going, *((key.encode(), word.encode()) for key, word in ours)]


def response_headers(headers: Headers, secret: bytes) -> list[tuple[bytes, bytes]]:
    """The head for the client: the vendor's own without what is between it and the gateway only."""
    named = _named_by_connection(headers)
    return [
        (name, value)
        for name, value in ((name.lower(), value) for name, value in headers)
        if name not in _NOT_DOWN and name not in named and secret not in value
    ]


def _named_by_connection(headers: Headers) -> set[bytes]:
    listed = (value for name, value in headers if name.lower() == b"connection")
    return {part.strip().lower() for value in listed for part in value.split(b",")} - {b"content-length"}


_ANTHROPIC = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
}
_OPENAI = {429: "rate_limit_error", 401: "authentication_error"}
_GEMINI = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    502: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def error_body(wire: Wire, status: int, message: str, code: str) -> bytes:
    """An error of the gateway's own in the vendor's shape."""
    body: Any
    if wire == "anthropic":
        body = {"type": "error", "error": {"type": _ANTHROPIC.get(status, "api_error"), "message": message}}
    elif wire == "gemini":
        body = {"error": {"code": status, "message": message, "status": _GEMINI.get(status, "INTERNAL")}}
    else:
        usual = "invalid_request_error" if status < 500 else "server_error"
        body = {"error": {"message": message, "type": _OPENAI.get(status, usual), "param": None, "code": code}}
    return json.dumps(body).encode()


def vendor_words(body: bytes) -> str:
    """What an error's body says to a person; "" where it says nothing that can be shown."""
    try:
        value: Any = json.loads(body)
        if isinstance(value, list) and value:
            value = value[0]
        failed = value.get("error", value)
        words = failed if isinstance(failed, str) else failed.get("message") or failed.get("type") or ""
    except (ValueError, AttributeError, RecursionError):
        words = "" if body.lstrip()[:1] == b"<" else body[:MOST_WORDS].decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in str(words)[: 2 * MOST_WORDS]).split())[:MOST_WORDS]
