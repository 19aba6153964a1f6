"""Previews of a hostile app: nothing of the user's goes in, nothing that acts as the user comes out."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import anyio
import httpx
import pytest
from engine_house import House, served, settle
from hostile_app import BIG, HostileApp, hostile_app
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from jupyter_tasks import models
from jupyter_tasks.server.preview_rules import SANDBOX
from jupyter_tasks.testing.service import FakeService

CREDENTIALS = {
    "Cookie": "_xsrf=canary-1",
    "Authorization": "token canary-2",
    "X-XSRFToken": "canary-3",
    "Coder-Session-Token": "canary-4",
    "Referer": "http://lab/canary-5",
    "Origin": "http://canary-6",
    "X-Forwarded-For": "canary-7",
    "Forwarded": "for=canary-8",
    "X-Real-IP": "canary-9",
    "Proxy-Authorization": "canary-10",
    "X-Forwarded-Host": "canary-11",
}


def checked(answer: httpx.Response) -> httpx.Response:
    """Every answer below a capability, whatever it is."""
    csp = answer.headers.get_list("Content-Security-Policy")
    assert csp[0] == SANDBOX
    assert "allow-same-origin" not in ",".join(csp)
    assert "allow-top-navigation" not in ",".join(csp)
    assert answer.headers.get_list("Access-Control-Allow-Origin") == ["*"]
    assert answer.headers.get_list("Referrer-Policy") == ["no-referrer"]
    assert answer.headers.get_list("Cross-Origin-Resource-Policy") == ["cross-origin"]
    assert answer.headers.get_list("X-Content-Type-Options") == ["nosniff"]
    for name in [
        "Set-Cookie",
        "Service-Worker-Allowed",
        "Clear-Site-Data",
        "Strict-Transport-Security",
        "Refresh",
        "Alt-Svc",
        "WWW-Authenticate",
        "Access-Control-Allow-Credentials",
        "X-Hop",
    ]:
        assert name not in answer.headers, name
    return answer


@asynccontextmanager
async def shown() -> AsyncIterator[tuple[House, HostileApp, str]]:
    """A house, an app, and the path of its preview (with the last slash)."""
    async with hostile_app() as app, served(FakeService(app_port=app.port)) as house:
        await house.service.create("me", models.CreateTaskRequest(name="one"))
        answer = await house.client.post("/api/v2/tasks/me/one/preview")
        assert answer.status_code == 201
        yield house, app, "/" + answer.json()["path"]


async def test_no_credential_goes_in_and_no_power_comes_out(places: Path) -> None:
    async with shown() as (house, app, path):
        prefix = {"X-Forwarded-Prefix": "/a%40b/jupyter-tasks"}
        answer = checked(await house.client.get(f"{path}x/y%2Fz?q=1&q=2", headers=CREDENTIALS | prefix))
        assert answer.status_code == 200
        method, target, headers, _ = app.seen[0]
        assert (method, target) == ("GET", "/x/y%2Fz?q=1&q=2")
        assert "canary" not in json.dumps(headers)
        sent = {name.lower(): value for name, value in headers}
        assert sent["host"] == "localhost"
        assert sent["x-forwarded-prefix"] == "/a%40b/jupyter-tasks" + path.rstrip("/")
        assert answer.headers["X-App"] == "yes"
        assert answer.headers.get_list("Content-Security-Policy") == [SANDBOX, "img-src 'none'"]


async def test_minting_again_gives_another_word_and_unknown_ones_are_404(places: Path) -> None:
    async with shown() as (house, app, path):
        second = (await house.client.post("/api/v2/tasks/me/one/preview", json={"app": "preview"})).json()["path"]
        assert second != path
        for wrong in ("/preview/nope/", "/preview/nope", f"{path[:-2]}/", "/preview/" + "0" * 48 + "/x?y"):
            assert checked(await house.client.get(wrong)).status_code == 404, wrong
        assert app.seen == []
        assert (await house.client.post("/api/v2/tasks/me/one/preview", json={"app": "no"})).status_code == 404


async def test_pause_ends_it_at_once(places: Path) -> None:
    async with shown() as (house, _, path):
        assert (await house.client.get(path)).status_code == 200
        await house.client.post("/api/v2/tasks/me/one/pause")
        gone = checked(await house.client.get(path, headers={"Accept": "text/html"}))
        assert gone.status_code == 404
        assert gone.headers["Content-Type"].startswith("text/html")


async def test_every_answer_is_sandboxed(places: Path) -> None:
    async with shown() as (house, _, path):
        for status in (200, 204, 206, 304, 400, 401, 404, 407, 500, 503, 999):
            answer = checked(await house.client.get(f"{path}status?{status}"))
            assert answer.status_code == status
        for name in ("garbage", "unasked"):
            assert checked(await house.client.get(f"{path}{name}")).status_code == 502, name
        assert checked(await house.client.get(path.rstrip("/"))).status_code == 307
        assert checked(await house.client.request("BREW", path)).status_code == 405
        for method in ("HEAD", "OPTIONS", "DELETE", "PUT", "PATCH", "POST"):
            assert checked(await house.client.request(method, path)).status_code == 200
        partial = checked(await house.client.get(f"{path}range", headers={"Range": "bytes=0-3"}))
        assert (partial.status_code, partial.headers["Content-Range"]) == (206, "bytes 0-3/10")


async def test_an_app_that_is_not_there(places: Path) -> None:
    async with shown() as (house, _, path):
        for target in house.service._targets.values():
            target.port = 1
        answer = checked(await house.client.post(path, content=b"x" * 100_000))
        assert (answer.status_code, answer.json()["code"]) == (502, "app_unreachable")
        page = checked(await house.client.get(path, headers={"Accept": "text/html"}))
        assert "does not answer" in page.text


@pytest.mark.parametrize(
    ("to", "inside"),
    [
        ("/x?a=1#b", "/x?a=1#b"),
        ("x", "/deep/x"),
        ("../../../../lab", "/lab"),
        ("/%2e%2e/%2E%2E/lab", "/lab"),
        ("/a/b/../../../../c/", "/c/"),
        ("http://localhost/y", "/y"),
        ("http://localhost:5173/y?z", "/y?z"),
        ("https://127.0.0.1:8888/lab", "/lab"),
        ("http://[::1]/y", "/y"),
        ("http://user@localhost//evil.test/", "/evil.test/"),
        ("?page=2", "/redirect/deep/?page=2"),
        ("", "/redirect/deep/"),
        ("http://evil.test/", None),
        ("//evil.test/", None),
        ("/\\evil.test/", None),
        ("\\\\evil.test", None),
        ("javascript:alert(1)", None),
        ("http://localhost.evil.test/", None),
        ("http://[bad/", None),
    ],
)
async def test_redirects_stay_below_the_prefix(places: Path, to: str, inside: str | None) -> None:
    async with shown() as (house, _, path):
        answer = checked(await house.client.get(f"{path}redirect/deep/?to={quote(to, safe='')}"))
        if inside is None:
            assert answer.status_code == 502
            assert "Location" not in answer.headers
            return
        assert answer.status_code == 302
        expected = inside.replace("/deep/x", "/redirect/deep/x")
        assert answer.headers["Location"] == path.rstrip("/") + expected


async def test_the_apps_pages_may_call_the_app(places: Path) -> None:
    async with shown() as (house, app, path):
        asked = {"Origin": "null", "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-y"}
        answer = checked(await house.client.options(f"{path}api", headers=asked))
        assert answer.status_code == 204
        assert answer.headers["Access-Control-Allow-Methods"] == "PUT"
        assert answer.headers["Access-Control-Allow-Headers"] == "x-y"
        assert app.seen == []


async def test_large_bodies_pass_both_ways(places: Path) -> None:
    async with shown() as (house, app, path):
        answer = checked(await house.client.get(f"{path}big"))
        assert len(answer.content) == BIG
        checked(await house.client.post(f"{path}up", content=b"u" * BIG))
        assert app.seen[-1][3] == BIG

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(40):
                yield b"p" * 65536

        checked(await house.client.post(f"{path}up", content=pieces()))
        assert app.seen[-1][3] == 40 * 65536


async def test_a_part_is_not_taken_for_the_whole(places: Path) -> None:
    async with shown() as (house, _, path):
        with pytest.raises(httpx.TransportError):
            await house.client.get(f"{path}cut")


async def test_events_are_not_held_back(places: Path) -> None:
    async with shown() as (house, _, path):
        async with house.client.stream("GET", f"{path}sse") as answer:
            checked(answer)
            chunks = [chunk async for chunk in answer.aiter_raw()]
        assert len(chunks) == 3
        async with house.client.stream("GET", f"{path}forever") as answer:
            await answer.aiter_raw().__anext__()
        # the app's side ends with the reader: hostile_app() asserts that nothing is left open


async def test_websocket_and_its_refusal(places: Path) -> None:
    async with shown() as (house, app, path):
        url = await origin(house)
        request = HTTPRequest(url.replace("http", "ws") + "ws", headers=CREDENTIALS)
        socket = await websocket_connect(request)
        for text in ("hello", "x" * 5000):
            await socket.write_message(text)
            with anyio.fail_after(45):
                assert await socket.read_message() == text
        assert "canary" not in json.dumps(app.seen[-1][2])
        assert "Set-Cookie" not in socket.headers
        assert socket.headers["Content-Security-Policy"] == SANDBOX
        socket.close()
        refused = checked(await house.client.get(f"{path}ws"))
        assert refused.status_code == 426
        h2c = {"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings", "HTTP2-Settings": "x"}
        checked(await house.client.get(path, headers=h2c))
        names = {name.lower() for name, _ in app.seen[-1][2]}
        assert not names & {"upgrade", "http2-settings"}


async def origin(house: House) -> str:
    """A preview by path at the engine's own port."""
    made = (await house.client.post("/api/v2/tasks/me/one/preview", json={"origin": True})).json()
    host = made["url"].removeprefix("http://").rstrip("/")
    assert host.startswith(made["path"].split("/")[1] + ".localhost:")
    return f"http://127.0.0.1:{host.rpartition(':')[2]}/{made['path']}"


async def test_the_engines_own_port(places: Path) -> None:
    async with shown() as (house, app, _):
        by_path = await origin(house)
        base, _, rest = by_path.removeprefix("http://").partition("/")
        word = rest.split("/")[1]
        async with httpx.AsyncClient() as client:

            async def ask(host: str, path: str) -> httpx.Response:
                return checked(await client.get(f"http://{base}{path}", headers={"Host": host}))

            port = base.rpartition(":")[2]
            for host in (f"{word}.localhost:{port}", f"{word}.localhost", f"{word.upper()}.LOCALHOST:{port}"):
                assert (await ask(host, "/a?b")).status_code == 200
                assert app.seen[-1][1] == "/a?b"
                assert (await ask(host, "/redirect/?to=/x")).headers["Location"] == "/x"
            assert (await ask(f"127.0.0.1:{port}", f"/{rest}a?b")).status_code == 200
            assert app.seen[-1][1] == "/a?b"
            moved = await ask(f"localhost:{port}", f"/{rest}redirect/?to=/x")
            assert moved.headers["Location"] == f"/{rest}x"
            count = len(app.seen)
            for host, path, status in (
                ("0" * 48 + ".localhost", "/", 404),
                ("127.0.0.1", "/", 404),
                ("localhost", "/api/v2/tasks", 404),
                (f"{word}.localhost", "/../..", 200),
                (f"{word}.evil.test", "/", 421),
                ("evil.test", f"/{rest}", 421),
                (f"{word}.localhost.evil.test", "/", 421),
            ):
                assert (await ask(host, path)).status_code == status, host
            assert len(app.seen) == count + 1
            # a prefix that a browser claims is not believed
            await client.get(by_path, headers={"X-Forwarded-Prefix": "/evil"})
            assert {n.lower(): v for n, v in app.seen[-1][2]}["x-forwarded-prefix"] == f"/preview/{word}"


async def test_the_capability_is_in_no_log(places: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with shown() as (house, _, path):
        words = {path.split("/")[2]}
        for name in ("", "garbage", "cut", "status?500", "redirect?to=http://evil.test"):
            try:
                await house.client.get(f"{path}{name}", headers={"Referer": f"http://x{path}"})
            except httpx.TransportError:
                continue
        by_path = await origin(house)
        words.add(by_path.split("/")[-2])
        async with httpx.AsyncClient() as client:
            await client.get(by_path)
            host = by_path.split("/")[-2] + ".localhost"
            await client.get(by_path.partition("/preview")[0] + "/garbage", headers={"Host": host})
        house.service.preview = lambda _word: 1 / 0  # type: ignore[method-assign,assignment,return-value]
        assert (await house.client.get(path)).status_code == 500
    text = "\n".join(
        caplog.handler.format(record) for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))
    )
    assert "[capability]" in text
    assert "ZeroDivisionError" in text
    for word in words:
        assert word not in text


async def test_a_reader_that_leaves_in_mid_upload_frees_the_app(places: Path) -> None:
    async with shown() as (house, app, path):
        with anyio.move_on_after(0.3):

            async def never() -> AsyncIterator[bytes]:
                yield b"x" * 1000
                await anyio.sleep_forever()

            await house.client.post(f"{path}up", content=never())
        await settle(lambda: app.open == 0)


async def test_a_slow_reader_is_waited_for(places: Path) -> None:
    async with shown() as (house, app, path):
        async with house.client.stream("GET", f"{path}endless") as answer:
            before = -1
            with anyio.fail_after(30):
                while app.sent != before:  # until every buffer on the way is full
                    before = app.sent
                    await anyio.sleep(0.1)
            assert app.sent < 16 * 1024 * 1024
            await answer.aiter_raw().__anext__()
        await settle(lambda: app.open == 0)
