"""Fixtures of the shell's tests."""

from __future__ import annotations

from shell_engine import own_places, shell

__all__ = ["own_places", "shell"]
