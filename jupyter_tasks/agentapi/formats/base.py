"""What a format is, and the pipeline that turns a piece of screen into a message.

Owns ``Format`` and the order of its steps: the user's echo goes, the input box goes, blank ends go, tool calls are
hidden. Works on text alone; when a piece of screen is looked at is ``conversation``'s business.

Lines are split on "\\n" only, never with ``splitlines``: agents draw with characters that it would split on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from jupyter_tasks.agentapi.formats.boxes import generic_box
from jupyter_tasks.agentapi.formats.dialogs import Dialog, find_dialog
from jupyter_tasks.agentapi.formats.echo import EchoTail, no_tail, remove_user_input

__all__ = ["CTRL_C", "ESC", "Format", "Rule", "Words", "keep_tools", "keep_words", "trim_empty_lines"]

ESC, CTRL_C = b"\x1b", b"\x03"


@dataclass(frozen=True)
class Rule:
    """Text that gives a state away. ``kind`` only where the state is "blocked"."""

    pattern: re.Pattern[str]
    state: Literal["working", "idle", "blocked"]
    kind: Literal["permission", "question", "auth"] = "permission"


Words = Callable[[str, int], str]
"""Takes a message and the terminal's columns; gives what a person would read of it."""


def keep_words(text: str, width: int) -> str:
    """A rule that leaves a message as it was drawn."""
    return text


def no_lead(text: str) -> str:
    """A rule for agents that read every message as one."""
    return ""


def keep_tools(text: str) -> tuple[str, list[str]]:
    """A tool rule that hides nothing."""
    return text, []


@dataclass(frozen=True)
class Format:
    """One agent's terminal.

    ``box`` takes lines and gives those without the input box (it is also what tells readiness: a box is there when it
    removes something). ``tools`` takes text and gives it without calls of the report tool, and these calls.
    ``titles`` and ``markers`` are tried in order: the first that matches the window title, or a row near the end of
    the screen, decides. ``transient`` matches lines that show progress and are no part of a message. ``words`` makes
    of a message what a person reads: no tool calls, no progress, paragraphs in one line. ``steady`` takes out what
    changes on its own and is no part of the talk (a banner). ``dialog`` finds the
    question that closes the screen. ``said`` matches a row that begins what the user said.
    ``lead`` gives what must be typed in front of a message, so that the agent takes it for one and no command.
    ``interrupt`` are the keys that end a turn, pressed one after the other.
    ``answer`` gives the keys that choose the option of this id in the agent's dialog.
    """

    name: str
    box: Callable[[list[str]], list[str]] = generic_box
    echo_tail: EchoTail = no_tail
    tools: Callable[[str], tuple[str, list[str]]] = keep_tools
    titles: Sequence[Rule] = ()
    markers: Sequence[Rule] = ()
    transient: re.Pattern[str] | None = None
    interrupt: tuple[bytes, ...] = (CTRL_C,)
    words: Words = keep_words
    steady: Callable[[list[str]], list[str]] = list
    dialog: Callable[[Sequence[str]], Dialog | None] = find_dialog
    said: re.Pattern[str] | None = None
    lead: Callable[[str], str] = no_lead
    answer: Callable[[str], bytes] = str.encode
    noisy_start: bool = False
    """Whether what it shows before it takes input is no message."""
    last_words: float = 0.0
    """Seconds of silence after which the end of a turn is believed, where the agent says it before it draws."""
    still: float | None = None
    """Seconds after which a screen that has something on it and does not change is ready; None: only a box is."""
    settle: float = field(default=0.25)
    """Seconds that the screen must be still after typed text before Enter follows."""

    def message(self, text: str, user: str = "") -> tuple[str, list[str]]:
        """A piece of screen as the agent's message, and the tool calls that were hidden in it.

        Args:
            text: rows joined by newlines.
            user: what the user typed last; its echo is removed from the beginning.
        """
        text = remove_user_input(text, user, self.echo_tail)
        return self.tools(trim_empty_lines("\n".join(self.box(text.split("\n")))))

    def ready(self, rows: Sequence[str]) -> bool:
        """Whether the agent shows that it takes input."""
        screen = trim_empty_lines("\n".join(rows))
        return bool(screen) and "\n".join(self.box(screen.split("\n"))) != screen

    def title_rule(self, title: str) -> Rule | None:
        """What the window title says."""
        return next((rule for rule in self.titles if rule.pattern.search(title)), None)

    def marker_rule(self, rows: Sequence[str]) -> Rule | None:
        """What the last rows say (those with something in them)."""
        if not self.markers:
            return None
        tail = [row for row in rows if row.strip()][-_MARKER_ROWS:]
        return next((rule for rule in self.markers if any(rule.pattern.search(row) for row in tail)), None)

    def without_transient(self, text: str) -> str:
        """The message without its trailing progress lines."""
        if self.transient is None:
            return text
        lines = text.split("\n")
        end = len(lines)
        while end and (not lines[end - 1].strip() or self.transient.search(lines[end - 1])):
            end -= 1
        return "\n".join(lines[:end])


_MARKER_ROWS = 10


def trim_empty_lines(text: str) -> str:
    """Without the blank lines at both ends; inner ones and all padding stay."""
    lines = text.split("\n")
    kept = [at for at, line in enumerate(lines) if line.strip()]
    return "\n".join(lines[kept[0] : kept[-1] + 1]) if kept else ""
