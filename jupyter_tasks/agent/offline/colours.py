"""Colours: their CSS names and notations, and the shades of one.

Owns the arithmetic; not the files.
"""

from __future__ import annotations

import colorsys
import re
from typing import NamedTuple

from .css_names import CSS_NAMES

__all__ = ["Colour", "find_colours", "named", "shade_like"]


class Colour(NamedTuple):
    """A colour as a person named it: ``value`` is its hex notation."""

    name: str
    value: str


# What people say first. "purple" of CSS (#800080) is dull on a dashboard: these are the hues people mean by the word.
_PLEASANT: dict[str, str] = {
    "purple": "#7c3aed",
    "violet": "#8b5cf6",
    "indigo": "#4f46e5",
    "blue": "#2563eb",
    "sky": "#0284c7",
    "sky blue": "#0284c7",
    "cyan": "#0891b2",
    "teal": "#0d9488",
    "turquoise": "#14b8a6",
    "green": "#16a34a",
    "emerald": "#059669",
    "mint": "#10b981",
    "lime": "#65a30d",
    "yellow": "#ca8a04",
    "amber": "#d97706",
    "gold": "#b8860b",
    "orange": "#ea580c",
    "red": "#dc2626",
    "rose": "#e11d48",
    "pink": "#db2777",
    "magenta": "#c026d3",
    "fuchsia": "#c026d3",
    "brown": "#92400e",
    "gray": "#4b5563",
    "grey": "#4b5563",
    "slate": "#475569",
    "black": "#111827",
    "navy": "#1e3a8a",
    "maroon": "#7f1d1d",
    "lavender": "#a78bfa",
    "lilac": "#a78bfa",
    "crimson": "#dc143c",
    "coral": "#ff7f50",
    "salmon": "#fa8072",
    "olive": "#808000",
    "tomato": "#ff6347",
    "orchid": "#da70d6",
    "plum": "#8e4585",
    "burgundy": "#800020",
    "aqua": "#06b6d4",
    "chocolate": "#d2691e",
    "firebrick": "#b22222",
    "forest green": "#228b22",
    "hot pink": "#ff69b4",
    "royal blue": "#4169e1",
    "steel blue": "#4682b4",
    "slate blue": "#6a5acd",
    "sea green": "#2e8b57",
    "dark green": "#006400",
    "dark blue": "#00008b",
    "dark red": "#8b0000",
    "dark orange": "#ff8c00",
    "deep pink": "#ff1493",
    "light blue": "#38bdf8",
    "light green": "#4ade80",
    "midnight blue": "#191970",
    "rebecca purple": "#663399",
    "dodger blue": "#1e90ff",
}

_ALL: dict[str, str] = {**CSS_NAMES, **_PLEASANT}

_HEX = re.compile(r"#(?:[0-9a-f]{6}|[0-9a-f]{3})\b", re.IGNORECASE)
_NAMES = re.compile(
    r"\b(?:"
    + "|".join(re.escape(name).replace(r"\ ", r"[\s-]?") for name in sorted(_ALL, key=len, reverse=True))
    + r")(?:ish)?\b",
    re.IGNORECASE,
)


def named(word: str) -> Colour | None:
    """The colour of this name or hex notation."""
    if _HEX.fullmatch(word):
        return Colour(word.lower(), _long(word))
    plain = re.sub(r"[\s-]+", " ", word.lower().removesuffix("ish"))
    if plain in _ALL:
        return Colour(plain, _ALL[plain])
    for name, value in _ALL.items():
        if name.replace(" ", "") == plain.replace(" ", ""):
            return Colour(name, value)
    return None


def find_colours(text: str) -> list[tuple[int, Colour]]:
    """Every colour that is named in a text, with its place."""
    found = [(match.start(), match.group()) for pattern in (_HEX, _NAMES) for match in pattern.finditer(text)]
    colours = [(at, named(word)) for at, word in sorted(found)]
    return [(at, colour) for at, colour in colours if colour is not None]


def shade_like(old: str, base: str, new: str) -> str:
    """The shade of ``new`` that is to it what ``old`` is to ``base``: as much darker or lighter, as much duller.

    All are hex notations; the answer has the length and the case of ``old``'s notation where it can.
    """
    if _long(old) == _long(base):
        return new
    _, old_light, old_sat = _hls(old)
    _, base_light, base_sat = _hls(base)
    hue, light, saturation = _hls(new)
    if old_light >= base_light:
        room = (old_light - base_light) / (1 - base_light) if base_light < 1 else 0.0
        light = light + (1 - light) * room
    else:
        light = light * (old_light / base_light)
    if base_sat:
        saturation = min(1.0, saturation * old_sat / base_sat)
    red, green, blue = colorsys.hls_to_rgb(hue, min(max(light, 0.0), 1.0), saturation)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def _long(value: str) -> str:
    digits = value.lstrip("#").lower()
    return "#" + ("".join(digit * 2 for digit in digits) if len(digits) == 3 else digits)


def _rgb(value: str) -> tuple[int, int, int]:
    digits = _long(value)[1:]
    return int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)


def _hls(value: str) -> tuple[float, float, float]:
    red, green, blue = _rgb(value)
    return colorsys.rgb_to_hls(red / 255, green / 255, blue / 255)
