"""What is told about a terminal agent's state: evidence, AgentAPI's status, and what it waits for.

Owns the reading of title and screen for signs of state, and the telling of changes, once each. Not the weighing
(``signals``), nor when it is time to look (``terminal``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from jupyter_tasks.agentapi.conversation import Listener, Status
from jupyter_tasks.agentapi.emulator import Emulator
from jupyter_tasks.agentapi.formats.base import Format, Rule
from jupyter_tasks.agentapi.formats.dialogs import option_kind
from jupyter_tasks.agentapi.messages import Attention, Option
from jupyter_tasks.agentapi.signals import Evidence, Signals, Source, plain
from jupyter_tasks.clock import Clock

__all__ = ["DIALOG_GRACE", "LAST_WORDS_LIMIT", "Board"]

LAST_WORDS_LIMIT = 1.0
"""Seconds after which the end of a turn is told though the terminal is not silent (``Format.last_words``)."""

DIALOG_GRACE = 2.0
"""Seconds between an agent's saying that it asks and its drawing of the question."""


class Board:
    """The state of one agent as others see it.

    Args:
        format: the agent's.
        emulator: its terminal.
        clock: time.
        listener: is told what changes.
    """

    def __init__(self, format: Format, emulator: Emulator, clock: Clock, listener: Listener) -> None:  # noqa: A002
        self._format, self._emulator, self._listener = format, emulator, listener
        self.signals = Signals(clock)
        self.evidence = self.signals.decide()
        self.status: Status = "running"
        self.attention: Attention | None = None
        self._clock = clock
        self._drawn_by = float("-inf")
        self._rest_heard_at: float | None = None
        self._rest_told_at = float("-inf")

    def look_at_title(self) -> None:
        """Take what the window title says for evidence."""
        self._observe("title", self._format.title_rule(self._emulator.title))

    def look_at_rows(self, rows: Sequence[str]) -> None:
        """Take what the foot of the screen says for evidence."""
        self._observe("marker", self._format.marker_rule(rows))

    def weigh(self, ready: bool) -> Evidence:
        """The evidence as it is now. An agent that takes no input yet is not at rest, unless it has ended."""
        evidence = self.signals.decide()
        if not ready and evidence.at_rest and evidence.source != "exit":
            return replace(evidence, state="working")
        return evidence

    def is_news(self, evidence: Evidence) -> bool:
        """Whether this is not what was told last."""
        return _gist(evidence) != _gist(self.evidence)

    def tell(self, evidence: Evidence, *, busy: bool, closed: bool) -> bool:
        """Tell what changed.

        Args:
            evidence: what ``weigh`` found.
            busy: something is typed or waits to be.
            closed: the agent has ended.

        Returns: whether the evidence or what is asked is news.
        """
        news = self.is_news(evidence)
        if news:
            if evidence.state == "blocked" and self.evidence.state != "blocked":
                self._drawn_by = self._clock.monotonic() + DIALOG_GRACE
            self.evidence = evidence
            self._listener.on_evidence(evidence)
        attention = self._attention_of(evidence)
        blocked, asks = attention is not None, attention != self.attention
        if asks:
            self.attention = attention
            self._listener.on_attention(attention)
        status: Status = "stable" if closed or blocked or (evidence.at_rest and not busy) else "running"
        if status != self.status:
            self.status = status
            self._listener.on_status(status)
        return news or asks

    def says_last_words(self, evidence: Evidence, fed_at: float) -> bool:
        """Whether an agent that says that it rests may still draw its last words; Claude Code says so 20 ms before.

        Args:
            evidence: what ``weigh`` found.
            fed_at: when (monotonic) the terminal's last bytes came.
        """
        if not (evidence.at_rest and evidence.source == "osc7501" and self.is_news(evidence)):
            self._rest_heard_at = None
            return False
        now = self._clock.monotonic()
        if self._rest_heard_at is None:
            self._rest_heard_at = now
        self._rest_told_at = min(fed_at + self._format.last_words, self._rest_heard_at + LAST_WORDS_LIMIT)
        return now < self._rest_told_at

    def next_change(self, asked: float) -> float | None:
        """When (monotonic) there is something to be told that there was not at the moment ``asked``; None: never."""
        if self._rest_heard_at is not None:
            return self._rest_told_at
        waits = self.evidence.state == "blocked" and self.attention is None and asked < self._drawn_by
        return self._drawn_by if waits else None

    def _observe(self, source: Source, rule: Rule | None) -> None:
        if rule is None:
            self.signals.observe(source, None)
        else:
            self.signals.observe(source, rule.state, rule.kind if rule.state == "blocked" else None)

    def _attention_of(self, evidence: Evidence) -> Attention | None:
        if evidence.state != "blocked":
            return None
        dialog = self._format.dialog(self._emulator.rows())
        said = evidence.source == "osc7501" and evidence.kind == "permission"
        if said and dialog is None and self._clock.monotonic() < self._drawn_by:
            return None  # it is said before it is drawn, and nobody can answer yet
        text = evidence.text or (plain(dialog.text) if dialog else "") or "The agent waits for your answer."
        choices = tuple(
            Option(number, plain(label, 200), option_kind(label))
            for number, label in (dialog.options if dialog else ())
        )
        return Attention(evidence.kind or "permission", text, choices, evidence.since)


def _gist(evidence: Evidence) -> tuple[object, ...]:
    return (evidence.state, evidence.source, evidence.kind, evidence.text, evidence.uri)
