"""Claude Code (2.x; seen with 2.1.330): ``❯`` between rules, full screen."""

from __future__ import annotations

import re

from jupyter_tasks.agentapi.formats.base import ESC, Format, Rule

__all__ = ["FORMAT", "hide_report_task"]

_CALL = "coder - coder_report_task (MCP)"
_THANKS = '"message": "Thanks for reporting!"'


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


FORMAT = Format(
    name="claude",
    tools=hide_report_task,
    titles=(Rule(re.compile(r"^[◐◑◒◓]"), "working"), Rule(re.compile(r"^✳"), "idle")),
    markers=(
        Rule(re.compile(r"Do you want to (proceed|make this edit|create|allow)"), "blocked"),
        Rule(re.compile(r"Select login method|Paste code here if prompted"), "blocked", "auth"),
        Rule(re.compile(r"\besc to interrupt\b"), "working"),
    ),
    transient=re.compile(r"^\s*[*·✢✳✶✻✽]\s+\S+…( \(|\s*$)|\besc to interrupt\b"),
    interrupt=ESC,
)
