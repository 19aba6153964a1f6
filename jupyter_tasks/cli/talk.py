"""An agent's messages on a terminal, while they still grow.

Owns what each part of a message looks like as lines, and which lines may be printed already: an agent's last message
changes until the next one begins, and what is printed cannot be taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from jupyter_tasks.cli.output import clean

if TYPE_CHECKING:
    from jupyter_tasks.models import Message, Part

__all__ = ["Talk", "lines_of"]

_MARKS = {"completed": "✓", "failed": "✗", "in_progress": "…", "pending": "·"}


def lines_of(message: Message) -> list[str]:
    """A message as printable lines."""
    return [line.rstrip() for part in message.parts for line in clean(_words(part)).split("\n")]


def _words(part: Part) -> str:
    match part.type:
        case "text":
            return part.text.strip("\n")
        case "tool_call":
            return f"{_MARKS.get(part.status, '·')} {part.title}"
        case "diff":
            return f"± {part.path}"
        case "plan":
            return "\n".join(f"{_MARKS.get(entry.status, '·')} {entry.content}" for entry in part.entries)
        case _:  # permission and question
            answers = ", ".join(f"[{number}] {option.label}" for number, option in enumerate(part.options, 1))
            return f"? {part.text}" + (f"\n  {answers}" if answers else "")


class Talk:
    """Prints an agent's messages as they come, each line once. The user's own are left out: they know them."""

    def __init__(self, echo: Callable[[str], object]) -> None:
        self._echo = echo
        self._id = -1
        self._printed: list[str] = []
        self._last: Message | None = None

    def heard(self, message: Message) -> None:
        """A message, new or grown."""
        if message.id < self._id:
            return
        if message.id > self._id:
            self._finish()
            self._id, self._printed = message.id, []
        if message.role == "agent":
            self._last = message
            # the last line of a terminal is the one that is still being written
            self._print(lines_of(message)[:-1], rewritten=False)

    def end(self, messages: Iterable[Message] = ()) -> None:
        """Print what is left; ``messages`` is the conversation as it is at the end."""
        for message in messages:
            self.heard(message)
        self._finish()

    def _finish(self) -> None:
        if self._last is not None:
            self._print(lines_of(self._last), rewritten=True)
            self._last = None

    def _print(self, lines: list[str], *, rewritten: bool) -> None:
        same = 0
        while same < min(len(lines), len(self._printed)) and lines[same] == self._printed[same]:
            same += 1
        if same < len(self._printed) and not rewritten:
            return  # what stands there was rewritten: wait until it is final
        if not self._printed and lines:
            self._echo("")
        for line in lines[same:]:
            self._echo(line)
        self._printed = lines
