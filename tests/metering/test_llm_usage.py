"""What is read out of answers that pass, however they are cut; and what it costs."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_tasks.metering.gateway_headers import vendor_words
from jupyter_tasks.metering.gateway_redact import Redactor
from jupyter_tasks.metering.llm_usage import Usage
from jupyter_tasks.metering.llm_usage_tee import MOST_DOCUMENT, MOST_EVENT, Tee
from jupyter_tasks.metering.prices import Prices, dollars


def event(data: Any, end: str = "\n") -> bytes:
    return f"event: x{end}data: {json.dumps(data)}{end}{end}".encode()


ANTHROPIC = [
    {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 7, "cache_read_input_tokens": 3}}},
    {"type": "content_block_delta", "delta": {"text": 'a "usage": {"output_tokens": 9999} \n\n data: "usage":{}'}},
    {
        "type": "message_delta",
        "usage": {
            "output_tokens": 30,
            "cache_creation_input_tokens": 5,
            "cache_creation": {"ephemeral_1h_input_tokens": 2},
        },
    },
    {"type": "message_stop"},
]
CHAT = [
    {"model": "gpt-5", "choices": [{"delta": {"content": "x"}}], "usage": None},
    {
        "model": "gpt-5",
        "choices": [],
        "usage": {"prompt_tokens": 10, "completion_tokens": 30, "prompt_tokens_details": {"cached_tokens": 3}},
    },
]
RESPONSES = [
    {"type": "response.output_text.delta", "delta": "x"},
    {
        "type": "response.completed",
        "response": {
            "model": "gpt-5-codex",
            "error": None,
            "usage": {"input_tokens": 10, "output_tokens": 30, "input_tokens_details": {"cached_tokens": 3}},
        },
    },
]
GEMINI = [
    {
        "modelVersion": "gemini-2.5-pro",
        "usageMetadata": {
            "promptTokenCount": 10,
            "cachedContentTokenCount": 3,
            "candidatesTokenCount": 20,
            "thoughtsTokenCount": 10,
        },
    }
]
STREAMS = [("anthropic", ANTHROPIC), ("openai", CHAT), ("openai", RESPONSES), ("gemini", GEMINI)]


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(places)]


@pytest.mark.parametrize(("wire", "stream"), STREAMS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@given(cuts=st.lists(st.integers(0, 10_000), max_size=30))
def test_streams(wire: Any, stream: list[Any], end: str, cuts: list[int]) -> None:
    tee = Tee(wire, "text/event-stream; charset=utf-8")
    for piece in pieces(b"".join(event(each, end) for each in stream) + b"data: [DONE]\n\n", cuts):
        tee.feed(piece)
    usage = tee.finish()
    assert (usage.seen, usage.input, usage.output, usage.cache_read) == (True, 7, 30, 3)
    assert (usage.cache_write, usage.cache_write_hour) == ((5, 2) if wire == "anthropic" else (0, 0))
    assert usage.model
    assert usage.problem == ""


@pytest.mark.parametrize(("wire", "stream"), STREAMS)
@given(cuts=st.lists(st.integers(0, 10_000), max_size=10))
def test_documents(wire: Any, stream: list[Any], cuts: list[int]) -> None:
    whole = {}
    for each in stream:
        whole |= each.get("message") or each.get("response") or {}
        whole |= {
            key: value for key, value in each.items() if key in ("usage", "model", "modelVersion", "usageMetadata")
        }
    if wire == "anthropic":
        whole["usage"] = {**stream[0]["message"]["usage"], **stream[2]["usage"]}
    tee = Tee(wire, "application/json")
    for piece in pieces(json.dumps(whole).encode(), cuts):
        tee.feed(piece)
    usage = tee.finish()
    assert (usage.seen, usage.input, usage.output, usage.cache_read) == (True, 7, 30, 3)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "usage",
                    "message",
                    "response",
                    "model",
                    "input_tokens",
                    "error",
                    "type",
                    "usageMetadata",
                    "cache_creation",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(
    wire=st.sampled_from(["anthropic", "openai", "gemini"]),
    kind=st.sampled_from(["text/event-stream", "application/json", ""]),
    content=st.lists(st.binary(max_size=40) | JSON.map(lambda value: event(value)), max_size=6),
    cuts=st.lists(st.integers(0, 1000), max_size=10),
)
def test_nothing_that_passes_raises(wire: Any, kind: str, content: list[bytes], cuts: list[int]) -> None:
    data = b"".join(content)
    found = []
    for parts in (pieces(data, cuts), [data]):
        tee = Tee(wire, kind)
        for piece in parts:
            tee.feed(piece)
        found.append(tee.finish())
    assert found[0] == found[1]
    assert all(
        isinstance(value, int) and value >= 0 for value in (found[0].input, found[0].output, found[0].cache_read)
    )


def test_memory_is_bounded() -> None:
    tee = Tee("anthropic", "text/event-stream")
    for _ in range(MOST_EVENT // 65536 + 10):
        tee.feed(b"data: " + b"x" * 65530)
    assert len(tee._line) <= MOST_EVENT
    tee.feed(b"\n\n" + event(ANTHROPIC[2]))
    assert tee.finish().output == 30  # what follows is read
    assert "too long" in tee.lost
    document = Tee("anthropic", "application/json")
    for _ in range(MOST_DOCUMENT // 65536 + 10):
        document.feed(b"x" * 65536)
    assert document.finish() == Usage()
    assert "too long" in document.lost


def test_errors_within_streams() -> None:
    for wire, data in (
        ("anthropic", {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
        ("openai", {"error": {"message": "Overloaded"}}),
        ("openai", {"type": "error", "message": "Overloaded"}),
        ("openai", {"type": "response.failed", "response": {"error": {"message": "Overloaded"}, "usage": None}}),
    ):
        tee = Tee(wire, "text/event-stream")  # type: ignore[arg-type]
        tee.feed(event(data))
        assert tee.finish().problem == "The answer broke off with the vendor's error: Overloaded"


@given(
    secret=st.binary(min_size=1, max_size=8),
    words=st.lists(st.binary(max_size=6) | st.none(), max_size=8),
    cuts=st.lists(st.integers(0, 100), max_size=20),
)
def test_redaction_however_it_is_cut(secret: bytes, words: list[bytes | None], cuts: list[int]) -> None:
    data = b"".join(secret if word is None else word for word in words)
    redactor = Redactor(secret)
    sent = b"".join(redactor.feed(piece) for piece in pieces(data, cuts)) + redactor.finish()
    assert len(sent) == len(data)
    assert secret not in sent or set(secret) == {ord("*")}
    if secret not in data:
        assert sent == data


def test_what_cannot_be_the_secret_is_not_held_back() -> None:
    redactor = Redactor(b"sk-1234")
    assert redactor.feed(b"data: sk-12x") == b"data: sk-12x"
    assert redactor.feed(b"sk-") == b""
    assert redactor.feed(b"x") == b"sk-x"


@pytest.mark.parametrize(
    ("model", "usage", "cost"),
    [
        ("claude-sonnet-4-5-20250929", {"input": 1_000_000 // 10, "output": 10}, 300_150),
        ("claude-sonnet-4-5", {"input": 100, "cache_read": 300_000}, 180_600),
        ("claude-haiku-4-5", {"cache_write": 100, "cache_write_hour": 40}, 155),
        ("claude-opus-4-5-20251101", {"output": 1}, 25),
        ("claude-opus-4-50", {"output": 1}, None),
        ("gpt-5-pro", {"input": 1, "cache_read": 1}, None),
        ("no-such-model", {"input": 1}, None),
        ("no-such-model", {}, 0),
        ("mine-7b", {"input": 3}, 1),
        ("mine-70b", {"input": 3}, 30),
    ],
)
def test_prices(model: str, usage: dict[str, int], cost: int | None) -> None:
    own = {"mine-*": {"input": 0.2, "output": 1}, "mine-70b": {"input": "10", "output": 1}}
    assert Prices(own).cost(Usage(model=model, **usage)) == cost  # type: ignore[arg-type]


def test_own_prices_come_first_and_dates_are_no_part_of_a_name() -> None:
    own = Prices({"gpt-5": {"input": 7, "output": 7}})
    price = own.of("gpt-5-2025-08-07")
    assert price is not None
    assert price.input == Decimal(7)


@pytest.mark.parametrize("entry", [{}, {"input": 1}, {"input": -1, "output": 1}, {"input": "nan", "output": 1}, 3,
                                   {"input": 1, "output": 1, "cached": 1}])  # fmt: skip
def test_prices_that_are_none(entry: Any) -> None:
    with pytest.raises(ValueError, match="model-x"):
        Prices({"model-x": entry})


def test_dollars() -> None:
    assert [dollars(each) for each in (0, 300, 12_300, 1_000_000, 2_500_001)] == [
        "0.00",
        "0.0003",
        "0.0123",
        "1.00",
        "2.500001",
    ]


@given(st.binary(max_size=100) | JSON.map(lambda value: json.dumps(value).encode()))
def test_vendors_words_are_printable(body: bytes) -> None:
    assert vendor_words(body).isprintable()
