"""What a call costs, in millionths of a US dollar.

Owns the table of prices (``prices.json``), how a model's name finds its entry, and the sum. A model that is not in it
has no price: nothing is guessed from a name that looks alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jupyter_tasks.metering.llm_usage import Usage

__all__ = ["Price", "Prices", "dollars"]

_DATE = re.compile(r"(?:-\d{8}|-\d{4}-\d{2}-\d{2}|@\d{8}|-latest)\Z")
_FIELDS = ("input", "output", "cache_read", "cache_write", "cache_write_hour")


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars for a million tokens, which is millionths of a dollar for one. None: the vendor names no such price,
    so a call that uses such tokens has no known cost. ``above`` holds for inputs of more than ``tokens``."""

    input: Decimal
    output: Decimal
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_hour: Decimal | None = None
    tokens: int = 0
    above: Price | None = None

    def cost(self, usage: Usage) -> int | None:
        """Millionths of a dollar; None where a price of something that was used is not known."""
        if self.above is not None and usage.input + usage.cache_read + usage.cache_write > self.above.tokens:
            return self.above.cost(usage)
        hour = min(usage.cache_write_hour, usage.cache_write)
        amounts = (usage.input, usage.output, usage.cache_read, usage.cache_write - hour, hour)
        prices = (self.input, self.output, self.cache_read, self.cache_write, self.cache_write_hour)
        total = Decimal(0)
        for amount, price in zip(amounts, prices, strict=True):
            if amount and price is None:
                return None
            total += amount * (price or 0)
        return int(total.quantize(Decimal(1), ROUND_HALF_UP))


class Prices:
    """The table, with an administrator's own entries first. A name may be a pattern (``my-model-*``); of several that
    match, the longest counts. Raises: ValueError for an entry that is none."""

    def __init__(self, own: Mapping[str, Any] | None = None) -> None:
        self._own = {str(name): _price(str(name), entry) for name, entry in (own or {}).items()}

    def of(self, model: str) -> Price | None:
        """The price of a model, None where it is not known."""
        for name in dict.fromkeys((model, _DATE.sub("", model))):
            patterns = [pattern for pattern in self._own if fnmatchcase(name, pattern)]
            if patterns:
                return self._own[max(patterns, key=len)]
        listed = _listed()
        return listed.get(model) or listed.get(_DATE.sub("", model))

    def cost(self, usage: Usage) -> int | None:
        """What this use costs; nothing used costs nothing, whatever the model."""
        if not (usage.input or usage.output or usage.cache_read or usage.cache_write):
            return 0
        price = self.of(usage.model)
        return None if price is None else price.cost(usage)


def dollars(cost: int) -> str:
    """Millionths as a decimal, as "0.0123"; at least two places."""
    whole, part = divmod(cost, 1_000_000)
    return f"{whole}.{f'{part:06}'.rstrip('0'):0<2}"


@lru_cache(maxsize=1)
def _listed() -> Mapping[str, Price]:
    table = json.loads((files(__package__) / "prices.json").read_text(encoding="utf-8"))
    return {name: _price(name, entry) for name, entry in table["models"].items()}


def _price(name: str, entry: Any) -> Price:
    try:
        values: dict[str, Any] = {}
        for field in _FIELDS:
            if entry.get(field) is not None:
                values[field] = Decimal(str(entry[field]))
        if not all(value.is_finite() and value >= 0 for value in values.values()):
            raise ValueError
        above = entry.get("above")
        values["above"] = None if above is None else _price(name, above)
        values["tokens"] = int(entry.get("tokens", 0))
        unknown = set(entry) - {*_FIELDS, "above", "tokens"}
        if unknown:
            raise ValueError
        return Price(**values)
    except (ValueError, TypeError, AttributeError, InvalidOperation):
        raise ValueError(
            f"the price of {name!r} is not one: give input and output (and cache_read, cache_write, cache_write_hour)"
            " in US dollars for a million tokens"
        ) from None
