"""Parts of the relay that need no server: frames, what is public, who keeps a server alive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import jsonschema
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import jupyter_tasks.server
from jupyter_tasks import models
from jupyter_tasks.server.event_relay import Frames, public
from jupyter_tasks.server.handlers.events import frame
from jupyter_tasks.server.keep_alive import KeepAlive
from jupyter_tasks.testing.clock import FakeClock

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

SCHEMA = yaml.safe_load(
    (Path(jupyter_tasks.server.__file__).parent / "event_schemas" / "task_state.v1.yaml").read_text("utf-8")
)


def event(number: int, data: dict[str, object]) -> models.Event:
    return models.Event.model_validate(
        {"id": number, "type": "task", "task_id": "t", "time": "2026-01-01T00:00:00Z", "data": data}
    )


@patient
@given(st.lists(st.text(), max_size=4), st.integers(1, 40))
def test_frames_come_whole_however_they_are_cut(words: list[str], size: int) -> None:
    raw = ": here\n\n" + "".join(frame(event(number, {"w": word})) for number, word in enumerate(words))
    encoded, parser = raw.encode(), Frames()
    found = [item for start in range(0, len(encoded), size) for item in parser.feed(encoded[start : start + size])]
    assert [(number, kind, json.loads(data)["data"]["w"]) for number, kind, data in found] == [
        (number, "task", word) for number, word in enumerate(words)
    ]


@patient
@given(st.lists(st.binary(max_size=50), max_size=10))
def test_frames_take_any_bytes(chunks: list[bytes]) -> None:
    parser = Frames()
    for chunk in chunks:
        list(parser.feed(chunk))


def test_a_very_long_line_is_cut_and_the_next_frame_is_whole() -> None:
    parser = Frames()
    assert not list(parser.feed(b"id: 1\nevent: message\ndata: "))
    for _ in range(40):
        assert not list(parser.feed(b"x" * 100_000))
    assert len(parser._line) <= 1024 * 1024
    found = list(parser.feed(b"\n\nid: 2\nevent: task\ndata: {}\n\n"))
    assert [number for number, _, _ in found] == [1, 2]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda each: st.lists(each, max_size=3),
    max_leaves=5,
)


@patient
@given(st.dictionaries(st.sampled_from(["id", "name", "status", "deleted", "attention", "actual", "prompt"]), JSON))
def test_what_is_public_is_of_the_schemas_words_alone(data: dict[str, Any]) -> None:
    assert set(public(1, "task", "t", data)) <= set(SCHEMA["properties"])


def test_every_word_of_the_wire_passes_the_schema() -> None:
    for status in models.TaskStatus:
        for state in models.TaskState:
            for summary in models.Summary:
                data = {"status": status.value, "state": state.value, "summary": summary.value, "deleted": False}
                jsonschema.validate(public(1, "task", "t" * 36, data), SCHEMA)
    for kind in models.Attention.model_fields["kind"].annotation.__args__:  # type: ignore[union-attr]
        data = {"attention": {"kind": kind, "text": "canary"}}
        made = public(1, "task", None, data)
        jsonschema.validate(made, SCHEMA)
        assert "canary" not in json.dumps(made)


async def test_work_is_told_at_once_then_each_minute_and_not_for_ever() -> None:
    clock, touched = FakeClock(), []
    alive = KeepAlive(1.0, lambda: touched.append(clock.monotonic()), clock)
    async with anyio.create_task_group() as group:
        group.start_soon(alive.run)
        await clock.advance(61)
        assert touched == []
        alive.see({"id": "a", "status": "active", "state": "working"})
        await clock.advance(120)
        assert touched == [61, 120, 180]
        alive.see({"id": "a", "status": "active", "state": "idle"})
        await clock.advance(120)
        assert touched == [61, 120, 180]
        alive.see({"id": "a", "status": "initializing"})
        await clock.advance(7200)
        assert len(touched) == 3 + 1 + 60, "an hour's stretch of work counts for an hour"
        alive.see({"id": "a", "deleted": True})
        assert alive.tasks == []
        group.cancel_scope.cancel()


def test_a_new_list_forgets_what_is_gone_and_keeps_since_when_the_rest_works() -> None:
    clock = FakeClock()
    alive = KeepAlive(1.0, lambda: None, clock)
    alive.see({"id": "a", "status": "pending"})
    alive.see({"id": "b", "status": "pending"})
    working = {"status": "active", "current_state": {"state": "working"}}
    alive.reset(
        [{"id": "b", **working}, {"id": "c", **working}, {"id": "d", "status": "active", "current_state": None}]
    )
    assert alive.tasks == ["b", "c"]
    alive.reset([{"id": "b", **working, "attention": {"kind": "question"}}])
    assert alive.working == 0
