# SPDX-License-Identifier: MIT
"""The intensity of a page: the share of epochs that used it, in eight steps.

Rows of files come in. Steps for each used page, and for the cells of a strip, go out. Step 0 is a
page that nobody used, as the chosen kind.
"""

from __future__ import annotations

from collections.abc import Mapping

from tinyprof.profile.model import PageUse, Seen
from tinyprof.tables.directories import Row
from tinyprof.tables.rows import FileRow

STEPS = 8
"""Steps of intensity. Step n is a share of at most n eighths."""
GLYPHS = "·▁▂▃▄▅▆▇█"
"""A glyph for each step."""

KINDS = {"": "any use", "x": "executed", "r": "read in a mapping", "w": "written", "f": "read()"}
"""The kinds that can be shown, by their letters in a profile."""


def steps_of(row: Row, kind: str = "") -> dict[int, int]:
    """The step of each used page of a file, or of all files of a directory one after the other.

    The share is that of the steady state's epochs, or of all epochs where there is no steady
    state yet. A page that only start-up used has step 1.
    """
    if isinstance(row, FileRow):
        return _steps(row, kind)
    found: dict[int, int] = {}
    start = 0
    for file in row.rows:
        found.update((start + page, step) for page, step in _steps(file, kind).items())
        start += file.pages
    return found


def _steps(row: FileRow, kind: str) -> dict[int, int]:
    steady = row.steady > 0
    whole = row.steady if steady else max(1, row.epochs)
    found = {}
    for page, use in row.use.pages.items():
        if seen := _seen(use, kind):
            count = seen.steady if steady else seen.epochs
            found[page] = min(STEPS, max(1, -(-STEPS * count // whole)))
    return found


def _seen(use: PageUse, kind: str) -> Seen | None:
    return use.seen.get(kind) if kind else use.any


def strongest(steps: Mapping[int, int], pages: int, width: int) -> list[int]:
    """The step of each cell of a strip of at most `width` cells: the highest of its pages."""
    per_cell = max(1, -(-pages // width))
    found = [0] * -(-pages // per_cell)
    for page, step in steps.items():
        cell = page // per_cell
        found[cell] = max(found[cell], step)
    return found
