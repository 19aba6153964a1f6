"""Cursor's CLI (cursor-agent)."""

from __future__ import annotations

import re

from jupyter_tasks.agentapi.formats.base import Format, Rule

__all__ = ["FORMAT"]


def _tail(lines: list[str], last: int) -> int:
    """One more line when the echo stands in a square box: its lower edge."""
    following = lines[last + 1] if last + 1 < len(lines) else ""
    return 1 if "┘" in following and "└" in following else 0


FORMAT = Format(
    name="cursor",
    echo_tail=_tail,
    markers=(
        Rule(re.compile(r"Run this command\?|Not in allowlist"), "blocked"),
        Rule(re.compile(r"\bctrl\+c to stop\b", re.IGNORECASE), "working"),
    ),
    transient=re.compile(r"\bctrl\+c to stop\b", re.IGNORECASE),
)
