# SPDX-License-Identifier: MIT
"""The heat strip: the classes of a file's pages in, one line of a given width out.

A cell stands for one page. In a file with more pages than cells it stands for several neighbours,
and shows the hottest of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from tinyprof.profile.temperature import Temperature

CELLS = {Temperature.HOT: "█", Temperature.WARM: "▒", Temperature.ONCE: "░", Temperature.COLD: "·"}
WIDTH = 64
"""Cells of a line of text."""

_RANK = {temperature: rank for rank, temperature in enumerate(Temperature)}
_BY_RANK = tuple(Temperature)


def heat_strip(classes: Mapping[int, Temperature], pages: int, width: int = WIDTH) -> str:
    """The strip of a file of `pages` pages. Pages that `classes` does not name are cold."""
    return "".join(CELLS[temperature] for temperature in hottest(classes, pages, width))


def hottest(classes: Mapping[int, Temperature], pages: int, width: int) -> list[Temperature]:
    """The class of each cell of a strip of at most `width` cells."""
    per_cell = max(1, -(-pages // width))
    ranks = [_RANK[Temperature.COLD]] * -(-pages // per_cell)
    for page, temperature in classes.items():
        cell = page // per_cell
        ranks[cell] = min(ranks[cell], _RANK[temperature])
    return [_BY_RANK[rank] for rank in ranks]
