"""Both emulators pass one list: what is drawn, what is answered, what is heard, and that nothing upsets them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_tasks.agentapi.avt import AvtEmulator
from jupyter_tasks.agentapi.emulator import HISTORY_ROWS, MAX_REPLY, MAX_SIGNALS, MAX_TITLE, Emulator, new_emulator
from jupyter_tasks.agentapi.ghostty import GhosttyEmulator

Make = Callable[[int, int], Emulator]
EMULATORS = [GhosttyEmulator, AvtEmulator]


@pytest.fixture(params=EMULATORS, ids=["ghostty", "avt"])
def make(request: pytest.FixtureRequest) -> Make:
    return request.param  # type: ignore[no-any-return]


DRAWN = [
    ("plain", b"one\r\ntwo", ["one", "two", "", ""]),
    ("wraps", b"x" * 25, ["x" * 20, "x" * 5, "", ""]),
    ("moves and erases", b"abc\x1b[2;3Hdef\x1b[1;2H\x1b[K", ["a", "  def", "", ""]),
    ("scrolls", b"1\r\n2\r\n3\r\n4\r\n5", ["2", "3", "4", "5"]),
    ("scroll region", b"a\r\nb\r\nc\r\nd\x1b[2;3r\x1b[3;1H\n\x1b[r", ["a", "c", "", "d"]),
    ("alternate screen and back", b"main\x1b[?1049h\x1b[Halt\x1b[?1049l", ["main", "", "", ""]),
    ("wide", "日本x".encode(), ["日本x", "", "", ""]),
    ("colours", b"\x1b[38;2;1;2;3mred\x1b[38:2::1:2:3mder\x1b[0m", ["redder", "", "", ""]),
    ("private modes", b"\x1b[?2004h\x1b[>5u\x1b[>4;2m\x1b[?2026hok\x1b[?2026l", ["ok", "", "", ""]),
    ("strings are not drawn", b"a\x1bPq#0\x1b\\b\x1b_Gi=1\x1b\\c\x1b]52;c;eA==\x07d", ["abcd", "", "", ""]),
    ("not UTF-8", b"a\xffb\xe2\x82c", ["a\ufffdb\ufffdc", "", "", ""]),
    ("backspace", b"x\bok", ["ok", "", "", ""]),
]


@pytest.mark.parametrize(("data", "rows"), [case[1:] for case in DRAWN], ids=[case[0] for case in DRAWN])
def test_draws(make: Make, data: bytes, rows: list[str]) -> None:
    whole, cut = make(20, 4), make(20, 4)
    whole.feed(data)
    for at in range(len(data)):
        cut.feed(data[at : at + 1])
    assert whole.rows() == rows
    assert cut.rows() == rows


def test_history_is_kept_in_order_and_bounded(make: Make) -> None:
    emulator = make(20, 4)
    emulator.feed(b"\r\n".join(b"%d" % n for n in range(1_000)))
    assert emulator.lines() == [str(n) for n in range(1_000)][-len(emulator.lines()) :]
    assert len(emulator.lines()) == 1_000
    emulator.feed(b"\r\n".join(b"%d" % n for n in range(9_000)))
    assert len(emulator.lines()) <= HISTORY_ROWS + 4
    emulator.feed(b"\x1b[?1049h\x1b[Halt")
    assert emulator.lines() == ["alt", "", "", ""]


def test_resizes_within_bounds(make: Make) -> None:
    emulator = make(0, 100_000)
    assert emulator.size == (2, 2_000)
    emulator.resize(40, 3)
    emulator.feed(b"x" * 30)
    assert emulator.size == (40, 3)
    assert emulator.rows()[0].endswith("x" * 30) or "x" * 30 in "".join(emulator.rows())


ANSWERED = [
    ("device attributes", b"\x1b[c", b"\x1b[?62;22c"),
    ("cursor", b"ab\r\nc\x1b[6n", b"\x1b[2;2R"),
    ("status", b"\x1b[5n", b"\x1b[0n"),
    ("keyboard", b"\x1b[?u", b"\x1b[?0u"),
    ("synchronized output", b"\x1b[?2026$p", b"\x1b[?2026;2$y"),
    ("program status, ST", b"\x1b]7501;?\x1b\\", b"\x1b]7501;?\x1b\\"),
    ("program status, BEL", b"\x1b]7501;?\x07", b"\x1b]7501;?\x07"),
    ("no query", b"\x1b[31mred", b""),
]


@pytest.mark.parametrize(("data", "reply"), [case[1:] for case in ANSWERED], ids=[case[0] for case in ANSWERED])
def test_answers(make: Make, data: bytes, reply: bytes) -> None:
    emulator = make(20, 4)
    for at in range(len(data)):
        emulator.feed(data[at : at + 1])
    assert emulator.take_replies() == reply
    assert emulator.take_replies() == b""


def test_names_itself_and_its_colours(make: Make) -> None:
    emulator = make(20, 4)
    emulator.feed(b"\x1b[>0q")
    assert emulator.take_replies().startswith(b"\x1bP>|")
    emulator.feed(b"\x1b]10;?\x1b\\\x1b]11;?\x07")
    assert emulator.take_replies() == b"\x1b]10;rgb:d8d8/d8d8/d8d8\x1b\\\x1b]11;rgb:1818/1818/1818\x07"


def test_answers_in_the_order_of_the_stream(make: Make) -> None:
    """The probe comes before DA1, which programs read as "nothing more will come"."""
    emulator = make(20, 4)
    emulator.feed(b"\x1b]7501;?\x1b\\\x1b[c\x1b[6nab\x1b[6n")
    assert emulator.take_replies() == b"\x1b]7501;?\x1b\\\x1b[?62;22c\x1b[1;1R\x1b[1;3R"


def test_hears_program_status_in_order(make: Make) -> None:
    emulator = make(20, 4)
    emulator.feed(b"\x1b]7501;state=idle:app=x\x1b\\text\x1b]7501;state=work")
    assert emulator.take_signals() == ["state=idle:app=x"]
    emulator.feed(b"ing\x07\x1b]7501;?\x07\x1b]7502;state=no\x07")
    assert emulator.take_signals() == ["state=working"]
    assert emulator.take_signals() == []
    assert emulator.rows()[0] == "text"


def test_hears_the_title(make: Make) -> None:
    emulator = make(20, 4)
    emulator.feed(b"\x1b]0;first\x07\x1b]2;" + "◐ Claude".encode() + b"\x1b\\")
    assert emulator.title == "◐ Claude"
    emulator.feed(b"\x1b]2;" + b"t" * 2_000 + b"\x07")
    assert len(emulator.title) <= MAX_TITLE


def test_floods_are_bounded(make: Make) -> None:
    emulator = make(20, 4)
    emulator.feed(b"\x1b[c" * 50_000)
    assert 0 < len(emulator.take_replies()) <= MAX_REPLY
    emulator.feed(b"\x1b]7501;state=idle\x07" * 1_000)
    assert len(emulator.take_signals()) == MAX_SIGNALS
    emulator.feed(b"\x1b]7501;" + b"x" * 5_000_000)
    emulator.feed(b"\x07after")
    assert emulator.take_signals() == []
    assert emulator.rows()[0] == "after"
    emulator.feed(b"\x1b[" + b"1;" * 100_000 + b"m")
    emulator.feed(b"\x1bc" + b"alive")
    assert emulator.rows()[0] == "alive"


_PIECES = st.sampled_from(
    [
        *(b"\x1b", b"\x1b[", b"\x1b]7501;", b"\x1b]0;", b"\x1bP", b"\x07", b"\x1b\\", b"\x18", b"?", b";", b"2004"),
        *(b"h", b"J", b"H", b"r", b"\r\n", b"\xff", b"\xc2", b"\xe2\x94\x80", b"text", b"\x1b[?1049h", b"\x00"),
        *(b"\x1b[999;999H", b"\x1b[9999b", b"\x1b[6n", b"\x1b[L"),
    ]
)


@settings(max_examples=examples(60))
@given(
    pieces=st.lists(_PIECES | st.binary(max_size=8), max_size=60),
    sizes=st.tuples(st.integers(-1, 90), st.integers(-1, 30)),
)
@pytest.mark.parametrize("kind", EMULATORS, ids=["ghostty", "avt"])
def test_never_raises(kind: Make, pieces: list[bytes], sizes: tuple[int, int]) -> None:
    emulator = kind(20, 5)
    for at, piece in enumerate(pieces):
        emulator.feed(piece)
        if at == len(pieces) // 2:
            emulator.resize(*sizes)
    assert len(emulator.rows()) == emulator.size[1]
    assert emulator.lines()[-emulator.size[1] :] == emulator.rows()
    col, row = emulator.cursor
    assert 0 <= col < emulator.size[0]
    assert 0 <= row < emulator.size[1]
    emulator.take_signals()
    assert len(emulator.title) <= MAX_TITLE


def test_ghostty_is_preferred() -> None:
    assert isinstance(new_emulator(), GhosttyEmulator)
