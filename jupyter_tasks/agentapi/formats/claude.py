"""Claude Code (2.x; seen with 2.1.330): full screen, ``❯`` between rules, ``●`` before words and tools alike."""

from __future__ import annotations

import re

from jupyter_tasks.agentapi.formats.base import ESC, Format, Rule
from jupyter_tasks.agentapi.formats.boxes import generic_box, has_border
from jupyter_tasks.agentapi.formats.claude_words import claude_words
from jupyter_tasks.agentapi.formats.dialogs import marked_dialog

__all__ = ["FORMAT", "claude_box", "claude_lead", "hide_report_task"]

_CALL = "coder - coder_report_task (MCP)"
_THANKS = '"message": "Thanks for reporting!"'
_FOOTER_REACH = 8
_RIGHT = re.compile(r"\s{20,}\S")
"""A note at the right edge, just above the box."""
_BANNER = re.compile(r"Claude Code v\d")
_BANNER_REACH = 4
_COMMAND = re.compile(r"/[^\s/]*(\s|$)")


def hide_report_task(text: str) -> tuple[str, list[str]]:
    """Without calls of ``coder_report_task``; the complete ones are returned, last first."""
    lines = ["", *text.split("\n")]
    ranges: list[tuple[int, int]] = []
    whole: list[bool] = []
    start = end = -1
    for at in range(1, len(lines) - 1):
        line = lines[at].strip()
        if _CALL in line:
            start, end = at, -1
        elif start < 0:
            continue
        elif line == _THANKS and lines[at + 1].strip() == "}" and lines[at - 1].strip().endswith("{"):
            ranges.append((start, at + 2))
            whole.append(True)
            start = -1
        elif not line:
            end = at + 1
    if start >= 0:  # cut off in the middle: hide what is there
        ranges.append((start, end if end >= 0 else len(lines)))
        whole.append(False)
    calls: list[str] = []
    for (first, last), complete in zip(reversed(ranges), reversed(whole), strict=True):
        if complete:
            calls.append("\n".join(lines[first:last]))
        del lines[first:last]
    return "\n".join(lines).lstrip("\n"), calls


def claude_box(lines: list[str]) -> list[str]:
    """All from the rule above the last ``❯`` on goes, with a note at the right edge above it."""
    bottom = next((at for at in range(len(lines) - 1, -1, -1) if lines[at].strip()), -1)
    below = next((at for at in range(bottom, max(bottom - _FOOTER_REACH, 0), -1) if has_border(lines[at])), -1)
    for at in range(below - 2, -1, -1):
        if has_border(lines[at]):
            if not lines[at + 1].lstrip("│ ").startswith(("❯", ">", "!")):
                break
            top = at - 1 if at and _RIGHT.match(lines[at - 1]) else at
            return lines[:top]
    return generic_box(lines)


def claude_lead(text: str) -> str:
    """A space keeps ``!``, ``#``, ``@`` and ``?`` from being commands; a slash command needs more."""
    if text.startswith("/"):
        return "> " if _COMMAND.match(text) else " "
    return " " if text[:1] in "!#@?&" else ""


def _steady(lines: list[str]) -> list[str]:
    """Without the banner: its logo moves."""
    at = next((at for at, line in enumerate(lines[:_BANNER_REACH]) if _BANNER.search(line)), -1)
    if at < 0:
        return lines
    while at < len(lines) and lines[at].strip():
        at += 1
    return lines[at:]


FORMAT = Format(
    name="claude",
    box=claude_box,
    tools=hide_report_task,
    titles=(Rule(re.compile(r"^[◐◑◒◓]"), "working"), Rule(re.compile(r"^✳"), "idle")),
    markers=(
        Rule(re.compile(r"Do you want to (proceed|make this edit|create|allow)"), "blocked"),
        Rule(re.compile(r"Select login method|Paste code here if prompted|Please run /login"), "blocked", "auth"),
        Rule(re.compile(r"\besc to interrupt\b"), "working"),
    ),
    words=claude_words,
    dialog=marked_dialog,
    steady=_steady,
    said=re.compile(r"^❯ "),
    lead=claude_lead,
    interrupt=(ESC,),
    noisy_start=True,
    last_words=0.35,
)
