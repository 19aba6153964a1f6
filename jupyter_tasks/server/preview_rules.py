"""What may pass between a browser and an app that an agent wrote (reference: mode A of the previews' design).

Owns the header rules of previews, pure: credentials go neither way, every answer is sandboxed and of an opaque origin,
a redirect stays below the preview's own prefix, and a capability is never written down (``masked``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urljoin, urlsplit, urlunsplit

from jupyter_tasks.server.exchange import without_hop_by_hop

__all__ = [
    "ALWAYS",
    "SANDBOX",
    "masked",
    "preflight",
    "redirect",
    "request_headers",
    "response_headers",
    "wants_websocket",
]

SANDBOX = "sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads"

ALWAYS: tuple[tuple[str, str], ...] = (
    ("Content-Security-Policy", SANDBOX),
    ("Access-Control-Allow-Origin", "*"),  # an opaque origin cannot read its own modules without; only the word guards
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "cross-origin"),
    ("X-Content-Type-Options", "nosniff"),
)
"""On every answer below a capability, whatever it is."""

_REQUEST_DROPS = frozenset(
    {
        "authorization",
        "coder-session-token",
        "cookie",
        "cookie2",
        "expect",  # the engine's server has answered it
        "forwarded",
        "host",
        "jupyter-tasks-wire",
        "origin",
        "referer",
        "via",
        "x-real-ip",
        "x-xsrftoken",
    }
)
_RESPONSE_DROPS = frozenset(
    {
        "accept-ch",  # these five would speak for the whole origin
        "alt-svc",
        "clear-site-data",
        "origin-agent-cluster",
        "strict-transport-security",
        "cross-origin-opener-policy",  # a sandboxed document with it does not open
        "cross-origin-resource-policy",
        "nel",
        "proxy-authenticate",
        "public-key-pins",
        "refresh",
        "referrer-policy",
        "report-to",
        "reporting-endpoints",
        "service-worker-allowed",
        "set-cookie",
        "set-cookie2",
        "www-authenticate",  # the browser would ask for a password in this server's name
        "x-content-type-options",
    }
)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 (read, not bound)
_CAPABILITY = re.compile(r"(/preview/)[^/?#]+")
_PATH = re.compile(r"[^?#]*")
_DOT = re.compile(r"%2e", re.IGNORECASE)
_REDIRECTS = frozenset({"location", "content-location"})


def masked(text: str) -> str:
    """``text`` (a path, an address) without the capability in it."""
    return _CAPABILITY.sub(r"\1[capability]", text)


def wants_websocket(headers: Iterable[tuple[str, str]]) -> bool:
    """Whether a request asks for a WebSocket. No other upgrade is passed on (h2c would hide requests from us)."""
    known = [(name.lower(), value.lower()) for name, value in headers]
    upgrade = any(name == "upgrade" and value.strip() == "websocket" for name, value in known)
    asked = any(
        name == "connection" and "upgrade" in (word.strip() for word in value.split(",")) for name, value in known
    )
    return upgrade and asked


def request_headers(headers: Iterable[tuple[str, str]], prefix: str | None) -> list[tuple[str, str]]:
    """The headers that an app gets: no credential, nothing about the user's server but the path it lies under.

    ``prefix`` None: the app is not told where it lies.
    """
    known = list(headers)
    kept = [
        (name, value)
        for name, value in without_hop_by_hop(known)
        if name.lower() not in _REQUEST_DROPS and not name.lower().startswith(("x-forwarded-", "proxy-", "x-jupyter"))
    ]
    if any(name.lower() == "transfer-encoding" for name, _ in known):
        kept = [(name, value) for name, value in kept if name.lower() != "content-length"]
        kept.append(("Transfer-Encoding", "chunked"))
    kept.append(("Host", "localhost"))
    if prefix is not None:
        kept.append(("X-Forwarded-Prefix", prefix))
    if wants_websocket(known):
        kept += [("Connection", "Upgrade"), ("Upgrade", "websocket")]
    else:
        kept.append(("Connection", "close"))
    return kept


def response_headers(headers: Iterable[tuple[str, str]], path: str, prefix: str) -> list[tuple[str, str]] | None:
    """The headers that a browser gets, beside ``ALWAYS``; None when the answer leads to another site.

    The app's own Content-Security-Policy stays as a second one: the browser obeys both.
    """
    passed = []
    for name, value in without_hop_by_hop(headers):
        word = name.lower()
        if word in _RESPONSE_DROPS or word.startswith("access-control-"):
            continue
        if word in _REDIRECTS:
            inside = redirect(value, path, prefix)
            if inside is None:
                if word == "location":
                    return None
                continue
            passed.append((name, inside))
        else:
            passed.append((name, value))
    return passed


def redirect(location: str, path: str, prefix: str) -> str | None:
    """``location`` as it reads from outside, below ``prefix``; None when it leads elsewhere.

    ``path`` is the request's as the app sees it: relative ones are resolved here, since too many ``..`` would climb out
    of the prefix.
    """
    stripped = location.strip()
    where = _PATH.match(stripped)
    plain = where.group() if where else ""
    rest = stripped[len(plain) :]
    # a browser takes a backslash for a slash and %2e for a dot
    plain = _DOT.sub(".", plain.replace("\\", "/"))
    try:
        absolute = urlsplit(urljoin(f"http://localhost{path}", plain + rest))
        host = absolute.hostname
    except ValueError:
        return None
    if absolute.scheme not in {"http", "https"} or host not in _LOOPBACK:
        return None
    inside = _without_dots(absolute.path)
    if prefix and (inside == prefix or inside.startswith(f"{prefix}/")):  # an app that reads X-Forwarded-Prefix
        inside = inside[len(prefix) :] or "/"
    return urlunsplit(("", "", prefix + inside, absolute.query, absolute.fragment))


def preflight(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]] | None:
    """The answer's headers when the request is a CORS preflight, else None.

    An app's own page is of an opaque origin, so each of its calls that is not a plain form post is asked for first. The
    app cannot know that; we say yes in its name (the capability is the guard, and there are no credentials).
    """
    asked = {name.lower(): value for name, value in headers}
    if "access-control-request-method" not in asked:
        return None
    return [
        ("Access-Control-Allow-Methods", asked["access-control-request-method"]),
        ("Access-Control-Allow-Headers", asked.get("access-control-request-headers", "*")),
        ("Access-Control-Max-Age", "600"),
    ]


def _without_dots(path: str) -> str:
    segments = path.split("/")
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept).lstrip("/")
