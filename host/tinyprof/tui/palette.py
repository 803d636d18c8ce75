# SPDX-License-Identifier: MIT
"""How a temperature looks: a glyph and a colour, so that either may be missing.

The colours go from dark to light in the order of the temperatures, on light and dark ground.
People who do not tell red from green can tell them apart.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from tinyprof.profile.temperature import Temperature
from tinyprof.tables.intensity import GLYPHS
from tinyprof.tables.strip import CELLS
from tinyprof.text import shown

_STYLES = {
    Temperature.HOT: Style(color="#e0315f"),
    Temperature.WARM: Style(color="#e8871e"),
    Temperature.ONCE: Style(color="#4794d2"),
    Temperature.COLD: Style(color="#7d8791"),
}
_RAMP = tuple(
    Style(color=color)
    for color in (
        "#7d8791",
        "#4f8fd0",
        "#6f86cf",
        "#8f79c6",
        "#ad6cb4",
        "#c8609a",
        "#de5379",
        "#ea4a55",
        "#f0482c",
    )
)
"""Colours of the steps of intensity, from no use to use in every epoch. Their lightness is nearly
the same, so all of them stand out on light and on dark ground."""

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


@dataclass(frozen=True, slots=True)
class Look:
    """What cells show: the intensity of a kind of use, and, as an overlay, the class."""

    kind: str = ""
    classes: bool = False


def step_cells(
    steps: Sequence[int],
    classes: Sequence[Temperature],
    base: Style,
    look: Look,
    *,
    lined: Sequence[bool] = (),
) -> list[Segment]:
    """Return the cells of a map or strip, one segment for neighbours that look alike.

    The glyph tells the intensity, and the colour too. With the overlay the colour tells the class.
    Without colours the overlay shows the class's glyph. `lined`: which cells have a line below, to
    tell one file from the next. `classes`: those of the cells, if the look shows them.
    """
    plain = "NO_COLOR" in os.environ
    found = []
    lines = lined or [False] * len(steps)
    shown_classes = classes if look.classes else [Temperature.COLD] * len(steps)
    for (step, temperature, line), group in groupby(zip(steps, shown_classes, lines, strict=True)):
        glyph, style = GLYPHS[step], base if plain else base + _RAMP[step]
        if look.classes and plain:
            glyph = CELLS[temperature] if step else GLYPHS[0]
        elif look.classes and step:
            style = base + style_of(temperature)
        if line:
            style += Style(underline=True)
        found.append(Segment(glyph * len(list(group)), style))
    return found


def step_legend(base: Style, look: Look) -> list[Segment]:
    """Return the meaning of the glyphs."""
    plain = "NO_COLOR" in os.environ
    if look.classes and plain:
        return legend(base)
    ramp = [Style() if plain or look.classes else style for style in _RAMP]
    found = [Segment("· never  ", base)]
    found += [Segment(GLYPHS[step], base + ramp[step]) for step in (1, 2, 3)]
    found.append(Segment(" seldom  ", base))
    found += [Segment(GLYPHS[step], base + ramp[step]) for step in range(4, len(GLYPHS))]
    found.append(Segment(" hot  ", base))
    if look.classes:
        for temperature in (Temperature.HOT, Temperature.WARM, Temperature.ONCE):
            found.append(Segment(f"{temperature.value}  ", base + style_of(temperature)))
    return found


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


def fitting(text: str, room: int) -> str:
    """Return as much of a text's begin as fits."""
    if cell_len(text) <= room:
        return text
    while text and cell_len(text) >= room:
        text = text[:-1]
    return text + "…"


def ending(path: str, room: int) -> str:
    """Return as much of a path's end as fits: names differ at their ends."""
    text = shown(path)
    if cell_len(text) <= room:
        return text
    while text and cell_len(text) >= room:
        text = text[1:]
    return "…" + text
