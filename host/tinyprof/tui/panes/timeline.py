# SPDX-License-Identifier: MIT
"""The timeline: epochs across, the pages that each used by class, new pages, phases, and losses.

A snapshot's timeline comes in. The cursor is a column; moving it asks for the recording as it was
then.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tinyprof.live.timeline import TimeColumn, Timeline
from tinyprof.profile.temperature import Temperature
from tinyprof.tables.strip import CELLS
from tinyprof.text import counted, shown
from tinyprof.tui.palette import BARS, alarm, fitting, style_of

LEFT = 7
"""Cells to the left of the bars."""
CELL_MAX = 12
"""Cells of one column at most, where there are few."""
CLASSES = (Temperature.HOT, Temperature.WARM, Temperature.ONCE)
"""Classes of used pages, from the lowest cell of a column."""
COLUMNS_KEPT = 1024
"""Columns whose cells are remembered from one line to the next."""
OTHER_LINES = 5
"""Lines beside the bars: words, phases, losses, new pages, the axis."""


class TimelinePane(Widget, can_focus=True):
    """Draws a timeline. `cursor`: the number of a column; None: the newest."""

    class Scrubbed(Message):
        """Somebody wants to see the recording as it was after this many epochs."""

        def __init__(self, epoch: int) -> None:
            super().__init__()
            self.epoch = epoch

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "scrub(-1)", "before", show=False),
        Binding("right,l", "scrub(1)", "after", show=False),
        Binding("home", "scrub(-1000000)", "first", show=False),
        Binding("end", "scrub(1000000)", "last", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(id="timeline")
        self._timeline = Timeline()
        self._columns: Sequence[TimeColumn] = ()
        self._epoch: int | None = None

    def show(self, timeline: Timeline, epoch: int | None) -> None:
        """Draw this. `epoch`: the number of epochs after which the rest of the screen looks; None:
        now."""
        if timeline is self._timeline and epoch == self._epoch:
            return
        self._timeline, self._epoch = timeline, epoch
        self._arrange()

    def on_resize(self) -> None:
        """Join columns where there is no room for all."""
        self._arrange()

    def _arrange(self) -> None:
        columns = self._timeline.columns
        together = -(-len(columns) // self._room) if columns else 1
        self._columns = [
            _joined(columns[at : at + together]) for at in range(0, len(columns), together)
        ]
        self.refresh()

    @property
    def _room(self) -> int:
        return max(1, self.size.width - LEFT - 1)

    @property
    def _width(self) -> int:
        """Cells of one column."""
        return max(1, min(CELL_MAX, self._room // max(1, len(self._columns))))

    @property
    def cursor(self) -> int:
        """The number of the column that is shown."""
        if self._epoch is not None:
            for number, column in enumerate(self._columns):
                if column.until >= self._epoch:
                    return number
        return max(0, len(self._columns) - 1)

    def action_scrub(self, by: int) -> None:
        """Show the recording as it was a column before or after."""
        if self._columns:
            at = min(len(self._columns) - 1, max(0, self.cursor + by))
            self.post_message(self.Scrubbed(self._columns[at].until))

    def on_click(self, event: events.Click) -> None:
        """Show the recording as it was at the column under the pointer."""
        at = event.get_content_offset(self)
        if at is not None and at.x >= LEFT:
            self.action_scrub((at.x - LEFT) // self._width - self.cursor)

    def render_line(self, y: int) -> Strip:
        base, height = self.rich_style, max(1, self.size.height - OTHER_LINES)
        if not self._columns:
            text = "  no epoch has ended yet" if y == 0 else ""
            segments = [Segment(text, base + Style(dim=True))]
        elif y == 0:
            segments = [Segment(f" {self._words()}", base + Style(bold=True))]
        elif y == 1:
            segments = self._phases(base)
        elif y < 2 + height:
            segments = self._bars(height, y - 2, base)
        else:
            segments = self._below(y - 2 - height, base)
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def _words(self) -> str:
        it = self._columns[self.cursor]
        before = self._columns[self.cursor - 1].until if self.cursor else 0
        which = f"epoch {it.until}" if it.until - before <= 1 else f"{before + 1} to {it.until}"
        lost = f", LOST {it.lost:,}" if it.lost else ""
        classes = f"{it.hot:,} hot, {it.warm:,} warm, {it.once:,} once"
        return f"{which}: {counted(it.used, 'page')}{lost}: {classes}; {it.fresh:,} new"

    def _phases(self, base: Style) -> list[Segment]:
        """Return the names of phases and boots, each where it began."""
        places = [
            sum(column.until <= mark.after for column in self._columns) * self._width
            for mark in self._timeline.marks
        ]
        line = ""
        ends = [*places, self._room][1:]
        for mark, at, end in zip(self._timeline.marks, places, ends, strict=True):
            # Of marks in one column the last one counts.
            if at < end:
                line = line.ljust(at) + fitting(f"▏{shown(mark.name)}", end - at)
        segments = [Segment("phases".ljust(LEFT), base + Style(dim=True))]
        return [*segments, Segment(fitting(line, self._room), base)]

    def _bars(self, height: int, y: int, base: Style) -> list[Segment]:
        """Return one line of the bars: the class of the pages at this height."""
        most = max(column.used for column in self._columns) or 1
        label = f"{most:,}" if y == 0 else ""
        segments = [Segment(label[: LEFT - 1].rjust(LEFT - 1) + " ", base + Style(dim=True))]
        above = height - 1 - y
        for column in self._columns:
            style, glyph = base, " "
            kinds = stack(column, most, height)
            if above < len(kinds):
                kind = kinds[above]
                style, glyph = base + style_of(kind), CELLS[kind]
            segments.append(Segment(glyph * self._width, style))
        return segments

    def _below(self, y: int, base: Style) -> list[Segment]:
        if y == 0:
            most = max(column.fresh for column in self._columns) or 1
            bars = "".join(BARS[-(-8 * it.fresh // most)] * self._width for it in self._columns)
            return [Segment("new".ljust(LEFT), base + Style(dim=True)), Segment(bars, base)]
        if y == 1:
            segments = [Segment("lost".ljust(LEFT), base + Style(dim=True))]
            for column in self._columns:
                style = base + alarm() if column.lost else base
                segments.append(Segment(("!" if column.lost else " ") * self._width, style))
            return segments
        return [Segment(self._axis() if y == 2 else "", base + Style(dim=True))]

    def _axis(self) -> str:
        whole = self._width * len(self._columns)
        last = str(self._columns[-1].until)
        line = "1".ljust(max(1, whole - len(last))) + (last if whole > len(last) else "")
        at = self.cursor * self._width
        line = line.ljust(at + 1)
        return "epoch".ljust(LEFT) + line[:at] + "▲" + line[at + 1 :]


@lru_cache(maxsize=COLUMNS_KEPT)
def stack(column: TimeColumn, most: int, height: int) -> Sequence[Temperature]:
    """The classes of a column's cells, from the lowest. `most`: pages of a column of `height`.

    1. A cell has the class of the page at half its height, and the lowest that of the first page.
    2. A class with pages that has no cell then takes one from the class with most cells.
    3. Where no class has two, the column grows by a cell, up to its height.
    """
    levels = [0.0, *(most * (cell + 0.5) / height for cell in range(1, height))]
    kinds = [_class_at(column, level) for level in levels if level < column.used]
    counts = (column.hot, column.warm, column.once)
    for kind, count in zip(CLASSES, counts, strict=True):
        if count and kind not in kinds:
            commonest = max(CLASSES, key=kinds.count)
            if kinds.count(commonest) > 1:
                kinds.remove(commonest)
            if len(kinds) < height:
                kinds.append(kind)
    return sorted(kinds, key=CLASSES.index)


def _class_at(column: TimeColumn, level: float) -> Temperature:
    if level < column.hot:
        return Temperature.HOT
    return Temperature.WARM if level < column.hot + column.warm else Temperature.ONCE


def _joined(columns: Sequence[TimeColumn]) -> TimeColumn:
    """Return one column for several: the most pages of any, and the sums of the rest."""
    fullest = max(columns, key=lambda column: column.used)
    return TimeColumn(
        columns[-1].until,
        fullest.hot,
        fullest.warm,
        fullest.once,
        sum(column.fresh for column in columns),
        sum(column.lost for column in columns),
        columns[-1].boot,
    )
