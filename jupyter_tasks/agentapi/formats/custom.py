"""Any other terminal agent: the rules that most of them satisfy."""

from __future__ import annotations

from jupyter_tasks.agentapi.formats.base import Format

__all__ = ["FORMAT"]

FORMAT = Format(name="custom", still=8.0)
