"""Events as server-sent events: frames, resume, heartbeat, end."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import anyio
import pytest
from engine_house import House, served, settle

from jupyter_tasks import models
from jupyter_tasks.server.exchange import Exchange
from jupyter_tasks.server.handlers.events import HEARTBEAT, frame

API = "/api/v2"


class Reader:
    """Reads frames from a stream."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    async def frame(self) -> dict[str, str]:
        """The next frame; comments count as ``{"": text}``, the end as ``{}``."""
        with anyio.fail_after(45):
            while b"\n\n" not in self._rest:
                chunk = await anext(self._chunks, b"")
                if not chunk:
                    return {}
                self._rest += chunk
        raw, _, self._rest = self._rest.partition(b"\n\n")
        pairs = (line.partition(":") for line in raw.decode().split("\n"))
        return {name: value.strip() for name, _, value in pairs}


@asynccontextmanager
async def reading(house: House, path: str, **headers: str) -> AsyncIterator[Reader]:
    exchange = Exchange(await anyio.connect_unix(str(house.socket)))
    await exchange.send_head("GET", f"{API}/{path}", [("Host", "engine"), *headers.items()])
    await exchange.end_body()
    head = await exchange.head(45)
    assert head.status == 200
    found = {name.lower(): value for name, value in head.headers}
    assert (found["content-type"], found["x-accel-buffering"]) == ("text/event-stream", "no")
    try:
        async with aclosing(exchange.body()) as chunks:
            reader = Reader(chunks)
            assert await reader.frame() == {"": "here"}
            yield reader
    finally:
        await exchange.aclose()


async def test_events_come_as_they_happen(places: Path) -> None:
    async with served() as house, reading(house, "events") as reader:
        made = await house.service.create("me", models.CreateTaskRequest(input="x"))
        got = await reader.frame()
        assert (got["id"], got["event"]) == ("1", "task")
        data = json.loads(got["data"])
        assert set(data) == {"task_id", "time", "data"}
        assert data["task_id"] == made.id
        house.service.publish(models.EventType.usage, None, {"actual": 1})
        assert (await reader.frame())["event"] == "usage"


async def test_a_reader_resumes_where_it_was(places: Path) -> None:
    async with served() as house:
        for number in range(5):
            house.service.publish(models.EventType.usage, None, {"actual": number})
        async with reading(house, "events", **{"Last-Event-ID": "3"}) as reader:
            assert [(await reader.frame())["id"] for _ in range(2)] == ["4", "5"]
        async with reading(house, "events?after=4") as reader:
            assert (await reader.frame())["id"] == "5"
        async with reading(house, "events") as reader:
            house.service.publish(models.EventType.usage, None, {})
            assert (await reader.frame())["id"] == "6"


async def test_one_task_alone(places: Path) -> None:
    async with served() as house:
        one = await house.service.create("me", models.CreateTaskRequest(name="one"))
        await house.service.create("me", models.CreateTaskRequest(name="two"))
        async with reading(house, "tasks/me/one/events?after=0") as reader:
            assert json.loads((await reader.frame())["data"])["task_id"] == one.id
            await house.service.send("me", "two", "not for you")
            await house.service.send("me", "one", "line\none\r\ntwo")
            got = await reader.frame()
            assert got["event"] == "message"
            assert json.loads(got["data"])["data"]["message"]["parts"][0]["text"] == "line\none\r\ntwo"
        assert (await house.client.get(f"{API}/tasks/me/none/events")).status_code == 404


async def test_a_silent_stream_has_a_heartbeat(places: Path) -> None:
    async with served() as house, reading(house, "events") as reader:
        for _ in range(2):
            await settle(lambda: house.clock.sleepers)
            await house.clock.advance(HEARTBEAT)
            assert await reader.frame() == {"": "ping"}


async def test_it_ends_when_the_subscription_ends(places: Path) -> None:
    async with served() as house, reading(house, "events") as reader:
        house.service.end_streams()
        assert await reader.frame() == {}


async def test_a_reader_that_goes_is_forgotten(places: Path) -> None:
    async with served() as house:
        async with reading(house, "events"):
            assert len(house.service._readers) == 1
        await settle(lambda: not house.service._readers)


@pytest.mark.parametrize("word", ["x", "-", "99999999999999999999999"])
async def test_a_wrong_id_is_told(places: Path, word: str) -> None:
    async with served() as house:
        answer = await house.client.get(f"{API}/events", headers={"Last-Event-ID": word})
        assert (answer.status_code, answer.json()["validations"][0]["field"]) == (400, "after")


def test_no_text_can_break_a_frame() -> None:
    hostile = "a\n\nid: 99\nevent: task\r\r\u2028data: {}"
    event = models.Event.model_validate(
        {"id": 1, "type": "message", "time": "2026-01-01T00:00:00Z", "data": {"text": hostile}}
    )
    lines = frame(event).split("\n")
    assert len(lines) == 5
    assert "\r" not in frame(event)
    assert json.loads(lines[2].removeprefix("data: "))["data"]["text"] == hostile
