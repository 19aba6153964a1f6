"""GitHub Copilot CLI (seen with 1.0.102)."""

from __future__ import annotations

import re

from jupyter_tasks.agentapi.formats.base import ESC, Format, Rule
from jupyter_tasks.agentapi.formats.gemini import rounded_tail

__all__ = ["FORMAT"]

FORMAT = Format(
    name="copilot",
    echo_tail=rounded_tail,
    markers=(
        Rule(re.compile(r"Do you want to (run|edit|allow|create)"), "blocked"),
        Rule(re.compile(r"◎ Working\b|\besc esc interrupt\b|\(esc to cancel"), "working"),
    ),
    transient=re.compile(r"◎ Working\b|\besc esc interrupt\b|\(esc to cancel"),
    interrupt=(ESC,),
)
