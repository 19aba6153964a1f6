"""What of an agent's terminal reaches the user's own."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_tasks.cli.output import clean
from jupyter_tasks.cli.screen import Filter

PIECES = st.sampled_from([b"\x1b", *(bytes([c]) for c in b"[]P\\\x07;?cnm6A$p"), b"b;", b"52", b"text", "ü".encode()])


@pytest.mark.parametrize(
    "kept",
    [
        "plain grün 日本\r\n\t".encode(),
        b"\x1b[31mred\x1b[0m",
        b"\x1b[2J\x1b[H\x1b[10;20H\x1b[K",
        b"\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[?1000h",
        b"\x1b[4 q",
        b"\x1b(B\x1b7\x1b8\x1b=\x1b>\x1bM",
        b"\x1b[38;2;1;2;3m\x1b[1;24r",
        b"\x1b[!p",
    ],
)
def test_drawing_goes_through(kept: bytes) -> None:
    assert Filter().feed(kept) == kept


@pytest.mark.parametrize(
    "dropped",
    [
        b"\x1b]0;title\x07",
        b"\x1b]52;c;ZXZpbA==\x1b\\",
        b"\x1b]8;;file:///etc/passwd\x1b\\",
        b"\x1b]11;?\x07",
        b"\x1b]7501;x\x07",
        b"\x1bP+q544e\x1b\\",
        b"\x1bP1$r0m\x1b\\",
        b"\x1b_Gq\x1b\\",
        b"\x1b^x\x1b\\",
        b"\x1bXx\x1b\\",
        b"\x1b[c",
        b"\x1b[>c",
        b"\x1b[=c",
        b"\x1b[0c",
        b"\x1b[6n",
        b"\x1b[?6n",
        b"\x1b[>q",
        b"\x1b[>0q",
        b"\x1b[?2026$p",
        b"\x1b[18t",
        b"\x1b[21t",
        b"\x1b[?u",
        b"\x1b[>1u",
        b"\x1b[>4;2m",
        b"\x1b[?4m",
        b"\x1bZ",
        b"\x05",
    ],
)
def test_what_acts_or_asks_does_not(dropped: bytes) -> None:
    assert Filter().feed(b"a" + dropped + b"b") == b"ab"
    pieces = Filter()
    assert b"".join(pieces.feed(bytes([byte])) for byte in b"a" + dropped + b"b") == b"ab"


@given(st.lists(PIECES, max_size=30), st.integers(1, 7))
def test_how_the_bytes_are_cut_does_not_matter(pieces: list[bytes], size: int) -> None:
    data = b"".join(pieces) + b"END"
    whole, parts = Filter(), Filter()
    cut = b"".join(parts.feed(data[at : at + size]) for at in range(0, len(data), size))
    assert whole.feed(data) == cut


@given(st.lists(PIECES, max_size=40))
def test_nothing_that_asks_gets_through(pieces: list[bytes]) -> None:
    shown = Filter().feed(b"".join(pieces))
    assert not re.search(rb"\x1b[\]PX^_]|\x1b\[[0-9;?]*[cn]|\x1b\[[?0-9]*\$p", shown)


def test_the_terminal_is_put_in_order_as_it_was_left() -> None:
    screen = Filter()
    assert screen.reset().endswith(b"\x1b[999;1H")
    screen.feed(b"\x1b[?10")
    screen.feed(b"49hfull screen")
    assert screen.reset().endswith(b"\x1b[?1049l")
    screen.feed(b"\x1b[?1049l")
    assert b"\x1b[?1049l" not in screen.reset()
    assert screen.feed(screen.reset()) == screen.reset()


def test_an_endless_sequence_is_not_kept() -> None:
    screen = Filter()
    screen.feed(b"\x1b]0;")
    for _ in range(100):
        screen.feed(b"x" * 4096)
    assert screen.feed(b"\x07after").endswith(b"after")
    assert len(screen._rest) < 70_000


@given(st.text())
def test_clean_leaves_no_control(text: str) -> None:
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", clean(text))


def test_clean_keeps_words() -> None:
    assert clean("grün\t日本\n\x1b[31mred\x1b[0m \x1b]0;t\x07x") == "grün\t日本\nred x"
