"""Foreign pages are kept away from an AgentAPI."""

from __future__ import annotations

import pytest

from jupyter_tasks.agentapi.guard import DEFAULT_HOSTS, Guard
from jupyter_tasks.agentapi.http11 import Request
from jupyter_tasks.errors import InvalidInput


def ask(guard: Guard, method: str = "GET", **headers: str) -> int | None:
    answer = guard.refusal(Request(method, "/status", {}, {"host": "localhost", **headers}))
    return None if answer is None else answer.status


@pytest.mark.parametrize(
    ("hosts", "host", "served"),
    [
        (("*",), "evil.example", True),
        (("*", "junk,"), "evil.example", True),
        (DEFAULT_HOSTS, "localhost", True),
        (DEFAULT_HOSTS, "LOCALHOST:3284", True),
        (DEFAULT_HOSTS, "127.0.0.1:80", True),
        (DEFAULT_HOSTS, "[::1]:3284", True),
        (DEFAULT_HOSTS, "[::1]", True),
        (DEFAULT_HOSTS, "[::2]:3284", False),
        (DEFAULT_HOSTS, "evil.example", False),
        (DEFAULT_HOSTS, "localhost.evil.example", False),
        (DEFAULT_HOSTS, "localhost@evil.example", False),
        (DEFAULT_HOSTS, "localhost:x", False),
        (DEFAULT_HOSTS, "", False),
        (("EXAMPLE.com",), "example.com", True),
        (("example.com.",), "example.com", False),
        (("example.com.",), "example.com.:80", True),
    ],
)
def test_hosts(hosts: tuple[str, ...], host: str, served: bool) -> None:
    assert ask(Guard(hosts), host=host) == (None if served else 400)


def test_a_refused_host_is_told_which_are_allowed() -> None:
    answer = Guard().refusal(Request("OPTIONS", "/", {}, {"host": "x", "origin": "http://localhost:3000"}))
    assert answer is not None
    assert answer.body == b"Invalid host header. Allowed hosts: localhost, 127.0.0.1, ::1\n"
    assert not any(name.startswith("access-control") for name, _ in answer.headers)


@pytest.mark.parametrize(
    ("hosts", "text"),
    [
        ((), "must not be empty"),
        (("::1",), "must not include a port"),
        (("localhost:80",), "must not include a port"),
        (("[::1]:80",), "must not include a port"),
        (("http://localhost",), "must not include http"),
        (("a,b",), "comma"),
        ((" a",), "whitespace"),
        (("a b",), "whitespace"),
    ],
)
def test_hosts_that_cannot_be_meant(hosts: tuple[str, ...], text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        Guard(hosts)
    if text != "must not include a port" and "http" not in text:
        with pytest.raises(InvalidInput, match=text):
            Guard(origins=hosts)


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        (("*",), "https://evil.example", "*"),
        (("https://a.example/path?x=1",), "https://a.example", "https://a.example"),
        (("https://a.example/",), "https://a.example", "https://a.example"),
        (("https://*.a.example",), "https://b.a.example", "https://b.a.example"),
        (("https://*.a.example",), "https://b.evil.example/.a.example", None),
        (("http://[::1]:3000",), "http://[::1]:3000", "http://[::1]:3000"),
        (("https://a.example",), "http://a.example", None),
        (("https://a.example",), "null", None),
        (("https://a.example",), "", None),
    ],
)
def test_origins(origins: tuple[str, ...], origin: str, allowed: str | None) -> None:
    guard = Guard(origins=origins)
    request = Request("GET", "/status", {}, {"host": "localhost", "origin": origin})
    assert dict(guard.cors(request)).get("access-control-allow-origin") == allowed
    assert guard.refusal(request) is None  # reading is the browser's to refuse


def test_preflights() -> None:
    request = Request("OPTIONS", "/message", {}, {"host": "localhost", "origin": "http://localhost:3000"})
    answer = Guard().refusal(request)
    assert answer is not None
    headers = dict(answer.headers)
    assert answer.status == 200
    assert "GET" in headers["access-control-allow-methods"]
    assert "Content-Type" in headers["access-control-allow-headers"]
    foreign = Guard().refusal(
        Request("OPTIONS", "/message", {}, {"host": "localhost", "origin": "https://evil.example"})
    )
    assert foreign is not None
    assert (foreign.status, list(foreign.headers)) == (200, [("vary", "Origin")])


def test_a_foreign_page_does_not_write() -> None:
    guard = Guard()
    assert ask(guard, "POST") is None
    assert ask(guard, "POST", origin="http://localhost:3000") is None
    assert ask(guard, "POST", host="localhost:9", origin="http://localhost:9") is None
    for origin in ("https://evil.example", "null", "http://localhost:1"):
        assert ask(guard, "POST", origin=origin) == 403
        assert ask(guard, "GET", origin=origin) is None
