"""Parts of the agent without a process: tapes, lines, expansion, requests that are rubbish."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import time
from pathlib import Path

import pytest
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_tasks.agent.apps import _target
from jupyter_tasks.agent.environment import expand
from jupyter_tasks.agent.tape import Tape
from jupyter_tasks.agent.wire import Refused, decode
from jupyter_tasks.testing.agent_process import TOKEN, AgentProcess


def _all(tape: Tape, offset: int) -> tuple[int, bytes]:
    begin, data = tape.read(offset)
    collected = data
    while data:
        at, data = tape.read(begin + len(collected))
        assert not data or at == begin + len(collected)
        collected += data
    return begin, collected


def test_a_tape_gives_every_byte_from_ring_or_disk(tmp_path: Path) -> None:
    tape = Tape(str(tmp_path / "t"), ring=1000, limit=1 << 30)
    whole = os.urandom(500_000)
    for begin in range(0, len(whole), 7777):
        tape.append(whole[begin : begin + 7777])
    for offset in (0, 1, 250_000, len(whole) - 10, len(whole)):
        assert _all(tape, offset) == (offset, whole[offset:])
    tape.close()
    assert _all(tape, 3) == (3, whole[3:])


def test_a_full_recording_loses_its_oldest_part_and_says_where_it_begins(tmp_path: Path) -> None:
    limit = 400_000
    tape = Tape(str(tmp_path / "t"), ring=1000, limit=limit)
    whole = os.urandom(1_500_000)
    for begin in range(0, len(whole), 10_000):
        tape.append(whole[begin : begin + 10_000])
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= limit + 10_000
    begin, rest = _all(tape, 0)
    assert begin == tape.start > 0
    assert len(rest) >= limit * 3 // 4 - 10_000
    assert rest == whole[begin:]
    tape.discard()
    assert not list(tmp_path.iterdir())


def test_a_failing_disk_leaves_the_ring_and_is_told(tmp_path: Path) -> None:
    tape = Tape(str(tmp_path / "missing" / "t"), ring=1000)
    tape.append(b"a" * 300_000)
    assert tape.problem
    begin, rest = _all(tape, 0)
    assert (begin, rest) == (300_000 - len(rest), b"a" * len(rest))
    assert len(rest) >= 1000
    (tmp_path / "missing").mkdir()  # room again
    tape.append(b"b" * 300_000)
    tape.append(b"c" * 300_000)
    assert _all(tape, 600_000) == (600_000, b"c" * 300_000)


@given(st.lists(st.binary(min_size=1, max_size=400), max_size=30), st.integers(0, 5000))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=examples(60),
)
def test_what_a_tape_gives_is_always_what_was_written(tmp_path: Path, pieces: list[bytes], offset: int) -> None:
    tape = Tape(str(tmp_path / str(time.monotonic_ns())), ring=50, limit=1000)
    for piece in pieces:
        tape.append(piece)
    whole = b"".join(pieces)
    offset = min(offset, len(whole))
    begin, rest = _all(tape, offset)
    assert begin >= offset
    assert rest == whole[begin:]
    tape.discard()


def test_expansion_is_that_of_go() -> None:
    assert expand("$A-${B}-$C.$", {"A": "1", "B": "2"}) == "1-2-.$"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://localhost:3284/status?x#y", ("localhost:3284", 3284, "/status?x")),
        ("http://127.0.0.1", ("127.0.0.1", 80, "/")),
        ("HTTP://[::1]:99/", ("[::1]:99", 99, "/")),
        ("https://localhost:1/", None),
        ("http://example.com:1/", None),
        ("http://localhost:99999/", None),
        ("http://localhost:1/\r\nX: y", None),
    ],
)
def test_only_http_on_loopback_is_probed(url: str, target: tuple[str, int, str] | None) -> None:
    assert _target(url) == target


@given(st.binary(max_size=200))
def test_a_line_is_an_object_or_refused(line: bytes) -> None:
    with contextlib.suppress(Refused):
        assert isinstance(decode(line), dict)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
OPERATIONS = [
    "hello", "start", "watch", "terminal.open", "terminal.read", "terminal.write", "terminal.resize",
    "terminal.signal", "log.read", "exec", "tunnel", "reverse", "archive.read", "archive.write", "nonsense",
]  # fmt: skip
NAMES = [
    "id", "argv", "env", "cwd", "cols", "rows", "kind", "offset", "follow", "key", "data", "signal", "name", "stdin",
    "timeout", "port", "service", "path", "since", "manifest",
]  # fmt: skip


def _ask(agent: AgentProcess, line: bytes) -> dict[str, object]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(40)
        sock.connect(str(agent.address.socket))
        sock.sendall(line)
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while not answer.endswith(b"\n"):
            data = sock.recv(65536)
            if not data:
                break
            answer += data
        return json.loads(answer.split(b"\n")[0]) if answer else {}


@given(
    st.sampled_from(OPERATIONS),
    # paths only below a folder of this test's, programs only ones that do nothing
    st.dictionaries(st.sampled_from([name for name in NAMES if name not in ("path", "argv")]), JSON, max_size=6),
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=examples(150),
)
def test_no_request_ends_the_agent(agent: AgentProcess, operation: str, fields: dict[str, object]) -> None:
    _wait(agent)
    body = {"argv": ["true"], **fields, "v": 1, "token": TOKEN, "op": operation, "path": "fuzz"}
    _ask(agent, json.dumps(body).encode() + b"\n")
    assert _ask(agent, json.dumps({"v": 1, "token": TOKEN, "op": "hello"}).encode() + b"\n")["ok"]
    assert "internal error" not in _log(agent)


def test_rubbish_and_strangers_are_refused(agent: AgentProcess) -> None:
    _wait(agent)
    cases = {
        b'{"v":1,"op":"hello","token":"wrong"}\n': "token",
        b'{"v":1,"op":"hello"}\n': "token",
        b'{"v":2,"op":"hello","token":"x"}\n': "version",
        b"\xff\xfe\n": "bad_request",
        b"[1]\n": "bad_request",
        b'{"v":' + b"1" * 100_000 + b"}\n": "bad_request",
        b"[" * 200_000 + b"\n": "bad_request",
        b"x" * ((1 << 20) + 10): "bad_request",
    }
    for line, code in cases.items():
        error = _ask(agent, line)["error"]
        assert isinstance(error, dict)
        assert error["code"] == code
    assert "internal error" not in _log(agent)


def _log(agent: AgentProcess) -> str:
    return (agent.folder / "agent" / "logs" / "agent.0").read_text()


def _wait(agent: AgentProcess) -> None:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        try:
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(agent.address.socket))
                return
        except OSError:
            select.select([], [], [], 0.005)
    raise AssertionError("the agent does not answer")
