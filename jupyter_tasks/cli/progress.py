"""A build on a terminal: one line a stage, with its time.

Owns those lines. On a terminal the stage at work is shown and its line completed when it is done; in a pipe a stage is
one line, when it is over.
"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING

import click

from jupyter_tasks.cli.output import clean, styled

if TYPE_CHECKING:
    from jupyter_tasks.models import BuildLogEntry

__all__ = ["Progress"]

_WIDEST = 100  # characters of a line that will be overwritten: one that wraps cannot be


class Progress:
    """Prints stages of builds. ``began`` is when the first of them did."""

    def __init__(self, began: datetime) -> None:
        self._began = began
        self._build = ""
        self._stage = ""
        self._live = sys.stdout.isatty()
        self._pending = False

    def heard(self, entry: BuildLogEntry) -> None:
        """One line of a build's log."""
        if entry.build_id != self._build and self._build:
            self._began = entry.time
        self._build = entry.build_id
        if entry.level == "done":
            self._line("✓", "green", entry)
            self._began, self._stage = entry.time, ""
        elif entry.level == "error":
            self._line("✗", "red", entry)
        elif entry.level == "warn":
            self._line("!", "yellow", entry)
        elif self._live:
            self._stage = entry.stage
            self._show(f"… {entry.stage:<9}  {_one_line(entry.text)}"[:_WIDEST])

    def say(self, text: str) -> None:
        """A line of something else."""
        self.rest()
        click.echo(text)

    def rest(self) -> None:
        """Take back the unfinished line, before others print."""
        if self._pending:
            click.echo("\r\x1b[K", nl=False)
            self._pending = False

    def _line(self, mark: str, colour: str, entry: BuildLogEntry) -> None:
        took = max(0.0, (entry.time - self._began).total_seconds())
        time = f"{took:6.2f} s" if entry.level == "done" else " " * 8
        self.say(f"{styled(mark, fg=colour)} {entry.stage:<9} {time}  {_one_line(entry.text)}".rstrip())

    def _show(self, text: str) -> None:
        self.rest()
        click.echo(text, nl=False)
        self._pending = True


def _one_line(text: str) -> str:
    return " ".join(clean(text).split())
