"""A build on a terminal: one line a stage, with its time.

Owns those lines, and when a stage is over: most end without saying so, because the next one begins; scripts and apps
run side by side. On a terminal what goes on is shown until the stage's line replaces it; a pipe gets the lines alone.
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
_RANK = {"plan": 0, "workspace": 1, "files": 2, "scripts": 3, "apps": 3, "agent": 4}


class Progress:
    """Prints stages of builds. ``began`` is when the first of them did."""

    def __init__(self, began: datetime) -> None:
        self._began = began  # when the stages at work did
        self._build = ""
        self._at_work: dict[str, BuildLogEntry] = {}  # the last word of each
        self._over: set[str] = set()
        self._live = sys.stdout.isatty()
        self._pending = False

    def heard(self, entry: BuildLogEntry) -> None:
        """One line of a build's log."""
        if self._build not in {"", entry.build_id}:
            self._began, self._at_work, self._over = entry.time, {}, set()
        self._build = entry.build_id
        rank = _RANK.get(entry.stage, len(_RANK))
        self._close([stage for stage in self._at_work if _RANK.get(stage, len(_RANK)) < rank])
        if entry.level in {"warn", "error"}:
            mark, colour = ("!", "yellow") if entry.level == "warn" else ("✗", "red")
            self.say(f"{styled(mark, fg=colour)} {entry.stage:<9} {'':8}  {_one_line(entry.text)}")
            if entry.level == "error":
                self._at_work.pop(entry.stage, None)
                self._over.add(entry.stage)
        elif entry.stage not in self._over:
            self._at_work[entry.stage] = entry
            if entry.level == "done":
                self._close([entry.stage])
            elif self._live:
                self._show(f"… {entry.stage:<9} {'':8}  {_one_line(entry.text)}"[:_WIDEST])

    @property
    def over(self) -> bool:
        """Whether the last stage has ended."""
        return "agent" in self._over

    def say(self, text: str) -> None:
        """A line of something else."""
        self._take_back()
        click.echo(text)

    def end(self, *, well: bool) -> None:
        """Nothing more comes. ``well``: what is still at work has come to its end too."""
        if well:
            self._close(list(self._at_work))
        self._take_back()

    def _close(self, stages: list[str]) -> None:
        ended = [self._at_work.pop(stage) for stage in sorted(stages, key=_place)]
        for entry in ended:
            took = max(0.0, (entry.time - self._began).total_seconds())
            self.say(f"{styled('✓', fg='green')} {entry.stage:<9} {took:6.2f} s  {_one_line(entry.text)}".rstrip())
            self._over.add(entry.stage)
        self._began = max((self._began, *(entry.time for entry in ended)))

    def _show(self, text: str) -> None:
        self._take_back()
        click.echo(text, nl=False)
        self._pending = True

    def _take_back(self) -> None:
        if self._pending:
            click.echo("\r\x1b[K", nl=False)
            self._pending = False


def _place(stage: str) -> int:
    return list(_RANK).index(stage) if stage in _RANK else len(_RANK)


def _one_line(text: str) -> str:
    return " ".join(clean(text).split())
