"""One statement out of many: who outranks whom, and when an opinion has gone stale."""

from __future__ import annotations

import asyncio
import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_tasks.agentapi.signals import REPORT_HOLD, TURN_GRACE, Signals, parse_program_status, plain
from jupyter_tasks.testing.clock import FakeClock


class Turning:
    """Signals and the hand on their clock."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.signals = Signals(self.clock)

    def after(self, seconds: float) -> Turning:
        asyncio.run(self.clock.advance(seconds))
        return self

    @property
    def now(self) -> tuple[str, str]:
        evidence = self.signals.decide()
        return evidence.state, evidence.source


@pytest.fixture
def turning() -> Turning:
    return Turning()


def test_nothing_known_is_working(turning: Turning) -> None:
    assert turning.now == ("working", "stability")


def test_the_order_of_sources(turning: Turning) -> None:
    signals = turning.signals
    signals.observe("stability", "idle")
    assert turning.now == ("idle", "stability")
    signals.observe("marker", "working")
    assert turning.now == ("working", "marker")
    signals.observe("title", "idle")
    assert turning.now == ("idle", "title")
    turning.after(1)
    signals.report("working", "Reading")
    assert turning.now == ("working", "report")
    signals.program_status("state=idle:app=x")
    assert turning.now == ("idle", "osc7501")
    signals.observe("acp", "working")
    assert turning.now == ("working", "acp")
    signals.exited(1)
    assert turning.now == ("failure", "exit")
    signals.program_status("state=working")
    signals.observe("acp", "idle")
    assert turning.now == ("failure", "exit")


def test_a_report_of_the_end_waits_for_rest_but_its_text_does_not(turning: Turning) -> None:
    signals = turning.signals
    signals.turn()
    signals.program_status("state=working")
    signals.report("complete", "All done", "https://example.org")
    evidence = signals.decide()
    assert (evidence.state, evidence.source, evidence.text, evidence.uri) == (
        "working",
        "osc7501",
        "All done",
        "https://example.org",
    )
    signals.program_status("state=idle")
    evidence = signals.decide()
    assert (evidence.state, evidence.source, evidence.text) == ("complete", "report", "All done")
    signals.turn()
    turning.after(TURN_GRACE)
    assert turning.now == ("idle", "osc7501")  # a new turn: that report is history


def test_a_report_of_failure_holds_by_stability_too(turning: Turning) -> None:
    turning.signals.report("failure", "No network")
    assert turning.now == ("working", "stability")
    turning.signals.observe("stability", "idle")
    assert turning.now == ("failure", "report")


def test_a_report_of_working_that_was_forgotten(turning: Turning) -> None:
    turning.signals.report("working", "Thinking")
    turning.after(1).signals.observe("stability", "idle")
    assert turning.now == ("working", "report")
    assert turning.signals.next_change(turning.clock.monotonic()) == pytest.approx(1 + REPORT_HOLD)
    assert turning.after(REPORT_HOLD).now == ("idle", "stability")


def test_what_was_said_before_a_turn_is_stale_at_first(turning: Turning) -> None:
    signals = turning.signals
    signals.program_status("state=idle")
    signals.observe("title", "idle")
    turning.after(5)
    signals.turn()
    assert turning.now == ("working", "stability")
    assert signals.next_change(turning.clock.monotonic()) == pytest.approx(5 + TURN_GRACE)
    signals.program_status("state=idle")
    assert turning.now == ("working", "stability")  # Claude Code's first word may come after Enter
    signals.program_status("state=working")
    signals.program_status("state=idle")
    assert turning.now == ("idle", "osc7501")  # it worked: this is about this turn


def test_an_idle_that_never_worked_counts_after_a_while(turning: Turning) -> None:
    turning.signals.turn()
    turning.signals.program_status("state=idle")
    assert turning.now == ("working", "stability")
    assert turning.after(TURN_GRACE).now == ("idle", "osc7501")
    turning.signals.turn()
    turning.signals.program_status("state=done")
    assert turning.now == ("complete", "osc7501")  # nobody is done who has not begun


def test_a_question_on_the_screen_outranks_an_idle_title(turning: Turning) -> None:
    turning.signals.observe("title", "idle")
    turning.signals.observe("marker", "blocked", "permission")
    turning.signals.report("working", "Writing")
    assert turning.now == ("blocked", "marker")
    turning.signals.observe("marker", None)
    assert turning.now == ("working", "report")


def test_since_is_when_the_state_began(turning: Turning) -> None:
    signals = turning.signals
    signals.program_status("state=working:msg=" + base64.b64encode(b"one").decode())
    began = signals.decide().since
    turning.after(3)
    signals.program_status("state=working:msg=" + base64.b64encode(b"two").decode())
    evidence = signals.decide()
    assert (evidence.since, evidence.text) == (began, "two")
    signals.program_status("state=idle")
    assert signals.decide().since > began


def test_several_programs_in_one_terminal(turning: Turning) -> None:
    signals = turning.signals
    signals.program_status("state=idle:id=main")
    signals.program_status("state=working:id=sub")
    assert turning.now == ("working", "osc7501")
    signals.program_status("state=blocked:id=sub:kind=question")
    assert signals.decide().kind == "question"
    signals.program_status("state=clear:id=sub")
    assert turning.now == ("idle", "osc7501")
    signals.program_status("state=clear")
    assert turning.now == ("working", "stability")
    for n in range(1_000):
        signals.program_status(f"state=idle:id={n}")
    assert len(signals._programs) <= 16


def test_exits(turning: Turning) -> None:
    turning.signals.report("failure", "No network")
    turning.signals.exited(0)
    assert (turning.signals.decide().state, turning.signals.decide().text) == ("failure", "No network")
    ended = Turning()
    ended.signals.exited(0)
    assert ended.now == ("complete", "exit")
    killed = Turning()
    killed.signals.exited(None)
    assert killed.now == ("failure", "exit")


def test_a_wall_clock_that_jumps_changes_nothing(turning: Turning) -> None:
    turning.signals.report("working", "x")
    turning.signals.observe("stability", "idle")
    turning.clock.jump(86_400)
    assert turning.now == ("working", "report")


@pytest.mark.parametrize(
    ("payload", "state", "kind", "text"),
    [
        ("state=idle:app=codex", "idle", None, ""),
        ("state=working:app=claude-code:msg=V3JpdGluZw==", "working", None, "Writing"),
        ("state=blocked:app=codex:kind=permission", "blocked", "permission", ""),
        ("state=blocked:kind=auth", "blocked", "auth", ""),
        ("state=blocked:kind=other", "blocked", "permission", ""),
        ("state=done", "complete", None, ""),
        ("state=error:title=T29wcw==", "failure", None, "Oops"),
        ("state=working:msg=!!!", "working", None, ""),
        ("state=working:msg=" + base64.b64encode(b"\x1b[31mred\x07\xff\n").decode(), "working", None, "red \ufffd"),
    ],
)
def test_program_status_is_read(payload: str, state: str, kind: str | None, text: str) -> None:
    said = parse_program_status(payload)
    assert said is not None
    assert (said.state, said.kind, said.text) == (state, kind, text)


@given(
    st.text(max_size=300)
    | st.lists(st.sampled_from(["state", "=", ":", "idle", "clear", "msg", "id", "💥", "=="])).map("".join)
)
def test_program_status_never_raises(payload: str) -> None:
    signals = Signals(FakeClock())
    signals.program_status(payload)
    signals.report("working", payload, payload)
    assert signals.decide().text == plain(signals.decide().text)


@given(st.text(max_size=200))
def test_plain_text_is_plain(text: str) -> None:
    made = plain(text, 50)
    assert len(made) <= 50
    assert not any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for character in made)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("osc"), st.sampled_from(["idle", "working", "blocked", "done", "error", "clear"])),
            st.tuples(st.just("report"), st.sampled_from(["idle", "working", "complete", "failure"])),
            st.tuples(st.sampled_from(["title", "marker", "stability"]), st.sampled_from(["idle", "working", None])),
            st.tuples(st.just("turn"), st.none()),
            st.tuples(st.just("wait"), st.sampled_from([0.1, 1.0, 3.0, 20.0])),
        ),
        max_size=12,
    )
)
def test_left_alone_for_a_minute_the_strongest_source_with_an_opinion_decides(steps: list[tuple[str, object]]) -> None:
    turning = Turning()
    signals = turning.signals
    programs: object = None
    for name, value in steps:
        if name == "osc":
            signals.program_status(f"state={value}")
            programs = None if value == "clear" else value
        elif name == "report":
            signals.report(value, "text")  # type: ignore[arg-type]
        elif name == "turn":
            signals.turn()
        elif name == "wait":
            turning.clock._elapsed += value  # type: ignore[operator]
        else:
            signals.observe(name, value)  # type: ignore[arg-type]
    turning.clock._elapsed += 60
    evidence = signals.decide()
    if programs is not None:
        assert evidence.source in ("osc7501", "report")
        assert (evidence.state == "working") == (programs == "working")
        assert (evidence.state == "blocked") == (programs == "blocked")
    assert signals.next_change(turning.clock.monotonic()) is None
