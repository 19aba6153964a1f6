"""Amp: a rounded box at the bottom."""

from __future__ import annotations

from jupyter_tasks.agentapi.formats.base import ESC, Format

__all__ = ["FORMAT", "amp_box"]


def amp_box(lines: list[str]) -> list[str]:
    """The lines above the last rounded box; "Welcome to Amp" where there is nothing but the box."""
    end = False
    for at in range(len(lines) - 1, -1, -1):
        line = lines[at].strip()
        if line.startswith("╰") and line.endswith("╯"):
            end = True
        if end and line.startswith("╭") and line.endswith("╮"):
            kept = lines[:at]
            return kept if any(kept_line.strip() for kept_line in kept) else ["Welcome to Amp"]
    return lines


FORMAT = Format(name="amp", box=amp_box, interrupt=(ESC,))
