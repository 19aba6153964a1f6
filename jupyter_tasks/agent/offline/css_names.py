"""The rest of the colour names of CSS (Level 4): those for which people do not mean another hue than the standard says.

Owns the table.
"""

from __future__ import annotations

__all__ = ["CSS_NAMES"]

_TABLE = (
    "aliceblue f0f8ff antiquewhite faebd7 aquamarine 7fffd4 azure f0ffff beige f5f5dc bisque ffe4c4 "
    "blanchedalmond ffebcd blueviolet 8a2be2 burlywood deb887 cadetblue 5f9ea0 chartreuse 7fff00 "
    "cornflowerblue 6495ed cornsilk fff8dc darkcyan 008b8b darkgoldenrod b8860b darkgray a9a9a9 "
    "darkkhaki bdb76b darkmagenta 8b008b darkolivegreen 556b2f darkorchid 9932cc darksalmon e9967a "
    "darkseagreen 8fbc8f darkslateblue 483d8b darkslategray 2f4f4f darkturquoise 00ced1 darkviolet 9400d3 "
    "deepskyblue 00bfff dimgray 696969 floralwhite fffaf0 gainsboro dcdcdc ghostwhite f8f8ff "
    "goldenrod daa520 greenyellow adff2f honeydew f0fff0 indianred cd5c5c ivory fffff0 khaki f0e68c "
    "lavenderblush fff0f5 lawngreen 7cfc00 lemonchiffon fffacd lightcoral f08080 lightcyan e0ffff "
    "lightgoldenrodyellow fafad2 lightgray d3d3d3 lightpink ffb6c1 lightsalmon ffa07a "
    "lightseagreen 20b2aa lightskyblue 87cefa lightslategray 778899 lightsteelblue b0c4de "
    "lightyellow ffffe0 limegreen 32cd32 linen faf0e6 mediumaquamarine 66cdaa mediumblue 0000cd "
    "mediumorchid ba55d3 mediumpurple 9370db mediumseagreen 3cb371 mediumslateblue 7b68ee "
    "mediumspringgreen 00fa9a mediumturquoise 48d1cc mediumvioletred c71585 mintcream f5fffa "
    "mistyrose ffe4e1 moccasin ffe4b5 navajowhite ffdead oldlace fdf5e6 olivedrab 6b8e23 orangered ff4500 "
    "palegoldenrod eee8aa palegreen 98fb98 paleturquoise afeeee palevioletred db7093 papayawhip ffefd5 "
    "peachpuff ffdab9 peru cd853f powderblue b0e0e6 rosybrown bc8f8f saddlebrown 8b4513 sandybrown f4a460 "
    "seashell fff5ee sienna a0522d silver c0c0c0 slategray 708090 snow fffafa springgreen 00ff7f "
    "tan d2b48c thistle d8bfd8 wheat f5deb3 white ffffff whitesmoke f5f5f5 yellowgreen 9acd32"
)
_WORDS = _TABLE.split()

CSS_NAMES: dict[str, str] = {name: "#" + value for name, value in zip(_WORDS[::2], _WORDS[1::2])}
"""Names in lower case without blanks, values in hex notation."""
