"""The header rules of previews, for any input."""

from __future__ import annotations

from urllib.parse import unquote, urljoin, urlsplit

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_tasks.server import preview_rules
from jupyter_tasks.server.exchange import without_hop_by_hop

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

PREFIX = "/user/a/jupyter-tasks/preview/" + "c" * 48
PIECES = [*"abc/\\.%2eE?#:@[]&= \té", "..", "/../", "%2e%2e", "//", "http:", "localhost", "evil.test", "/preview/"]
text = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@patient
@given(location=text, path=st.sampled_from(["/", "/a/b/c", "/a/../b/"]))
def test_no_redirect_leaves_the_prefix(location: str, path: str) -> None:
    outside = preview_rules.redirect(location, path, PREFIX)
    if outside is None:
        return
    # as a browser reads it: backslashes are slashes, encoded dots are dots
    seen = urljoin("http://lab" + PREFIX + "/x", outside.replace("\\", "/"))
    assert urlsplit(seen).netloc == "lab"
    plain = "/" + urlsplit(seen).path.lstrip("/")
    assert plain.startswith(f"{PREFIX}/") or plain == PREFIX
    assert ".." not in unquote(plain).replace("\\", "/").split("/")


@patient
@given(location=text)
def test_at_an_origin_of_its_own_it_stays_there(location: str) -> None:
    inside = preview_rules.redirect(location, "/a/b", "")
    assert inside is None or (inside.startswith("/") and not inside.startswith(("//", "/\\")))


def test_an_app_that_knows_its_prefix_is_not_given_it_twice() -> None:
    assert preview_rules.redirect(f"{PREFIX}/x", "/", PREFIX) == f"{PREFIX}/x"


@patient
@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8))))
def test_rules_take_any_header(headers: list[tuple[str, str]]) -> None:
    names = {name.lower() for name, _ in preview_rules.request_headers([*headers, ("CoOkIe", "x")], "/p")}
    assert "cookie" not in names
    assert {"host", "connection", "x-forwarded-prefix"} <= names
    preview_rules.response_headers(headers, "/", "/p")
    preview_rules.wants_websocket(headers)


def test_headers_named_by_connection_stay() -> None:
    assert without_hop_by_hop([("Connection", "close, X-A"), ("x-a", "1"), ("B", "2")]) == [("B", "2")]


def test_only_a_websocket_may_upgrade() -> None:
    def wants(connection: str, upgrade: str) -> bool:
        return preview_rules.wants_websocket([("Connection", connection), ("Upgrade", upgrade)])

    assert wants("keep-alive, Upgrade", "WebSocket")
    assert not wants("close", "websocket")
    assert not wants("Upgrade", "h2c")


def test_a_capability_is_masked_wherever_it_stands() -> None:
    for address in (
        "/preview/SECRET",
        "/preview/SECRET/a",
        "/b/jupyter-tasks/preview/SECRET?x",
        "http://x/preview/SECRET#y",
    ):
        assert "SECRET" not in preview_rules.masked(address)
    assert preview_rules.masked("/api/v2/tasks/me/one/preview") == "/api/v2/tasks/me/one/preview"
