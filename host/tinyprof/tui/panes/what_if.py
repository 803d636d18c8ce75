# SPDX-License-Identifier: MIT
"""What XIP would cost and save if the recording ended now: a curve, and a budget that arrow keys
move.

The snapshot has the curve of a kernel that maps any page. For other kernels the pane asks, and
draws the last curve that it was told until there is a newer one.
"""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tinyprof.live.snapshot import Snapshot
from tinyprof.pages import PAGE_SIZE, pages_in
from tinyprof.plan.what_if import KERNELS, Kernel, WhatIf
from tinyprof.profile.temperature import Temperature
from tinyprof.tui.palette import BARS, size_text, style_of

STEPS = 100
"""Steps of the budget from nothing to everything."""
LEFT = 9
"""Cells to the left of the curve."""
TEXT_LINES = 4
"""Lines of text above the curve."""
KEYS = " ←→ less, more flash   x kernel   w write the plan"
"""The last line."""
KEYS_FROM = 9
"""Lines of the pane from which the keys have room."""
LABELS = 8
"""Labels of the axis at most."""


class WhatIfPane(Widget, can_focus=True):
    """Draws the curve of a snapshot.

    The budget is counted in hundredths of the cost of all pages that pay. So it keeps its meaning
    while the recording grows.
    """

    class CurveWanted(Message):
        """The pane wants the curve for its kernel and snapshot."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "budget(-1)", "less flash", show=False),
        Binding("right,l", "budget(1)", "more flash", show=False),
        Binding("down,j", "budget(-10)", "much less", show=False),
        Binding("up,k", "budget(10)", "much more", show=False),
        Binding("home", "budget(-100)", "nothing", show=False),
        Binding("end", "budget(100)", "everything", show=False),
        Binding("x", "kernel", "Kernel"),
    ]

    def __init__(self) -> None:
        super().__init__(id="whatif")
        self._snapshot = Snapshot()
        self._share = STEPS
        self._number = 0
        self._told: WhatIf | str = ""

    def show(self, snapshot: Snapshot) -> None:
        """Draw this snapshot's curve."""
        self._snapshot = snapshot
        self._want()
        self.refresh()

    def _want(self) -> None:
        if not self.kernel.maps_any_page:
            self.post_message(self.CurveWanted())

    @property
    def kernel(self) -> Kernel:
        """The kernel that is to map the pages."""
        return KERNELS[self._number]

    @property
    def curve(self) -> WhatIf | None:
        """The curve that is drawn."""
        if self.kernel.maps_any_page:
            return self._snapshot.curve
        return self._told if isinstance(self._told, WhatIf) else None

    @property
    def budget(self) -> int:
        """Bytes of flash."""
        return self.curve.everything.cost * self._share // STEPS if self.curve else 0

    def tell(self, kernel: Kernel, told: WhatIf | str) -> None:
        """Take the curve for a kernel, or why there is none."""
        if kernel is self.kernel:
            self._told = told
            self.refresh()

    def action_kernel(self) -> None:
        """Choose the next kernel."""
        self._number = (self._number + 1) % len(KERNELS)
        self._told = "…"
        self._want()
        self.refresh()

    def action_budget(self, by: int) -> None:
        """Move the budget by this many hundredths."""
        self._share = min(STEPS, max(0, self._share + by))
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Set the budget to the place under the pointer. A click on the kernels' line chooses the
        next kernel."""
        columns, at = self._columns, event.get_content_offset(self)
        if at is None:
            return
        if at.y == 0:
            self.action_kernel()
        elif at.x >= LEFT and columns > 1:
            self.action_budget(round(STEPS * (at.x - LEFT) / (columns - 1)) - self._share)

    @property
    def _has_keys(self) -> bool:
        return self.size.height >= KEYS_FROM

    @property
    def _columns(self) -> int:
        return max(2, self.size.width - LEFT - 2)

    def render_line(self, y: int) -> Strip:
        base, curve = self.rich_style, self.curve
        if y == 0:
            segments = self._who(base)
        elif self._has_keys and y == self.size.height - 1:
            segments = [Segment(KEYS, base + Style(dim=True))]
        elif curve is None or not curve.everything.pages:
            text = f" {self._why_none}" if y == 1 else ""
            segments = [Segment(text, base + Style(dim=True))]
        elif y < TEXT_LINES:
            segments = [Segment(self._text(curve)[y - 1], base + Style(bold=True))]
        else:
            segments = self._bars(curve, y - TEXT_LINES, base)
        return Strip(segments).adjust_cell_length(self.size.width, base)

    @property
    def _why_none(self) -> str:
        it = self._snapshot
        if self.curve is None and not self.kernel.maps_any_page and isinstance(self._told, str):
            why = self._told
        elif it.unresolved:
            why = "no verdict: the pages have no names"
        else:
            why = "" if it.curve and it.epoch else "no verdict yet"
        return why or "no page is worth its flash yet"

    def _who(self, base: Style) -> list[Segment]:
        """Return the kernels, the chosen one marked."""
        segments = [Segment(" kernel ", base + Style(dim=True))]
        for kernel in KERNELS:
            chosen = kernel is self.kernel
            segments.append(
                Segment(
                    f"[{kernel.name}]" if chosen else f" {kernel.name} ", base + Style(bold=chosen)
                )
            )
        return [*segments, Segment(f"  {self.kernel.what}", base + Style(dim=True))]

    def _text(self, curve: WhatIf) -> tuple[str, ...]:
        it, most, point = self._snapshot, curve.everything, curve.within(self.budget)
        bound = "" if curve.exact else "at most "
        grown = rounded_up(it.image_size + point.cost)
        image = f", image {size_text(it.image_size)} → {size_text(grown)}"
        left_out = f"; {_files(curve.unknown)} left out" if curve.unknown else ""
        pages = f"{point.pages:,} of {most.pages:,} pages in place{left_out}"
        return (
            f" budget {size_text(self.budget)} of flash: {pages}",
            f" cost {bound}{size_text(point.cost)}{image if it.image_size else ''}",
            f" saves {size_text(point.saves)} of {size_text(most.saves)} of page cache in the "
            "steady state",
        )

    def _bars(self, curve: WhatIf, y: int, base: Style) -> list[Segment]:
        """Return one line of the plot: the saving at each budget, in eighths of a line."""
        height = max(1, self.size.height - TEXT_LINES - 2 - self._has_keys)
        marked = round((self._columns - 1) * self._share / STEPS)
        if y == height:
            # The budget must be visible without colours, too.
            value = size_text(self.budget)
            fits = marked + 2 + len(value) <= self._columns
            text = f"▲ {value}" if fits else f"{value} ▲"
            at = marked if fits else max(0, marked + 1 - len(text))
            return [Segment(" " * (LEFT + at) + text, base + Style(bold=True))]
        if y > height:
            most = size_text(curve.everything.cost)
            axis = "0".ljust(self._columns - len(most)) + most if y == height + 1 else ""
            return [Segment(" " * LEFT + axis, base + Style(dim=True))]
        most_saved = curve.everything.saves or 1
        labelled = y % max(1, height // LABELS) == 0
        label = (size_text(most_saved * (height - y) // height) if labelled else "").rjust(
            LEFT - 1
        ) + " "
        segments = [Segment(label, base + Style(dim=True))]
        for column in range(self._columns):
            point = curve.within(curve.everything.cost * column // (self._columns - 1))
            eighths = round(8 * height * point.saves / most_saved) - 8 * (height - 1 - y)
            bar = BARS[min(8, max(0, eighths))]
            if column == marked:
                style = style_of(Temperature.HOT)
                # Without colours only another shape tells it from its neighbours.
                bar = bar if style and bar != " " else "│"
                segments.append(Segment(bar, base + style + Style(bold=True)))
            else:
                inside = style_of(Temperature.ONCE if column < marked else Temperature.COLD)
                segments.append(Segment(bar, base + inside))
        return segments


def _files(number: int) -> str:
    return "1 file" if number == 1 else f"{number} files"


def rounded_up(size: int) -> int:
    """Return the size of an image, which has whole pages."""
    return pages_in(size) * PAGE_SIZE
