# SPDX-License-Identifier: MIT
"""The report's pictures: rows, points and boots in, SVG elements out. They hold numbers only, no
names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from tinyprof.plan.what_if import Point
from tinyprof.profile.model import BootFacts
from tinyprof.profile.temperature import Temperature
from tinyprof.tables.rows import FileRow
from tinyprof.tables.strip import hottest

STRIP_CELLS = 64
MAP_CELLS = 64
CELL = 12
WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM, TOP = 640, 260, 70, 30, 40, 12
LETTERS = {
    Temperature.HOT: "h",
    Temperature.WARM: "w",
    Temperature.ONCE: "o",
    Temperature.COLD: "c",
}


def strip_svg(row: FileRow) -> str:
    """The heat strip of a file."""
    cells = hottest(row.classes, row.pages, STRIP_CELLS)
    runs = "".join(_runs(cells, 0, 1, 1, gap=0.0))
    return (
        f'<svg class="strip" viewBox="0 0 {max(1, len(cells))} 1" preserveAspectRatio="none" '
        f'aria-hidden="true">{runs}</svg>'
    )


def map_svg(row: FileRow) -> str:
    """The heat map of a file: a cell for each page."""
    cells = hottest(row.classes, row.pages, max(1, row.pages))
    lines = [cells[at : at + MAP_CELLS] for at in range(0, len(cells), MAP_CELLS)]
    width, height = CELL * min(MAP_CELLS, max(1, row.pages)), CELL * max(1, len(lines))
    # Neighbours of one class are one rectangle. The lines between cells are drawn over it.
    cuts = "".join(f"M{x} 0V{height}" for x in range(CELL, width, CELL))
    runs = "".join(
        run for y, line in enumerate(lines) for run in _runs(line, y * CELL, CELL, CELL, gap=1.0)
    )
    return (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'data-cells="{MAP_CELLS}" '
        f'data-pages="{row.pages}" role="img" aria-label="{row.used} of {row.pages} pages '
        f'used">{runs}'
        f'<path class="cut" d="{cuts}"/></svg>'
    )


def _runs(
    cells: Sequence[Temperature], y: int, width: int, height: int, gap: float
) -> Iterator[str]:
    """One rectangle for neighbours of one class."""
    x = 0
    for temperature, group in groupby(cells):
        size = len(list(group)) * width
        yield (
            f'<rect class="{LETTERS[temperature]}" x="{x}" y="{y}" width="{size - gap:g}" '
            f'height="{height - gap:g}"/>'
        )
        x += size


def curve_svg(points: Sequence[Point]) -> str:
    """Flash in KiB to the right, RAM saved in KiB upwards."""
    cost = max(point.cost for point in points) or 1
    saves = max(point.saves for point in points) or 1

    def x(value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * value / cost, 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / saves, 1)

    line = " ".join(f"{x(point.cost)},{y(point.saves)}" for point in points)
    parts = [
        f'<polygon class="area" points="{line} {x(points[-1].cost)},{y(0)} {x(0)},{y(0)}"/>',
        f'<polyline class="line" points="{line}"/>',
        f'<line class="axis" x1="{LEFT}" y1="{y(0)}" x2="{WIDTH - RIGHT}" y2="{y(0)}"/>',
        f'<line class="axis" x1="{LEFT}" y1="{TOP}" x2="{LEFT}" y2="{y(0)}"/>',
    ]
    for quarter in range(5):
        flash, ram = cost * quarter / 4, saves * quarter / 4
        parts.append(
            f'<line class="grid" x1="{LEFT}" y1="{y(ram)}" x2="{WIDTH - RIGHT}" y2="{y(ram)}"/>'
            f'<text x="{LEFT - 6}" y="{y(ram) + 4}" text-anchor="end">{ram / 1024:,.0f}</text>'
            f'<text x="{x(flash)}" y="{HEIGHT - BOTTOM + 16}" '
            f'text-anchor="middle">{flash / 1024:,.0f}</text>'
        )
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">more '
        "flash, KiB</text>"
        f'<text transform="translate(16 {(HEIGHT - BOTTOM) / 2}) rotate(-90)" '
        'text-anchor="middle">'
        "RAM saved, KiB</text>"
    )
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="flash against RAM saved">{"".join(parts)}</svg>'
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


def phases_svg(boot: BootFacts) -> str:
    """The phases of a boot, with the steady state in the colour of hot pages."""
    total = sum(phase.epochs for phase in boot.phases) or 1
    parts, x = [], 0
    for phase in boot.phases:
        steady = " steady" if phase.steady else ""
        parts.append(
            f'<rect class="phase{steady}" x="{x}" y="0" width="{phase.epochs}" height="1" '
            'vector-effect="non-scaling-stroke"/>'
        )
        x += phase.epochs
    return (
        f'<svg class="phases" viewBox="0 0 {total} 1" preserveAspectRatio="none" '
        'aria-hidden="true">'
        f"{''.join(parts)}</svg>"
    )
