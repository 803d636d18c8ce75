# SPDX-License-Identifier: MIT
"""How a temperature looks: a glyph and a colour, so that either may be missing.

The colours go from dark to light in the order of the temperatures, on light and dark ground.
People who do not tell red from green can tell them apart.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import groupby

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from tinyprof.profile.temperature import Temperature
from tinyprof.tables.strip import CELLS
from tinyprof.text import shown

_STYLES = {
    Temperature.HOT: Style(color="#e0315f"),
    Temperature.WARM: Style(color="#e8871e"),
    Temperature.ONCE: Style(color="#4794d2"),
    Temperature.COLD: Style(color="#7d8791"),
}
BAD = Style(color="#ffffff", bgcolor="#c02626", bold=True)
"""Style of something that is lost."""

WARN = Style(color="#c07010", bold=True)
"""Style of something that needs attention."""
BARS = " ▁▂▃▄▅▆▇█"
"""Glyphs of bars, in eighths."""


def style_of(temperature: Temperature) -> Style:
    """Return the colour of a temperature. With NO_COLOR that is the text's own, since a grey may
    be the ground's."""
    return Style() if "NO_COLOR" in os.environ else _STYLES[temperature]


def alarm() -> Style:
    """Return the style of something that is lost or away. It is reversed if there are no
    colours."""
    return Style(reverse=True, bold=True) if "NO_COLOR" in os.environ else BAD


def cells(temperatures: Iterable[Temperature], base: Style) -> list[Segment]:
    """Return the cells of a strip, one segment for neighbours of one class."""
    return [
        Segment(CELLS[temperature] * len(list(group)), base + style_of(temperature))
        for temperature, group in groupby(temperatures)
    ]


def legend(base: Style) -> list[Segment]:
    """Return the meaning of each cell."""
    found: list[Segment] = []
    for temperature, cell in CELLS.items():
        found += [
            Segment(cell, base + style_of(temperature)),
            Segment(f" {temperature.value}  ", base),
        ]
    return found


def sparkline(values: Iterable[float], width: int) -> str:
    """Return the newest values as bars of eighths. The highest value is a whole bar."""
    newest = list(values)[-width:]
    most = max(newest, default=0.0) or 1.0
    return "".join(BARS[round(8 * max(0.0, value) / most)] for value in newest).rjust(width)


def size_text(size: int) -> str:
    """Return bytes in KiB, or in MiB if they are many, or below one KiB in bytes."""
    if abs(size) < 1024:
        return f"{size} B"
    return f"{size / 1024:.0f} K" if abs(size) < 10 << 20 else f"{size / (1 << 20):.1f} M"


def ending(path: str, room: int) -> str:
    """Return as much of a path's end as fits: names differ at their ends."""
    text = shown(path)
    if cell_len(text) <= room:
        return text
    while text and cell_len(text) >= room:
        text = text[1:]
    return "…" + text
