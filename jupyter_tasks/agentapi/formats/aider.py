"""Aider: a prompt_toolkit line that ends in ``>``."""

from __future__ import annotations

from jupyter_tasks.agentapi.formats.base import Format

__all__ = ["FORMAT"]

FORMAT = Format(name="aider")
