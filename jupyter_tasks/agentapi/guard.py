"""Which browsers may talk to an AgentAPI: its Host check and its CORS.

Owns both lists, their validation and their answers. AgentAPI has no login, and where a workspace shares the network its
port is on the user's own loopback: any page could reach it by a name that resolves there (CVE-2025-59956), or by a
form. So a foreign Host is refused, and so is what a page of a foreign origin wants to write; reading is left to CORS.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from jupyter_tasks.agentapi.http11 import Headers, Request, Response
from jupyter_tasks.errors import InvalidInput

__all__ = ["DEFAULT_HOSTS", "DEFAULT_ORIGINS", "Guard"]

DEFAULT_HOSTS = ("localhost", "127.0.0.1", "[::1]")
DEFAULT_ORIGINS = ("http://localhost:3284", "http://localhost:3000", "http://localhost:3001")
_METHODS = "GET, POST, PUT, DELETE, OPTIONS"
_HEADERS = "Accept, Authorization, Content-Type, X-CSRF-Token"


class Guard:
    """Looks at every request before the app does.

    Args:
        hosts: names that a Host header may have; ports do not matter, "*" allows all.
        origins: origins of pages that may read and write; ``*`` in a name stands for anything, "*" alone for all.

    Raises: InvalidInput when a list is empty or an entry cannot be meant.
    """

    def __init__(self, hosts: Sequence[str] = DEFAULT_HOSTS, origins: Sequence[str] = DEFAULT_ORIGINS) -> None:
        self._any_host = _checked(hosts)
        self._hosts = tuple(host.strip("[]").lower() for host in hosts)
        if not self._any_host:
            for host in hosts:
                _check_host(host)
        self._any_origin = _checked(origins)
        patterns = (re.escape(_origin(origin)).replace(r"\*", r"[^/]*") for origin in origins)
        self._origins = re.compile("|".join(patterns), re.IGNORECASE)

    def refusal(self, request: Request) -> Response | None:
        """The answer that ends it here: a foreign Host, a preflight, a foreign page that would write. Else None."""
        if not self._any_host and _host_of(request.headers.get("host", "")) not in self._hosts:
            text = f"Invalid host header. Allowed hosts: {', '.join(self._hosts)}\n"
            return Response(400, [("content-type", "text/plain; charset=utf-8")], text.encode())
        if request.method == "OPTIONS":
            allowed = self.cors(request)
            more: Headers = [
                ("access-control-allow-methods", _METHODS),
                ("access-control-allow-headers", _HEADERS),
                ("access-control-max-age", "300"),
            ]
            return Response(200, [*allowed, *more] if len(allowed) > 1 else allowed)
        if request.method not in ("GET", "HEAD") and not self._may_write(request):
            text = "This page's origin may not write to the agent.\n"
            return Response(403, [("content-type", "text/plain; charset=utf-8")], text.encode())
        return None

    def cors(self, request: Request) -> Headers:
        """The headers that let the page that asked read the answer; none when it may not, or nothing asked."""
        origin = request.headers.get("origin", "")
        if not origin:
            return []
        if self._any_origin:
            return [("access-control-allow-origin", "*"), ("access-control-expose-headers", "Link")]
        if not self._origins.fullmatch(origin):
            return [("vary", "Origin")]
        return [
            ("access-control-allow-origin", origin),
            ("access-control-allow-credentials", "true"),
            ("access-control-expose-headers", "Link"),
            ("vary", "Origin"),
        ]

    def _may_write(self, request: Request) -> bool:
        origin = request.headers.get("origin", "")
        if not origin or self._any_origin or self._origins.fullmatch(origin):
            return True
        return origin.partition("://")[2].lower() == request.headers.get("host", "").lower()


def _checked(entries: Sequence[str]) -> bool:
    """Whether everything is allowed."""
    if not entries:
        raise InvalidInput("the list must not be empty")
    if "*" in entries:
        return True
    for entry in entries:
        if any(character.isspace() for character in entry):
            raise InvalidInput(f"'{entry}' contains whitespace characters, which are not allowed")
        if "," in entry:
            raise InvalidInput(f"'{entry}' contains comma characters, which are not allowed")
    return False


def _check_host(host: str) -> None:
    if "://" in host:
        raise InvalidInput(f"'{host}' must not include http:// or https://")
    if not re.fullmatch(r"\[[0-9a-fA-F:.%]+\]|[^:\[\]]+", host):
        raise InvalidInput(f"'{host}' must not include a port")


def _host_of(header: str) -> str | None:
    """The name in a Host header, in lower case; None when it has none."""
    found = re.fullmatch(r"(?:\[(?P<six>[0-9a-fA-F:.%]+)\]|(?P<name>[^:\[\]/@\s]+))(?::\d*)?", header)
    return (found["six"] or found["name"]).lower() if found else None


def _origin(value: str) -> str:
    """Scheme and host of a configured origin: path and query are dropped."""
    parts = urlsplit(value)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme else value
