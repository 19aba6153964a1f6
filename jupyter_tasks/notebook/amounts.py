"""Bytes, tokens and money as a person reads them. Pure functions, for notebook and shell."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_tasks.models import Cost, TokenUsage

__all__ = ["count", "money", "size", "tokens"]


def count(number: int, what: str) -> str:
    """``1 file``, ``1,204 files``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def size(number: int) -> str:
    """Bytes in decimal units, as disks are sold: ``12 MB``; a digit after the point below ten."""
    if number < 1000:
        return f"{number} B"
    value, unit = float(number), "B"
    for unit in ("kB", "MB", "GB", "TB"):  # noqa: B007 - the last one is used
        value /= 1000
        if value < 999.5:
            break
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:,.0f} {unit}"


def money(cost: Cost | None) -> str:
    """``$0.0123``, "" where it is not known. Never rounded to nothing: a cent is two digits, less has four."""
    if cost is None:
        return ""
    try:
        amount = Decimal(cost.amount)
        if not amount.is_finite():
            return ""
        text = f"{amount:,.4f}" if abs(amount) < 1 else f"{amount:,.2f}"
    except (InvalidOperation, ValueError):
        return ""
    return f"${text}" if cost.currency == "USD" else f"{text} {cost.currency}"


def tokens(usage: TokenUsage | None) -> str:
    """``12,345 in, 678 out``, "" where there are none. What was read from or written to a cache went in too."""
    if usage is None:
        return ""
    into = usage.input + usage.cache_read + usage.cache_write
    return f"{into:,} in, {usage.output:,} out" if into or usage.output else ""
