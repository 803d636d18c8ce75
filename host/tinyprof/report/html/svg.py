# SPDX-License-Identifier: MIT
"""The report's pictures: rows, points and columns in, SVG elements out. They hold numbers only, no
names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby

from tinyprof.plan.what_if import Point, WhatIf
from tinyprof.profile.temperature import Temperature
from tinyprof.tables.rows import FileRow
from tinyprof.tables.strip import hottest
from tinyprof.tables.verdict import KNEE_SHARE

STRIP_CELLS = 64
MAP_CELLS = 64
CELL = 12
WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM, TOP = 640, 260, 70, 30, 40, 12
STEPS = 60
"""Points of a curve in the report."""
LETTERS = {
    Temperature.HOT: "h",
    Temperature.WARM: "w",
    Temperature.ONCE: "o",
    Temperature.COLD: "c",
}


def strip_svg(row: FileRow) -> str:
    """The heat strip of a file."""
    return strip_of([LETTERS[it] for it in hottest(row.classes, row.pages, STRIP_CELLS)])


def strip_of(letters: Sequence[str]) -> str:
    """A strip with a cell for each letter, which is the class of its style."""
    return (
        f'<svg class="strip" viewBox="0 0 {max(1, len(letters))} 1" preserveAspectRatio="none" '
        f'aria-hidden="true">{_strokes([letters], 1, 0.5, 0)}</svg>'
    )


def map_svg(row: FileRow) -> str:
    """The heat map of a file: a cell for each page."""
    cells = [LETTERS[it] for it in hottest(row.classes, row.pages, max(1, row.pages))]
    lines = [cells[at : at + MAP_CELLS] for at in range(0, len(cells), MAP_CELLS)]
    width, height = CELL * min(MAP_CELLS, max(1, row.pages)), CELL * max(1, len(lines))
    # Neighbours of one class are one stroke. The lines between cells are drawn over it.
    cuts = "".join(f"M{x} 0V{height}" for x in range(CELL, width, CELL))
    return (
        f'<svg class="cells" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'data-cells="{MAP_CELLS}" data-pages="{row.pages}" role="img" '
        f'aria-label="{row.used} of {row.pages} pages used">{_strokes(lines, CELL, CELL // 2, 1)}'
        f'<path class="cut" d="{cuts}"/></svg>'
    )


def _strokes(lines: Sequence[Sequence[str]], cell: int, middle: float, gap: int) -> str:
    """A path for each class, with a stroke for each run of neighbours.

    One path takes a tenth of the bytes of a rectangle for each run, and one element.
    """
    paths: dict[str, list[str]] = {}
    for y, line in enumerate(lines):
        x = 0
        for letter, group in groupby(line):
            count = len(list(group))
            stroke = f"M{x * cell} {y * cell + middle:g}h{count * cell - gap}"
            paths.setdefault(letter, []).append(stroke)
            x += count
    return "".join(f'<path class="{it}" d="{"".join(runs)}"/>' for it, runs in paths.items())


def curve_svg(points: Sequence[Point]) -> str:
    """Flash in KiB to the right, RAM saved in KiB upwards."""
    cost = max(point.cost for point in points) or 1
    saves = max(point.saves for point in points) or 1
    line = " ".join(f"{_x(it.cost, cost)},{_y(it.saves, saves)}" for it in points)
    last = _x(points[-1].cost, cost)
    parts = [
        f'<polygon class="area" points="{line} {last},{_y(0, 1)} {_x(0, 1)},{_y(0, 1)}"/>',
        f'<polyline class="line" points="{line}"/>',
        *_axes(cost, saves),
    ]
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="flash against RAM saved">{"".join(parts)}</svg>'
    )


def _x(value: float, whole: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * value / whole, 1)


def _y(value: float, whole: float) -> float:
    return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / whole, 1)


def _axes(cost: int, saves: int) -> list[str]:
    bottom = _y(0, 1)
    parts = [
        f'<line class="axis" x1="{LEFT}" y1="{bottom}" x2="{WIDTH - RIGHT}" y2="{bottom}"/>',
        f'<line class="axis" x1="{LEFT}" y1="{TOP}" x2="{LEFT}" y2="{bottom}"/>',
    ]
    for quarter in range(5):
        flash, ram = cost * quarter / 4, saves * quarter / 4
        y = _y(ram, saves)
        parts.append(
            f'<line class="grid" x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}"/>'
            f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{ram / 1024:,.0f}</text>'
            f'<text x="{_x(flash, cost)}" y="{HEIGHT - BOTTOM + 16}" '
            f'text-anchor="middle">{flash / 1024:,.0f}</text>'
        )
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">more '
        "flash, KiB</text>"
        f'<text transform="translate(16 {(HEIGHT - BOTTOM) / 2}) rotate(-90)" '
        'text-anchor="middle">'
        "RAM saved, KiB</text>"
    )
    return parts


def curves_svg(curves: Mapping[str, WhatIf]) -> str:
    """The curves of several kernels with their knees. The script reads their points."""
    cost = max((it.everything.cost for it in curves.values()), default=0) or 1
    saves = max((it.everything.saves for it in curves.values()), default=0) or 1
    parts, data = _axes(cost, saves), {}
    for number, (name, curve) in enumerate(curves.items()):
        points, knee = curve.points(STEPS), curve.saving(KNEE_SHARE)
        line = " ".join(f"{_x(it.cost, cost)},{_y(it.saves, saves)}" for it in points)
        parts.append(f'<polyline class="line k{number}" points="{line}"/>')
        if curve.everything.pages:
            x, y = _x(knee.cost, cost), _y(knee.saves, saves)
            parts.append(f'<circle class="knee k{number}" cx="{x}" cy="{y}" r="5"/>')
        data[name] = [(it.cost, it.saves, it.pages) for it in points]
    numbers = json.dumps(data, separators=(",", ":")).replace('"', "&quot;")
    return (
        f'<svg class="plot" id="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'data-left="{LEFT}" data-right="{RIGHT}" data-cost="{cost}" data-curves="{numbers}" '
        f'aria-label="flash against RAM saved, a line for each kernel">{"".join(parts)}</svg>'
    )


PICTURE_STYLE = """text{font:13px sans-serif;fill:#57606a}.area{fill:#d8722c;opacity:.15}
.line{fill:none;stroke:#d8722c;stroke-width:2.5}.axis{stroke:#8c959f}
.grid{stroke:#8c959f;opacity:.3}"""


def curve_picture(points: Sequence[Point]) -> str:
    """The curve as a file of its own, for any viewer of SVG."""
    return (
        curve_svg(points)
        .replace('class="plot"', 'class="plot" xmlns="http://www.w3.org/2000/svg"')
        .replace(">", f"><style>{PICTURE_STYLE}</style>", 1)
    )


def before_after_svg(before: int, after: int) -> str:
    """Two bars, the longer one as wide as the picture."""
    most = max(before, after, 1)
    now, then = 100 * before / most, 100 * after / most
    return (
        '<svg class="bars" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="was" width="{now:.2f}" height="4"/>'
        f'<rect class="will" y="6" width="{then:.2f}" height="4"/></svg>'
    )


def columns_svg(columns: Sequence[tuple[int, int, int]]) -> str:
    """The timeline: a column for each stretch of epochs, with its hot pages, its other pages, and
    the new ones among them."""
    most = max((hot + other for hot, other, _ in columns), default=0) or 1
    parts = []
    for x, (hot, other, fresh) in enumerate(columns):
        high, low, new = (100 * it / most for it in (hot, other, min(fresh, hot + other)))
        parts.append(
            f'<rect class="h" x="{x}" y="{100 - high:.1f}" width=".92" height="{high:.1f}"/>'
            f'<rect class="o" x="{x}" y="{100 - high - low:.1f}" width=".92" height="{low:.1f}"/>'
            f'<rect class="new" x="{x + 0.3:g}" y="{100 - new:.1f}" width=".32" '
            f'height="{new:.1f}"/>'
        )
    return (
        f'<svg class="columns" viewBox="0 0 {max(1, len(columns))} 100" '
        f'preserveAspectRatio="none" role="img" aria-label="pages in use, epoch by epoch">'
        f"{''.join(parts)}</svg>"
    )
