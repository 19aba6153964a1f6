"""Codex: the layout with one status line under ``›`` (up to 0.4x) and the one with two (seen with 0.169)."""

from __future__ import annotations

import re

from jupyter_tasks.agentapi.formats.base import ESC, Format, Rule
from jupyter_tasks.agentapi.formats.codex_words import codex_words
from jupyter_tasks.agentapi.formats.dialogs import marked_dialog

__all__ = ["FORMAT", "codex_box", "codex_lead", "hide_report_task"]

_THANKS = '{"message": "Thanks for reporting!"}'
_NEW_REACH = 8
_BANNER = re.compile(r"^\s*>_ OpenAI Codex \(")
_BANNER_REACH = 4
_LOGO = re.compile(r"^[\s\u2800-\u28ff]*[\u2800-\u28ff]$")


def codex_box(lines: list[str]) -> list[str]:
    """Old: the third line from the end holds ``›``; it and the next go, the last stays. New: all from ``›`` on goes."""
    if len(lines) >= 3 and "›" in lines[-3]:
        return [*lines[:-3], lines[-1]]
    for at in range(len(lines) - 4, max(len(lines) - _NEW_REACH, 0) - 1, -1):
        if lines[at].lstrip().startswith("›"):
            return lines[:at]
    return lines


def hide_report_task(text: str) -> tuple[str, list[str]]:
    """Without calls of ``coder_report_task``, which are returned, last first. An unfinished one stays."""
    lines = text.split("\n")
    ranges: list[tuple[int, int]] = []
    start = -1
    for at, line in enumerate(lines):
        if start < 0 or line.replace(" ", "") == "•Called":
            follows = lines[at + 1] if at + 1 < len(lines) else ""
            if line.replace(" ", "") == "•Called" and "Coder.coder_report_task" in follows:
                start = at
        elif line.strip() == _THANKS:
            end = at + 1
            while end < len(lines) and not lines[end].strip():
                end += 1
            ranges.append((start, end))
            start = -1
    calls = ["\n".join(lines[first:last]) for first, last in reversed(ranges)]
    for first, last in reversed(ranges):
        del lines[first:last]
    return "\n".join(lines).rstrip("\n"), calls


def codex_lead(text: str) -> str:
    """A space keeps ``/``, ``!``, ``#``, ``@`` and ``?`` from being commands."""
    return " " if text[:1] in "/!#@?$" else ""


def _steady(lines: list[str]) -> list[str]:
    """Without the banner and the logo, which come, change and go."""
    at = next((at for at, line in enumerate(lines[:_BANNER_REACH]) if _BANNER.match(line)), -1)
    if at >= 0:
        while at < len(lines) and lines[at].strip():
            at += 1
        lines = lines[at:]
    return [line for line in lines if not _LOGO.match(line)]


FORMAT = Format(
    name="codex",
    box=codex_box,
    tools=hide_report_task,
    titles=(
        Rule(re.compile(r"Action Required"), "blocked"),
        Rule(re.compile(r"^[\u2800-\u28ff]"), "working"),
    ),
    markers=(
        Rule(re.compile(r"Would you like to (run|make)|Allow command\?"), "blocked"),
        Rule(re.compile(r"\besc to interrupt\b"), "working"),
    ),
    words=codex_words,
    dialog=marked_dialog,
    steady=_steady,
    said=re.compile(r"^› "),
    lead=codex_lead,
    interrupt=(ESC,),
    noisy_start=True,
    last_words=0.1,
)
