# SPDX-License-Identifier: MIT
"""What XIP would cost and save if the recording ended now: the curve, and a budget that arrow keys move."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.strip import Strip
from textual.widget import Widget

from tinyprof.cramfs import PAGE_SIZE
from tinyprof.live import Snapshot
from tinyprof.temperature import Temperature
from tinyprof.tui.palette import BARS, STYLES, size_text
from tinyprof.whatif import Point

STEPS = 100
LEFT = 9
TEXT_LINES = 4


class WhatIfPane(Widget, can_focus=True):
    """Draws the curve of a snapshot. The budget is in hundredths of what all pages that pay would cost, so
    that it keeps its meaning while the recording grows."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "budget(-1)", "less flash", show=False),
        Binding("right,l", "budget(1)", "more flash", show=False),
        Binding("down,j", "budget(-10)", "much less", show=False),
        Binding("up,k", "budget(10)", "much more", show=False),
        Binding("home", "budget(-100)", "nothing", show=False),
        Binding("end", "budget(100)", "everything", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(id="whatif")
        self._snapshot = Snapshot()
        self._share = STEPS

    def show(self, snapshot: Snapshot) -> None:
        """Draw this snapshot's curve."""
        self._snapshot = snapshot
        self.refresh()

    @property
    def budget(self) -> int:
        """Bytes of flash."""
        curve = self._snapshot.curve
        return curve.everything.cost * self._share // STEPS if curve else 0

    def action_budget(self, by: int) -> None:
        """Move the budget by so many hundredths."""
        self._share = min(STEPS, max(0, self._share + by))
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Set the budget to what is under the pointer."""
        columns = self._columns
        if event.x >= LEFT and columns > 1:
            self.action_budget(round(STEPS * (event.x - LEFT) / (columns - 1)) - self._share)

    @property
    def _columns(self) -> int:
        return max(2, self.size.width - LEFT - 2)

    def render_line(self, y: int) -> Strip:
        base, curve = self.rich_style, self._snapshot.curve
        if curve is None or not curve.everything.pages:
            text = "  no page is worth its flash yet" if y == 0 else ""
            return Strip([Segment(text, base + Style(dim=True))]).adjust_cell_length(self.size.width, base)
        if y < TEXT_LINES:
            segments = self._text(curve.within(self.budget), y, base)
        else:
            segments = self._bars(y - TEXT_LINES, base)
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def _text(self, point: Point, y: int, base: Style) -> list[Segment]:
        it, curve = self._snapshot, self._snapshot.curve
        assert curve
        most = curve.everything
        bound = "" if curve.exact else "at most "
        image = f", image {size_text(it.image_size)} → {size_text(rounded_up(it.image_size + point.cost))}"
        lines = (
            f" budget {size_text(self.budget)} of flash: {point.pages:,} of {most.pages:,} pages in place",
            f" cost {bound}{size_text(point.cost)}{image if it.image_size else ''}",
            f" saves {size_text(point.saves)} of {size_text(most.saves)} of page cache in the steady state",
            " for a kernel that maps any page; ←→ ↑↓ move the budget, w writes the plan, p the profile",
        )
        return [Segment(lines[y], base + (Style(bold=True) if y < TEXT_LINES - 1 else Style(dim=True)))]

    def _bars(self, y: int, base: Style) -> list[Segment]:
        """One line of the plot: what is saved at each budget, in eighths of a line."""
        curve = self._snapshot.curve
        assert curve
        height = max(1, self.size.height - TEXT_LINES - 1)
        marked = round((self._columns - 1) * self._share / STEPS)
        if y >= height:
            most = size_text(curve.everything.cost)
            axis = "0".ljust(self._columns - len(most)) + most
            # The budget must be found without colours, too.
            axis = axis[:marked] + "▲" + axis[marked + 1 :]
            return [Segment(" " * LEFT + axis, base + Style(dim=True))]
        most_saved = curve.everything.saves or 1
        label = size_text(most_saved * (height - y) // height).rjust(LEFT - 1) + " "
        segments = [Segment(label, base + Style(dim=True))]
        for column in range(self._columns):
            point = curve.within(curve.everything.cost * column // (self._columns - 1))
            eighths = round(8 * height * point.saves / most_saved) - 8 * (height - 1 - y)
            bar = BARS[min(8, max(0, eighths))]
            if column == marked:
                segments.append(
                    Segment("│" if bar == " " else bar, base + STYLES[Temperature.HOT] + Style(bold=True))
                )
            else:
                inside = STYLES[Temperature.ONCE if column < marked else Temperature.COLD]
                segments.append(Segment(bar, base + inside))
        return segments


def rounded_up(size: int) -> int:
    """An image is as long as whole pages are."""
    return -(-size // PAGE_SIZE) * PAGE_SIZE
