"""Goose: a readline prompt."""

from __future__ import annotations

from jupyter_tasks.agentapi.formats.base import Format

__all__ = ["FORMAT"]

FORMAT = Format(name="goose")
