# SPDX-License-Identifier: MIT
"""Where panes stand: all side by side where there is room, else one behind tabs.

The size of the board comes in, and a place for each visible pane goes out.
"""

from __future__ import annotations

from textual.geometry import Region

PANES = ("map", "whatif", "console", "log", "timeline")
"""The panes, in the order of the keys 1 to 5."""
TITLES = ("heat map", "what if", "console", "log", "timeline")

SIDE_BY_SIDE = (120, 24)
"""Columns and rows from which all panes are visible."""
TWO_COLUMNS, THREE_COLUMNS = 180, 260
"""Columns from which panes stand in that many columns."""


def places(width: int, height: int, shown: str) -> dict[str, Region]:
    """The place of each visible pane, of the list of files, and of the tabs. `shown`: the pane
    that is visible where there is room for one only."""
    if width < SIDE_BY_SIDE[0] or height < SIDE_BY_SIDE[1]:
        files = max(2, (height - 1) // 2)
        below = max(2, height - files - 1)
        return {
            "files": Region(0, 0, width, files),
            "tabs": Region(0, files, width, 1),
            shown: Region(0, files + 1, width, below),
        }
    if width < TWO_COLUMNS:
        return _three_rows(width, height)
    return _columns(width, height)


def _three_rows(width: int, height: int) -> dict[str, Region]:
    top, bottom = height * 3 // 10, height * 3 // 10
    middle, half = height - top - bottom, width // 2
    third = width * 3 // 10
    return {
        "files": Region(0, 0, width, top),
        "map": Region(0, top, half - 1, middle),
        "whatif": Region(half, top, width - half, middle),
        "timeline": Region(0, height - bottom, width - 2 * third - 1, bottom),
        "console": Region(width - 2 * third, height - bottom, third - 1, bottom),
        "log": Region(width - third, height - bottom, third, bottom),
    }


def _columns(width: int, height: int) -> dict[str, Region]:
    wide = width >= THREE_COLUMNS
    left = width * 2 // 5 if wide else width * 11 // 20
    right = width * 7 // 10 if wide else left
    files, plot = height * 7 // 10 if wide else height // 2, height * 11 // 20
    found = {"files": Region(0, 0, left - 1, files)}
    if wide:
        low = height // 3
        found["timeline"] = Region(0, files, left - 1, height - files)
        found["map"] = Region(left, 0, right - left - 1, height)
        found["whatif"] = Region(right, 0, width - right, low)
        found["console"] = Region(right, low, width - right, low)
        found["log"] = Region(right, 2 * low, width - right, height - 2 * low)
        return found
    low, half = files + height // 4, left // 2
    found["timeline"] = Region(0, files, left - 1, low - files)
    found["console"] = Region(0, low, half - 1, height - low)
    found["log"] = Region(half, low, left - half - 1, height - low)
    found["map"] = Region(left, 0, width - left, plot)
    found["whatif"] = Region(left, plot, width - left, height - plot)
    return found
