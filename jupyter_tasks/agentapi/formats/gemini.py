"""Gemini CLI (seen with 0.61.0)."""

from __future__ import annotations

import re

from jupyter_tasks.agentapi.formats.base import ESC, Format, Rule

__all__ = ["FORMAT", "rounded_tail"]


def rounded_tail(lines: list[str], last: int) -> int:
    """One more line when the echo stands in a rounded box: its lower edge."""
    following = lines[last + 1] if last + 1 < len(lines) else ""
    return 1 if "╯" in following and "╰" in following else 0


FORMAT = Format(
    name="gemini",
    echo_tail=rounded_tail,
    titles=(
        Rule(re.compile(r"^\s*[✋]|Action Required"), "blocked"),
        Rule(re.compile(r"^\s*✦"), "working"),
        Rule(re.compile(r"^\s*◇"), "idle"),
    ),
    markers=(
        Rule(re.compile(r"Waiting for user confirmation|Apply this change\?|Allow execution"), "blocked"),
        Rule(re.compile(r"\(esc to cancel"), "working"),
    ),
    transient=re.compile(r"\(esc to cancel"),
    interrupt=(ESC,),
)
