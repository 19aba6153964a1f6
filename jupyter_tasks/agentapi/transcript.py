"""The messages of a terminal conversation, as the screen grows.

Owns how a look at the screen becomes the text of the agent's last message: anchor, difference, format, bounds. Not when
the screen is looked at, nor what the agent does: that is ``terminal``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from jupyter_tasks.agentapi.diff import appended, collapse_blank, continued, trim_end
from jupyter_tasks.agentapi.formats.base import Format
from jupyter_tasks.agentapi.messages import Message, Text

__all__ = ["Anchor", "Transcript"]

_MAX_TEXT = 256 * 1024
_MAX_ROWS = 5_000
_CUT = "[… the beginning was cut]\n"


@dataclass(frozen=True)
class Anchor:
    """A screen before a message was typed: its rows, and below them those of the input box."""

    rows: Sequence[str] = ()
    box: Sequence[str] = ()


class Transcript:
    """Messages whose ids are their indexes; only the last one changes, and only while it is the agent's.

    Args:
        format: the agent's.
        messages: restored ones.
        frozen: leave the last message as it is until the user says something.
    """

    def __init__(self, format: Format, messages: Sequence[Message], frozen: bool) -> None:  # noqa: A002
        self._format = format
        self._messages = list(messages)
        self.frozen = frozen
        self._anchor = Anchor()
        self._anchored = False
        self._reply: list[str] = []

    @property
    def messages(self) -> tuple[Message, ...]:
        """All messages."""
        return tuple(self._messages)

    def anchor_of(self, lines: Sequence[str]) -> Anchor:
        """What of this screen an answer will follow: all but the input box."""
        lines = lines[self._format.moving_header :]
        rows = trim_end(self._format.box(trim_end(lines)))
        return Anchor(rows, trim_end(lines)[len(rows) :] if lines[: len(rows)] == rows else [])

    def anchor(self, anchor: Anchor) -> None:
        """What comes from now on follows this."""
        self._anchor, self._anchored, self._reply = anchor, True, []

    def freeze(self) -> None:
        """Leave the agent's last message as it is until the user says something."""
        self.frozen = bool(self._messages) and self._messages[-1].role == "agent"

    def said(self, text: str, time: datetime, anchor: Anchor) -> Message:
        """The user said this when the screen was ``anchor``."""
        self.anchor(anchor)
        self.frozen = False
        self._messages.append(Message(len(self._messages), "user", time, (Text(text),)))
        return self._messages[-1]

    def look(self, lines: list[str], time: datetime, *, crashed: bool = False) -> Message | None:
        """The agent's message that this screen makes new or longer; None when it says nothing new.

        A program that crashed leaves its last words where its input box was.
        """
        if self.frozen:
            return None
        header = self._format.moving_header
        rows, found = appended(self._anchor.rows, lines[header:], self._anchor.box)
        if not found and self._reply:
            rows = continued(self._reply, rows)[-_MAX_ROWS:]
        self._reply = rows
        text = self._text(rows, crashed)
        last = self._messages[-1] if self._messages else None
        if not text or (last is not None and last.role == "agent" and last.text == text):
            return None
        if last is None or last.role == "user":
            self._messages.append(Message(len(self._messages), "agent", time, (Text(text),)))
        else:
            self._messages[-1] = replace(last, parts=(Text(text),))
        return self._messages[-1]

    def _text(self, rows: list[str], crashed: bool) -> str:
        user = ""
        if self._anchored:
            user = next((message.text for message in reversed(self._messages) if message.role == "user"), "")
        format = replace(self._format, box=list) if crashed else self._format  # noqa: A001
        text, _ = format.message("\n".join(rows), user)
        text = collapse_blank(self._format.without_transient(text))
        return text if len(text) <= _MAX_TEXT else _CUT + text[-_MAX_TEXT:]
