"""The engine's API over its socket: codes, bodies, errors, bounds, the version of the wire."""

from __future__ import annotations

import logging
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from engine_house import House, served, settle
from hostile_app import hostile_app

from jupyter_tasks import errors, models
from jupyter_tasks.server import errors as server_errors
from jupyter_tasks.server import listening
from jupyter_tasks.server.handlers.base import LARGEST_BODY
from jupyter_tasks.testing.service import OWNER, OWNER_ID, FakeService, FakeTerminal

API = "/api/v2"


async def make(house: House, name: str = "one", text: str = "do it") -> dict[str, object]:
    answer = await house.client.post(f"{API}/tasks/me", json={"input": text, "name": name})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_codes_and_bodies_are_coders(places: Path) -> None:
    async with served() as house:
        client = house.client
        made = await make(house)
        task = f"{API}/tasks/me/one"
        assert models.Task.model_validate(made).initial_prompt == "do it"
        listed = await client.get(f"{API}/tasks", params={"q": "status:pending"})
        assert (listed.status_code, listed.json()["count"]) == (200, 1)
        assert house.service.calls[-1] == ("list", "status:pending")
        assert (await client.get(task)).json()["id"] == made["id"]
        sent = await client.post(f"{task}/send", json={"input": "hi", "key": "k"})
        assert (sent.status_code, sent.content) == (204, b"")
        assert house.service.calls[-1] == ("send", OWNER_ID, "one", "hi", "k")
        assert (await client.get(f"{task}/messages")).json()["messages"][0]["parts"] == [{"type": "text", "text": "hi"}]
        assert (await client.get(f"{task}/logs")).json()["logs"][0]["type"] == "input"
        assert (await client.post(f"{task}/interrupt")).json() == {"interrupted": False}
        paused = await client.post(f"{task}/pause")
        assert (paused.status_code, paused.json()["workspace_build"]["transition"]) == (202, "stop")
        patched = await client.patch(f"{task}/input", json={"input": "else"})
        assert (patched.status_code, patched.content) == (204, b"")
        resumed = await client.post(f"{task}/resume")
        assert (resumed.status_code, resumed.json()["workspace_build"]["reason"]) == (202, "task_resume")
        assert isinstance((await client.get(f"{task}/builds")).json(), list)
        assert (await client.get(f"{task}/diff")).json()["patch"] == ""
        gone = await client.delete(task)
        assert (gone.status_code, gone.content) == (202, b"")
        assert (await client.get(task)).status_code == 404


async def test_the_rest_of_the_resources(places: Path) -> None:
    async with served() as house:
        client = house.client
        assert (await client.get(f"{API}/usage")).json()["included"] == 1000
        entitled = (await client.get(f"{API}/entitlements")).json()["features"]["managed_agent_limit"]
        assert (entitled["limit"], entitled["actual"], entitled["enabled"]) == (1000, 0, True)
        assert set(entitled["usage_period"]) == {"issued_at", "start", "end"}
        assert (await client.get(f"{API}/templates")).json()["templates"][0]["name"] == "quickstart"
        assert (await client.get(f"{API}/templates/quickstart")).json()["parameters"] == []
        missing = await client.get(f"{API}/templates/nope")
        assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
        assert (await client.get(f"{API}/buildinfo")).json()["wire"] == models.WIRE
        assert (await client.get(f"{API}/engine/doctor")).status_code == 404
        asked = await client.post(f"{API}/engine/handover")
        assert (asked.status_code, house.handovers) == (202, ["asked"])


@pytest.mark.parametrize("user", ["me", OWNER, OWNER.upper(), OWNER_ID, OWNER_ID.upper()])
async def test_the_user_is_the_owner(places: Path, user: str) -> None:
    async with served() as house:
        await make(house)
        assert (await house.client.get(f"{API}/tasks/{user}/one")).status_code == 200


async def test_anybody_else_is_unknown(places: Path) -> None:
    async with served() as house:
        await make(house)
        answer = await house.client.get(f"{API}/tasks/bob/one")
        assert answer.status_code == 404
        assert answer.json()["message"] == "Resource not found or you do not have access to this resource"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "body"),
        (b"", "body"),
        (b"[1]", "body"),
        (b'{"input": 3}', "input"),
        (b'{"input": "x", "parameters": {"a": 1}}', "parameters.a"),
        (b"\xff\xfe", "body"),
        (b'{"input": "\\ud800"}', "body"),
    ],
)
async def test_bad_bodies_name_the_field(places: Path, body: bytes, field: str) -> None:
    async with served() as house:
        answer = await house.client.post(f"{API}/tasks/me", content=body)
        assert answer.status_code == 400, answer.text
        assert [each["field"] for each in answer.json()["validations"]] == [field]
        assert house.service.calls == []


async def test_long_prompts_pass_and_too_large_bodies_are_told(places: Path) -> None:
    async with served() as house:
        prompt = "a line of a prompt that is rather long\n" * 10_000
        made = await make(house, text=prompt)
        assert made["initial_prompt"] == prompt
        answer = await house.client.post(f"{API}/tasks/me", content=b"x" * (LARGEST_BODY + 1))
        assert answer.status_code == 400
        assert "too large" in answer.json()["message"]

        async def endless() -> object:  # chunked: without a length
            for _ in range(6):
                yield b"y" * 1024 * 1024

        answer = await house.client.post(f"{API}/tasks/me", content=endless())
        assert answer.status_code == 400
        assert (await house.client.get(f"{API}/tasks")).json()["count"] == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [("kind=nope", "kind"), ("offset=x", "offset"), ("follow=maybe", "follow"), ("after=1e9", "after")],
)
async def test_bad_queries_name_the_field(places: Path, query: str, field: str) -> None:
    resource = {"kind": "logs", "offset": "terminal", "follow": "terminal", "after": "events"}[field]
    async with served() as house:
        await make(house)
        answer = await house.client.get(f"{API}/tasks/me/one/{resource}?{query}")
        assert answer.status_code == 400, answer.text
        assert answer.json()["validations"][0]["field"] == field


async def test_unknown_routes_and_verbs(places: Path) -> None:
    async with served() as house:
        for path in ("/", "/api/v2", "/api/v2/nope", "/api/v2/tasks/", "/api/v2/tasks/me/one/%73end"):
            answer = await house.client.get(path)
            assert (answer.status_code, answer.json()["message"]) == (404, "Route not found."), path
        answer = await house.client.put(f"{API}/tasks/me/one")
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    ("spoken", "status", "word"),
    [
        (str(models.WIRE), 200, ""),
        (str(models.WIRE_OLDEST - 1), 426, "client runs"),
        (str(models.WIRE + 1), 426, "engine runs"),
        ("x", 400, ""),
    ],
)
async def test_the_wire_version(places: Path, spoken: str, status: int, word: str) -> None:
    async with served() as house:
        header = {"Jupyter-Tasks-Wire": spoken}
        answer = await house.client.get(f"{API}/tasks", headers=header)
        assert answer.status_code == status
        assert answer.headers["Jupyter-Tasks-Wire"] == str(models.WIRE)
        assert word in (answer.json().get("hint") or "")
        # whatever it speaks, it may learn who answers and ask it to make room
        assert (await house.client.get(f"{API}/buildinfo", headers=header)).status_code == 200
        assert (await house.client.post(f"{API}/engine/handover", headers=header)).status_code == 202


def test_every_error_has_a_status() -> None:
    for name in errors.__all__:
        kind = getattr(errors, name)
        if isinstance(kind, type) and issubclass(kind, errors.TasksError):
            assert kind in server_errors.STATUS
            assert server_errors.status_of(kind("m")) == server_errors.STATUS[kind]


def test_a_new_error_has_the_status_of_its_parent() -> None:
    class Odd(errors.AgentBusy):
        pass

    assert server_errors.status_of(Odd("m")) == 409


def test_a_template_error_shows_its_places() -> None:
    found = errors.Diagnostic(severity="error", summary="no such thing", file="main.tf", line=3, column=2, source=" x")
    body = server_errors.error_body(errors.TemplateInvalid("The template is wrong.", diagnostics=(found,)))
    assert body.validations == [models.ValidationError(field="main.tf:3:2", detail="no such thing")]
    assert "main.tf:3:2: error: no such thing" in (body.detail or "")


class Failing(FakeService):
    async def usage(self) -> models.UsageResponse:
        raise RuntimeError("secret-inside-4711")

    async def templates(self) -> models.TemplatesResponse:
        async with anyio.create_task_group():  # wraps it in a group
            raise errors.LimitReached("No more.", hint="Wait.", detail="8 of 8")

    @asynccontextmanager
    async def terminal(self, user: str, task: str, *, offset: int, follow: bool) -> AsyncIterator[FakeTerminal]:
        yield Breaking(b"x" * 5000, 0)


class Breaking(FakeTerminal):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.content
        raise errors.LinkLost("The link is gone.")


async def test_mistakes_of_ours_show_nothing_of_the_inside(places: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with served(Failing()) as house:
        answer = await house.client.get(f"{API}/usage")
        assert answer.status_code == 500
        assert "secret-inside-4711" not in answer.text
        logged = [record for record in caplog.records if record.exc_info]
        assert "secret-inside-4711" in str(logged[0].exc_info)
        reference = logged[0].getMessage().partition(":")[0]
        assert reference in answer.json()["hint"]


async def test_an_error_of_the_tree_is_told_whole(places: Path) -> None:
    async with served(Failing()) as house:
        answer = await house.client.get(f"{API}/templates")
        assert answer.status_code == 403
        assert answer.json() == {
            "message": "No more.", "hint": "Wait.", "detail": "8 of 8", "code": "limit_reached", "retryable": False,
        }  # fmt: skip


async def test_the_terminal(places: Path) -> None:
    async with served(FakeService(terminal_bytes=bytes(range(256)) * 100)) as house:
        await make(house)
        path = f"{API}/tasks/me/one/terminal"
        whole = await house.client.get(path)
        assert whole.content == house.service.terminal_bytes
        assert (whole.headers["X-Terminal-Cols"], whole.headers["X-Terminal-Rows"]) == ("80", "24")
        tail = await house.client.get(path, params={"offset": "-10"})
        assert (tail.content, tail.headers["X-Terminal-Offset"]) == (house.service.terminal_bytes[-10:], "25590")
        typed = [await house.client.post(path, json={"data": "eA==", "key": "k"}) for _ in range(2)]
        assert [answer.json()["already"] for answer in typed] == [False, True]


async def test_a_stream_that_breaks_is_cut_off(places: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with served(Failing()) as house:
        with pytest.raises(httpx.TransportError):
            await house.client.get(f"{API}/tasks/me/one/terminal")
    assert "ended early: The link is gone." in caplog.text


async def test_the_socket_is_ours_alone(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served() as house:
        assert stat.S_IMODE(house.socket.stat().st_mode) == 0o600
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(house.socket))
            assert listening.peer_uid(sock) == os.getuid()
        monkeypatch.setattr(listening.os, "getuid", lambda: 12345)
        with pytest.raises(httpx.TransportError):
            await house.client.get(f"{API}/buildinfo")


async def test_who_is_connected_is_counted(places: Path) -> None:
    async with served() as house:
        assert house.activity.connections == 0
        async with house.client.stream("GET", f"{API}/events"):
            assert house.activity.connections == 1
            assert house.activity.quiet_for() == 0
        await settle(lambda: house.activity.connections == 0)
        await house.clock.advance(5)
        assert house.activity.quiet_for() == 5


async def test_the_log_holds_no_query(places: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with served() as house:
        await house.client.get(f"{API}/tasks", params={"q": "canary-77"})
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(("jupyter_tasks", "tornado"))]
    assert any("/api/v2/tasks" in line for line in ours)
    assert not any("canary-77" in line for line in ours)


async def test_a_tasks_agentapi_is_passed_on_and_not_believed(places: Path) -> None:
    async with hostile_app() as app, served(FakeService(agentapi_port=app.port)) as house:
        await make(house)
        base = f"{API}/tasks/me/one/agentapi"
        headers = {"Cookie": "canary", "Authorization": "canary", "X-Other": "canary"}
        body = {"content": "hi", "type": "user"}
        answer = await house.client.post(f"{base}/message?a=b%2Fc", json=body, headers=headers)
        assert (answer.status_code, answer.json()) == (200, {"ok": True})
        method, target, seen, size = app.seen[-1]
        assert (method, target) == ("POST", "/message?a=b%2Fc")
        assert size > 10
        assert "canary" not in str(seen)
        assert answer.headers.get_list("Content-Security-Policy")[0] == "sandbox"
        assert "Set-Cookie" not in answer.headers
        assert "Access-Control-Allow-Origin" not in answer.headers
        async with house.client.stream("GET", f"{base}/sse") as stream:
            assert len([chunk async for chunk in stream.aiter_raw()]) == 3
        moved = await house.client.get(f"{base}/redirect?to=/lab")
        assert (moved.status_code, "Location" in moved.headers) == (302, False)
        broken = await house.client.get(f"{base}/garbage")
        assert (broken.status_code, broken.json()["code"]) == (502, "app_unreachable")


async def test_a_task_without_agentapi_says_so(places: Path) -> None:
    async with served() as house:
        await make(house)
        assert (await house.client.get(f"{API}/tasks/me/one/agentapi/status")).status_code == 409
