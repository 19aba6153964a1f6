"""What the agent is doing, as evidence with a source.

Owns ``Evidence``, the reading of OSC 7501, and the rule that makes one statement of all sources (``Signals``). Not
where the evidence comes from: the emulator, the formats and the reports bring it.

The rule (design D4; docs/adr/0006-status-and-emulator.md): the process's exit outranks all; then ACP, OSC 7501, the
agent's own report, window title, marker on the screen, stability of the screen, each as far as it has an opinion.

- A report of idle, complete or failure says *how* a turn ended, not that it did: agents send it before their last
  words. So it holds from the moment that another source says the agent is at rest; its text holds at once.
- A report of working yields to a title or marker that says otherwise later, and to a screen that has been still for
  ``REPORT_HOLD`` seconds more (the agent forgot to take it back).
- A question on the screen outranks a title that says idle: to some agents waiting for permission is being idle.
- What a source said before a turn began counts again only ``TURN_GRACE`` seconds later: the agent has not seen Enter.
  The same holds for a program that says idle in a turn in which it has not said working: it answers an older question.
"""

from __future__ import annotations

import base64
import binascii
import re
import signal
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, get_args

from jupyter_tasks.clock import Clock

__all__ = [
    "REPORT_HOLD",
    "TURN_GRACE",
    "Evidence",
    "Kind",
    "Signals",
    "Source",
    "State",
    "parse_program_status",
    "plain",
]

State = Literal["working", "idle", "complete", "failure", "blocked"]
Source = Literal["exit", "acp", "osc7501", "report", "title", "marker", "stability"]
Kind = Literal["permission", "question", "auth"]

TURN_GRACE = 2.0
"""Seconds."""
REPORT_HOLD = 10.0
"""Seconds."""
_MAX_TEXT = 1_000
_MAX_PROGRAMS = 16
_LOOKED_AT: tuple[Source, ...] = ("title", "marker", "stability")
_REST = ("idle", "complete", "failure")
_WEIGHT = {"blocked": 4, "working": 3, "failure": 2, "complete": 1, "idle": 0}
_PROGRAM_STATES: dict[str, State] = {
    "idle": "idle",
    "working": "working",
    "blocked": "blocked",
    "done": "complete",
    "error": "failure",
}
_NOT_STARTED = (126, 127)
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


def plain(text: str, limit: int = _MAX_TEXT) -> str:
    """Foreign text made fit to show on one line: no escapes, no control or direction characters, bounded."""
    return _CONTROLS.sub(" ", _ESCAPES.sub("", text[: limit * 8])).strip()[:limit]


@dataclass(frozen=True)
class Evidence:
    """What the agent does, how we know, since when.

    ``kind`` is set with state "blocked"; ``text`` is what the agent said about it ("" when nothing), ``uri`` the link
    of its report.
    """

    state: State
    source: Source
    since: datetime
    kind: Kind | None = None
    text: str = ""
    uri: str = ""

    @property
    def at_rest(self) -> bool:
        """Whether the agent's turn is over."""
        return self.state in _REST


@dataclass(frozen=True)
class ProgramStatus:
    """One OSC 7501 message; ``state`` None takes back what this ``id`` said before (all ids, when "")."""

    state: State | None
    id: str = ""
    kind: Kind | None = None
    text: str = ""


def parse_program_status(payload: str) -> ProgramStatus | None:
    """Read ``state=…:kind=…:msg=<base64>``; None when it says nothing that we know."""
    words = (word.partition("=") for word in payload.split(":"))
    fields = {name: value for name, found, value in words if found}
    word = fields.get("state", "")
    if word == "clear":
        return ProgramStatus(None, fields.get("id", "")[:64])
    state = _PROGRAM_STATES.get(word)
    if state is None:
        return None
    named = fields.get("kind", "")
    kind: Kind | None = None
    if state == "blocked":
        kind = named if named in get_args(Kind) else "permission"  # type: ignore[assignment]
    text = _decoded(fields.get("msg", "")) or _decoded(fields.get("title", ""))
    return ProgramStatus(state, fields.get("id", "")[:64], kind, text)


def _decoded(value: str) -> str:
    try:
        return plain(base64.b64decode(value, validate=True).decode("utf-8", "replace"))
    except (binascii.Error, ValueError):
        return ""


@dataclass(frozen=True)
class _Level:
    """What one source says; ``at`` is when it said so last (monotonic), ``since`` when first."""

    state: State
    at: float
    since: datetime
    kind: Kind | None = None
    text: str = ""
    uri: str = ""


@dataclass
class Signals:
    """Keeps what every source said last and makes one statement of it: a function of what it was told, and when."""

    clock: Clock
    _levels: dict[Source, _Level] = field(default_factory=dict)
    _programs: dict[str, _Level] = field(default_factory=dict)
    _turn_at: float = float("-inf")
    _worked_at: float = float("-inf")
    _began: datetime | None = None

    def turn(self) -> None:
        """The user's input is being entered: older opinions and reports are about the turn before."""
        self._turn_at = self.clock.monotonic()
        self._levels.pop("report", None)
        self._levels.pop("stability", None)
        self._began = self.clock.now()

    def observe(self, source: Source, state: State | None, kind: Kind | None = None, text: str = "") -> None:
        """A source that is looked at (ACP, title, marker, stability) says this now; None: no opinion."""
        if state is None:
            self._levels.pop(source, None)
            return
        before = self._levels.get(source)
        if before is not None and (before.state, before.kind) == (state, kind):
            self._levels[source] = replace(before, text=text or before.text)
            return
        self._levels[source] = _Level(state, self.clock.monotonic(), self.clock.now(), kind, text)

    def report(self, state: State, message: str, uri: str = "") -> None:
        """The agent reported this itself."""
        self._levels["report"] = self._level(self._levels.get("report"), state, None, plain(message), plain(uri))

    def program_status(self, payload: str) -> None:
        """An OSC 7501 payload arrived."""
        said = parse_program_status(payload)
        if said is None:
            return
        if said.state is None:
            if said.id:
                self._programs.pop(said.id, None)
            else:
                self._programs.clear()
            return
        if said.state != "idle":
            self._worked_at = self.clock.monotonic()
        before = self._programs.pop(said.id, None)
        self._programs[said.id] = self._level(before, said.state, said.kind, said.text)
        while len(self._programs) > _MAX_PROGRAMS:
            del self._programs[next(iter(self._programs))]

    def exited(self, code: int | None, words: str = "") -> None:
        """The agent's process has ended; ``words`` are its last ones, told where it did not end well."""
        reported = self._levels.get("report")
        state: State = "complete" if code == 0 else "failure"
        text = _how_it_ended(code)
        if code == 0 and reported is not None and reported.state in ("complete", "failure"):
            state, text = reported.state, reported.text or text
        elif code and code > 0 and code not in _NOT_STARTED and words:
            text = plain(f"{text.removesuffix('.')}: {words}")
        self.observe("exit", state, text=text)

    def decide(self) -> Evidence:
        """The one statement."""
        for source in ("exit", "acp"):
            if source in self._levels:
                return self._evidence(source, self._levels[source])
        programs = [level for level in self._programs.values() if self._program_counts(level)]
        if programs:
            strongest = max(programs, key=lambda level: _WEIGHT[level.state])
            return self._with_report("osc7501", strongest)
        return self._without_program()

    def next_change(self, asked: float) -> float | None:
        """When (monotonic) the statement may be another than it was at the moment ``asked``; None: never."""
        moments = [self._turn_at + TURN_GRACE]
        still, report = self._levels.get("stability"), self._levels.get("report")
        if still is not None and report is not None and report.state == "working":
            moments.append(still.at + REPORT_HOLD)
        return min((moment for moment in moments if moment > asked), default=None)

    def _without_program(self) -> Evidence:
        source: Source = "stability"
        found = _Level("working", self._turn_at, self._began or self.clock.now())
        self._began = self._began or found.since
        heard = [(named, self._levels[named]) for named in _LOOKED_AT if named in self._levels]
        for named, level in heard:
            if level.state == "blocked":
                return self._evidence(named, level)
        for named, level in heard:
            if self._counts(level):
                source, found = named, level
                break
        report = self._levels.get("report")
        if report is None:
            return self._evidence(source, found)
        if report.state != "working":
            return self._with_report(source, found)
        held = found.state == "working" or found.at <= report.at
        if source == "stability" and self.clock.monotonic() < found.at + REPORT_HOLD:
            held = True
        return self._evidence("report", report) if held else self._with_report(source, found)

    def _counts(self, level: _Level) -> bool:
        if level.state not in _REST or level.at >= self._turn_at:
            return True
        return self.clock.monotonic() >= self._turn_at + TURN_GRACE

    def _program_counts(self, level: _Level) -> bool:
        if level.state == "idle" and self._worked_at < self._turn_at:
            return self.clock.monotonic() >= self._turn_at + TURN_GRACE
        return self._counts(level)

    def _with_report(self, source: Source, level: _Level) -> Evidence:
        report = self._levels.get("report")
        if report is None or level.state == "blocked":
            return self._evidence(source, level)
        if level.state in _REST and report.state in ("complete", "failure"):
            return self._evidence("report", report)
        return self._evidence(source, replace(level, text=report.text or level.text, uri=report.uri))

    def _level(self, before: _Level | None, state: State, kind: Kind | None, text: str, uri: str = "") -> _Level:
        since = self.clock.now()
        if before is not None and before.state == state and before.at >= self._turn_at:
            since = before.since
        return _Level(state, self.clock.monotonic(), since, kind, text, uri)

    @staticmethod
    def _evidence(source: Source, level: _Level) -> Evidence:
        return Evidence(level.state, source, level.since, level.kind, level.text, level.uri)


def _how_it_ended(code: int | None) -> str:
    """A sentence for people; negative codes are signals, 126 and 127 a shell's words for what it cannot start."""
    if code is None:
        return "The agent's program was ended."
    if code == 0:
        return "The agent has ended."
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"The agent was ended by {name}."
    if code in _NOT_STARTED:
        what = "was not found" if code == 127 else "cannot be executed"
        return f"The agent's program {what} (exit code {code})."
    return f"The agent ended with exit code {code}."
