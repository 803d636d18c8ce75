# SPDX-License-Identifier: MIT
"""The verdict that is always there: what XIP would save and cost if the recording ended now, or at
the moment that is shown, all kernels side by side.

A snapshot and the curves of the kernels come in. One line goes out on a small terminal, else a
small table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from tinyprof.live.snapshot import Snapshot
from tinyprof.plan.what_if import KERNELS, WhatIf
from tinyprof.tables.verdict import (
    KNEE_SHARE,
    base_of,
    cost_words,
    has_settled,
    saved_words,
    verdict_of,
)
from tinyprof.tui.palette import WARN

TALL = 30
"""Rows of the terminal from which the table has room."""
LABEL, COLUMN, COLUMN_MAX = 19, 20, 28
"""Cells of the label, of a single kernel's column, and of one of several at most."""
KNEE = f"{KNEE_SHARE:.0%}".replace("%", " %")
NOW = "if you stop now"
"""The moment of a recording that goes on."""
NEEDS_FILES = "give --image IMAGE or --rootfs DIR"


class VerdictBar(Widget):
    """Draws the verdicts of a snapshot. The curves of kernels that map only some pages come
    later."""

    def __init__(self) -> None:
        super().__init__(id="verdict")
        self._snapshot = Snapshot()
        self._curves: Mapping[str, WhatIf | str] = {}
        self._when = NOW
        self._table: list[list[str]] = []

    def show(self, snapshot: Snapshot, curves: Mapping[str, WhatIf | str]) -> None:
        """Draw these from now on. `curves`: by the names of kernels, or why there is none."""
        self._snapshot, self._curves = snapshot, curves
        self._table = _table(snapshot, curves)
        self._fit()
        self.refresh()

    def show_moment(self, when: str) -> None:
        """Call the moment that the figures are of by these words. Empty: now."""
        if self._when != (when or NOW):
            self._when = when or NOW
            self.refresh()

    def on_resize(self) -> None:
        """Take as many lines as there is room for."""
        self._fit()

    def _fit(self) -> None:
        height = self._height
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height

    @property
    def _height(self) -> int:
        if not self._table:
            return 1
        if self.app.size.height >= TALL:
            return 4
        return 3 if len(self._table) > 1 else 1

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        if not self._table:
            segments = [Segment(f" {self._why_none}", base + Style(dim=True))]
        elif self._height == 1:
            segments = self._one_line(base)
        else:
            segments = self._row(y, base)
        return Strip(segments).adjust_cell_length(self.size.width, base)

    @property
    def _why_none(self) -> str:
        if self._snapshot.unresolved:
            return "no verdict on XIP: the pages have no names (see above)"
        return "no verdict on XIP yet: the first epoch has not ended"

    def _one_line(self, base: Style) -> list[Segment]:
        name, saved, cost, knee = self._table[0]
        # The line above says whether the figures are final. Here it has no room.
        style = Style(bold=True) if has_settled(self._snapshot.profile) else WARN
        saved, knee = saved.partition(", ")[0], knee.partition(", ")[0]
        when = "stop now" if self._when == NOW else self._when
        text = f" {when}, {name}: RAM −{saved} · flash +{cost} · {KNEE} for +{knee}"
        if cell_len(text) > self.size.width:
            text = f" {name}: RAM −{saved} · flash +{cost} · {KNEE} for +{knee}"
        return [Segment(text, base + style)]

    def _row(self, y: int, base: Style) -> list[Segment]:
        labels = (f" {self._when}", " saves RAM", " costs flash", f" {KNEE} of RAM for")
        final = has_settled(self._snapshot.profile)
        # Of a moment that is over, the label is what matters. Its colour says the rest.
        label = " not final yet" if y == 0 and not final and self._when == NOW else labels[y]
        style = base + (Style(dim=True) if y or final else WARN)
        room = (self.size.width - LABEL) // len(self._table)
        width = COLUMN if len(self._table) == 1 else min(COLUMN_MAX, room)
        segments = [Segment(label.ljust(LABEL), style)]
        for column in self._table:
            text = column[y] if y < len(column) else ""
            if width < COLUMN:
                text = text.replace(" KiB", " K")
            segments.append(Segment(text[: width - 1].ljust(width), base + Style(bold=y > 0)))
        if y == 1 and len(self._table) == 1 and (why := self._why_others):
            segments.append(Segment(f"  {why}", base + Style(dim=True)))
        return segments

    @property
    def _why_others(self) -> str:
        others = ", ".join(kernel.name for kernel in KERNELS if not kernel.maps_any_page)
        told = next((it for it in self._curves.values() if isinstance(it, str) and it), "")
        return f"{others}: {told or NEEDS_FILES}"


def _table(snapshot: Snapshot, curves: Mapping[str, WhatIf | str]) -> list[list[str]]:
    """A column for each kernel that can be reckoned: its name, and three figures in words."""
    base = base_of(snapshot.rows, snapshot.image_size)
    found: Sequence[tuple[str, WhatIf | str | None]] = [
        (kernel.name, snapshot.curve if kernel.maps_any_page else curves.get(kernel.name))
        for kernel in KERNELS
    ]
    columns = []
    for name, curve in found:
        if not isinstance(curve, WhatIf):
            continue
        it = verdict_of(curve)
        columns.append(
            [
                name,
                saved_words(it.most, base),
                cost_words(it.most, base, exact=it.exact),
                cost_words(it.knee, base, exact=it.exact),
            ]
        )
    return columns
