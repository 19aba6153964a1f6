"""Server-sent events: any cut of the bytes, any bytes at all, and when a reader comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_tasks.errors import Conflict, EngineUnavailable, LinkLost, NotFound, TasksError, VersionMismatch
from jupyter_tasks.models import Event, EventType
from jupyter_tasks.notebook.sse import Follow, Frame, Parser
from jupyter_tasks.server.handlers.events import frame

NOW = "2026-01-01T00:00:00Z"


def event(number: int, text: str = "x") -> Event:
    return Event.model_validate({"id": number, "type": "usage", "time": NOW, "data": {"text": text}})


@given(st.lists(st.text(), max_size=5), st.data())
def test_what_the_engine_writes_is_read_for_any_cut(texts: list[str], data: st.DataObject) -> None:
    try:
        raw = b": here\n\n" + "".join(frame(event(n + 1, text)) for n, text in enumerate(texts)).encode()
    except (UnicodeEncodeError, ValueError):  # half a surrogate is no text
        return
    follow, found, at = Follow(0), [], 0
    follow.headers()
    while at < len(raw):
        size = data.draw(st.integers(1, 40))
        found += [one for one in follow.fed(raw[at : at + size]) if one is not None]
        at += size
    assert [one.data["text"] for one in found] == texts
    assert [one.id for one in found] == list(range(1, len(texts) + 1))


@given(st.binary(max_size=300), st.integers(1, 20))
def test_any_bytes_are_survived_and_their_cut_does_not_matter(raw: bytes, size: int) -> None:
    whole, parts = Parser(), Parser()
    cut = [one for at in range(0, len(raw), size) for one in parts.feed(raw[at : at + size])]
    assert whole.feed(raw) == cut


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_the_grammar(end: bytes) -> None:
    lines = [
        b": comment",
        b"id:7",
        b"event: task",
        b"data: a",
        b"data:  b",
        b"data",
        b"retry: 5",
        b"",
        b"data: x",
        b"",
        b"",
    ]
    assert Parser().feed(end.join(lines)) == [Frame("task", "a\n b\n", "7"), Frame("message", "x", None)]


def test_an_endless_frame_is_refused() -> None:
    for chunk in (b"x" * 65536, b"data: " + b"x" * 65536 + b"\n"):
        parser = Parser()
        for _ in range(255):
            parser.feed(chunk)
        with pytest.raises(LinkLost):
            parser.feed(chunk * 2)


def test_an_event_is_handed_out_once() -> None:
    follow = Follow(3)
    assert follow.headers()["Last-Event-ID"] == "3"
    raw = "".join(frame(event(number)) for number in (2, 3, 4, 4, 5)).encode()
    assert [one.id for one in follow.fed(raw) if one] == [4, 5]
    assert follow.headers()["Last-Event-ID"] == "5"


def test_a_heartbeat_and_a_kind_of_tomorrow_are_signs_of_life() -> None:
    follow = Follow(0)
    assert list(follow.fed(b": ping\n\n")) == [None]
    assert list(follow.fed(b"id: 1\nevent: hologram\ndata: {}\n\n")) == [None]


@pytest.mark.parametrize("data", ["{", "[]", "null", '{"time": "yesterday"}', "{}"])
def test_an_event_that_is_none_is_a_version_mismatch(data: str) -> None:
    with pytest.raises(VersionMismatch, match="task"):
        list(Follow(0).fed(f"id: 1\nevent: task\ndata: {data}\n\n".encode()))
    with pytest.raises(VersionMismatch):
        list(Follow(0).fed(b'id: one\nevent: task\ndata: {"time": "2026-01-01T00:00:00Z"}\n\n'))


def test_waits_grow_and_end() -> None:
    moment = [0.0]
    follow = Follow(0, now=lambda: moment[0])
    lost = EngineUnavailable("gone")
    delays = []
    while moment[0] <= 60:
        follow.headers()
        delays.append(follow.failed(lost))
        moment[0] += delays[-1]
    with pytest.raises(EngineUnavailable, match="60 s") as raised:
        follow.failed(lost)
    assert raised.value.detail == "gone"
    assert delays[:4] == [0.1, 0.2, 0.4, 0.8]
    assert max(delays) == 5.0


def test_a_far_end_that_closes_at_once_is_not_hammered() -> None:
    moment = [0.0]
    follow = Follow(0, now=lambda: moment[0])
    delays = []
    for _ in range(8):
        follow.headers()
        assert list(follow.fed(b": here\n\n")) == [None]
        delays.append(follow.failed(LinkLost("closed")))
        moment[0] += delays[-1]
    assert delays[-1] == 5.0
    follow.headers()
    moment[0] += 60
    list(follow.fed(b": ping\n\n"))  # one that lasted
    assert follow.failed(LinkLost("closed")) == 0.1


@pytest.mark.parametrize("error", [NotFound("gone"), VersionMismatch("old"), Conflict("no")])
def test_some_errors_are_no_reason_to_come_back(error: TasksError) -> None:
    with pytest.raises(type(error)):
        Follow(0).failed(error)


def test_a_deadline_shortens_the_patience() -> None:
    moment = [10.0]
    follow = Follow(0, deadline=12.0, now=lambda: moment[0])
    assert follow.patience() == 2.0
    moment[0] = 13.0
    assert follow.patience() > 0
    assert follow.failed(EngineUnavailable("quiet")) == 0.0
    assert Follow(0).patience() == 45.0


def test_every_kind_of_event_is_known() -> None:
    for kind in EventType:
        raw = frame(event(1).model_copy(update={"type": kind})).encode()
        assert [one.type for one in Follow(0).fed(raw) if one] == [kind]
