"""The messages of a terminal conversation, as the screen grows.

Owns how a look at the screen becomes the text of the agent's last message: anchor, difference, format, bounds. Not when
the screen is looked at, nor what the agent does: that is ``terminal``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from jupyter_tasks.agentapi.diff import appended, collapse_blank, continued, trim_end
from jupyter_tasks.agentapi.formats.base import Format, keep_words
from jupyter_tasks.agentapi.messages import Message, Text

__all__ = ["Anchor", "Transcript", "last_words"]

_MAX_TEXT = 256 * 1024
_MAX_ROWS = 5_000
_ERROR = re.compile(r"^(?!.*\bwarning\b).*error\b", re.IGNORECASE)
_PASTED = ("[Pastedtext", "[PastedContent")
"""How a long paste is shown, white space left out."""
_CUT = "[… the beginning was cut]\n"


@dataclass(frozen=True)
class Anchor:
    """A screen before a message was typed: its rows, and below them those of the input box."""

    rows: Sequence[str] = ()
    box: Sequence[str] = ()


class _Shown:
    """Tells the row that begins what the user said: behind a sign, the beginning of it, or a word for a long paste."""

    def __init__(self, sign: re.Pattern[str], text: str) -> None:
        self._sign, self._text = sign, "".join(text.partition("\n")[0].split())

    def on(self, row: str) -> bool:
        """Whether this is such a row."""
        found = self._sign.match(row)
        if found is None:
            return False
        shown = "".join(row[found.end() :].split())
        return bool(shown) and (self._text.startswith(shown) or shown.startswith(_PASTED))


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
        lines = self._format.steady(list(lines))
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

    def look(self, lines: list[str], time: datetime, width: int, *, crashed: bool = False) -> Message | None:
        """The agent's message that this screen makes new or longer; None when it says nothing new.

        A program that crashed leaves its last words where its input box was.

        Args:
            lines: what the screen shows, and what scrolled off it.
            time: of a message that begins.
            width: of the screen, in columns.
            crashed: the program has ended, and not well.
        """
        if self.frozen:
            return None
        lines = self._format.steady(lines)
        at = self._said_at(lines)
        if at >= 0:
            rows = trim_end(lines[at:])
        else:
            rows, found = appended(self._anchor.rows, lines, self._anchor.box)
            if not found and self._reply:
                rows = continued(self._reply, rows)[-_MAX_ROWS:]
        self._reply = rows
        text = self._text(rows, width, crashed)
        last = self._messages[-1] if self._messages else None
        if not text or (last is not None and last.role == "agent" and last.text == text):
            return None
        if last is None or last.role == "user":
            self._messages.append(Message(len(self._messages), "agent", time, (Text(text),)))
        else:
            self._messages[-1] = replace(last, parts=(Text(text),))
        return self._messages[-1]

    def _user(self) -> str:
        """What the user said last."""
        if not self._anchored:
            return ""
        return next((message.text for message in reversed(self._messages) if message.role == "user"), "")

    def _said_at(self, lines: list[str]) -> int:
        """Where the screen shows what the user said last, -1 when it cannot be told: once more than it did before."""
        sign, user = self._format.said, self._user()
        if sign is None or not user:
            return -1
        shown = _Shown(sign, self._format.lead(user) + user)
        at = [at for at, line in enumerate(self._format.box(trim_end(lines))) if shown.on(line)]
        before = sum(shown.on(line) for line in self._anchor.rows)
        return at[-1] if len(at) > before else -1

    def _text(self, rows: list[str], width: int, crashed: bool) -> str:
        format = self._format  # noqa: A001
        if crashed:
            format = replace(format, box=list, words=keep_words)  # noqa: A001
        text, _ = format.message("\n".join(rows), self._user())
        text = collapse_blank(format.words(format.without_transient(text), width))
        return text if len(text) <= _MAX_TEXT else _CUT + text[-_MAX_TEXT:]


def last_words(rows: Sequence[str], *, began: bool) -> str:
    """Of what a program left on the screen, the row that says why it ended: the first that tells of an error.

    Where it never ``began`` its work, and tells of none, it is the last row.
    """
    told = [row.strip() for row in rows if row.strip()]
    return next((row for row in told if _ERROR.search(row)), told[-1] if told and not began else "")
