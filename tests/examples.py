"""How many examples a property test tries: all of them in the whole suite, a part of them in the quick one."""

from __future__ import annotations

from hypothesis import settings

__all__ = ["examples"]

_USUAL = 100  # hypothesis' own count


def examples(count: int) -> int:
    """``count``, or its share where the quick suite runs (tests/conftest.py chooses the profile)."""
    return max(1, count * settings.default.max_examples // _USUAL) if settings.default else count
