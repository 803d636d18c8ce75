# SPDX-License-Identifier: MIT
"""The heat map of a file, or of the image. A cell is a page, or several neighbours when zoomed
out.

Above it stand the legend, what is known of the page under the cursor, and the names of what stands
on it.
"""

from __future__ import annotations

import textwrap
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from tinyprof.pages import PAGE_SIZE
from tinyprof.plan.ordering.bound import bound_of
from tinyprof.profile.model import FileUse
from tinyprof.profile.temperature import Temperature
from tinyprof.rootfs.elf_names import Names
from tinyprof.tables.intensity import KINDS, strongest
from tinyprof.tables.rows import names_text
from tinyprof.tables.strip import hottest
from tinyprof.text import shown
from tinyprof.tui.palette import Look, ending, fitting, step_cells, step_legend
from tinyprof.tui.panes.subject import Subject

OFFSET_WIDTH = 10
"""Cells that the offset of a line takes."""
NAMES_LEAST = 12
"""Cells beside the map from which on the names of files stand there."""
ONE_LINE = 78
"""Cells that the words for a page need in one line."""
ZOOM_MAX = 64
"""Pages in one cell at most."""


class CellGrid(ScrollView, can_focus=True):
    """The cells. The cursor is a page."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(-1)", "left", show=False),
        Binding("right,l", "move(1)", "right", show=False),
        Binding("up,k", "move_lines(-1)", "up", show=False),
        Binding("down,j", "move_lines(1)", "down", show=False),
        Binding("home", "move(-1000000000)", "first", show=False),
        Binding("end", "move(1000000000)", "last", show=False),
        Binding("n", "next_hot", "Next hot run", show=False),
        Binding("plus,equals_sign", "zoom(-1)", "Zoom in", show=False),
        Binding("minus", "zoom(1)", "Zoom out", show=False),
    ]

    class Moved(Message):
        """The cursor has moved, or the zoom has changed."""

    def __init__(self) -> None:
        super().__init__(id="cells")
        self._pages = 0
        self._name: str | None = None
        self._cells: Sequence[Temperature] = ()
        self._steps: Sequence[int] = ()
        self.look = Look()
        self._subject: Subject | None = None
        self._drawn: dict[int, Strip] = {}
        self._blank: Strip | None = None
        self.zoom = 1
        self.cursor = 0

    def show(self, subject: Subject | None) -> None:
        """Draw this. The cursor stays in place unless the subject is another one."""
        if subject is None or subject.name != self._name:
            self.cursor = 0
            self.scroll_to(y=0, animate=False)
        self._subject, self._name = subject, subject.name if subject else None
        self._pages = subject.pages if subject else 0
        self._arrange()

    def _arrange(self) -> None:
        count = -(-self._pages // self.zoom)
        self._cells = (
            hottest(self._subject.classes(), self._pages, count) if self._subject and count else ()
        )
        self._steps = (
            strongest(self._subject.steps(self.look.kind), self._pages, count)
            if self._subject and count
            else ()
        )
        self.cursor = min(self.cursor, max(0, self._pages - 1))
        self._lay_out()
        self.post_message(self.Moved())

    def notify_style_update(self) -> None:
        """Draw anew with another theme."""
        super().notify_style_update()
        self._drawn.clear()
        self._blank = None

    def _lay_out(self) -> None:
        self._drawn.clear()
        self._blank = None
        self.virtual_size = Size(self._width, -(-len(self._cells) // self._per_line))
        self.refresh()

    @property
    def _per_line(self) -> int:
        """Cells in a line: a power of two, so that offsets are round numbers."""
        room = max(8, self._width - OFFSET_WIDTH - 1)
        return int(1 << room.bit_length() - 1)

    @property
    def _width(self) -> int:
        """Cells in a line, without the scroll bar."""
        return self.scrollable_content_region.width

    def on_resize(self) -> None:
        """Draw anew: lines are as long as there is room."""
        self._lay_out()

    def action_move(self, by: int) -> None:
        """Move the cursor by this many cells."""
        before = self._line
        at = self.cursor // self.zoom + by
        self.cursor = min(max(0, self._pages - 1), max(0, at) * self.zoom)
        for line in (before, self._line):
            self._drawn.pop(line, None)
        top = self.scroll_offset.y
        if not top <= self._line < top + self.size.height:
            self.scroll_to(y=max(0, self._line - self.size.height // 2), animate=False)
        self.refresh()
        self.post_message(self.Moved())

    @property
    def _line(self) -> int:
        return self.cursor // self.zoom // self._per_line

    def action_move_lines(self, by: int) -> None:
        """Move the cursor up or down."""
        self.action_move(by * self._per_line)

    def action_next_hot(self) -> None:
        """Move to the start of the next run of hot pages. After the last one comes the first."""
        hot = [it is Temperature.HOT for it in self._cells]
        starts = [i for i, is_hot in enumerate(hot) if is_hot and not (i and hot[i - 1])]
        if starts:
            here = self.cursor // self.zoom
            self.action_move(next((start for start in starts if start > here), starts[0]) - here)

    def action_zoom(self, step: int) -> None:
        """Show twice or half as many pages in a cell."""
        self.zoom = min(ZOOM_MAX, max(1, self.zoom * 2 if step > 0 else self.zoom // 2))
        self._arrange()

    def on_click(self, event: events.Click) -> None:
        """Move the cursor here."""
        cell = (self.scroll_offset.y + event.y) * self._per_line + event.x - OFFSET_WIDTH
        if event.x >= OFFSET_WIDTH and cell < len(self._cells):
            self.action_move(cell - self.cursor // self.zoom)

    def render_line(self, y: int) -> Strip:
        line = self.scroll_offset.y + y
        if line and line * self._per_line >= len(self._cells):
            # A large screen has many empty lines, and asking for a style is slow.
            self._blank = self._blank or Strip.blank(self._width, self.rich_style)
            return self._blank
        if line not in self._drawn:
            self._drawn[line] = self._draw(line).adjust_cell_length(self._width, self.rich_style)
        return self._drawn[line]

    def _draw(self, line: int) -> Strip:
        base, start = self.rich_style, line * self._per_line
        here = self._cells[start : start + self._per_line]
        if not here:
            return Strip(
                [Segment("  no file is chosen", base + Style(dim=True))] if not line else []
            )
        offset = f"{start * self.zoom * PAGE_SIZE:#08x}".ljust(OFFSET_WIDTH)
        segments = [Segment(offset, base + Style(dim=True))]
        at = self.cursor // self.zoom - start
        if 0 <= at < len(here):
            segments += self._stretch(start, start + at, base)
            under = base + Style(reverse=True, bold=True)
            segments += self._stretch(start + at, start + at + 1, under)
            segments += self._stretch(start + at + 1, start + len(here), base)
        else:
            segments += self._stretch(start, start + len(here), base)
        return Strip([*segments, *self._begun(start, len(here), base)])

    def _stretch(self, start: int, end: int, base: Style) -> list[Segment]:
        """Return some cells of a line. Every other file has a line below its cells."""
        subject = self._subject
        lined: list[bool] = []
        if subject and len(subject.rows) > 1:
            lined = [bool(subject.number_at(at * self.zoom) % 2) for at in range(start, end)]
        return step_cells(
            self._steps[start:end], self._cells[start:end], base, self.look, lined=lined
        )

    def _begun(self, start: int, count: int, base: Style) -> list[Segment]:
        """Return the names of the files that begin in a line, as far as there is room."""
        subject = self._subject
        room = self._width - OFFSET_WIDTH - self._per_line - 2
        if not subject or len(subject.rows) < 2 or room < NAMES_LEAST:
            return []
        first = bisect_left(subject.starts, start * self.zoom)
        end = bisect_left(subject.starts, (start + count) * self.zoom)
        names = ", ".join(row.path.rpartition("/")[2] for row in subject.rows[first:end])
        blank = self._per_line - count + 1
        text = fitting(shown(names), room)
        return [Segment(" " * blank, base), Segment(text, base + Style(dim=True))]


class Caption(Widget):
    """Draws the legend, what is known of the page under the cursor, and the names on it."""

    def __init__(self) -> None:
        super().__init__(id="caption")
        self._scale, self._page, self._path, self._names = "", "", "", ""
        self._look = Look()

    def show(self, look: Look, scale: str, page: str, path: str, names: str) -> None:
        """Draw these."""
        self._look = look
        self._scale, self._page, self._path, self._names = scale, page, path, names
        self.refresh()

    def on_resize(self) -> None:
        """Take another line where the words for a page do not fit into one."""
        height = 3 if self.size.width >= ONE_LINE else 4
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height

    def render_line(self, y: int) -> Strip:
        base, width = self.rich_style, self.size.width
        if y == 0:
            segments = [*step_legend(base, self._look), Segment(self._scale, base)]
        elif y < self.size.height - 1:
            words = textwrap.wrap(self._page, max(8, width - 1))
            text = words[y - 1] if y <= len(words) else ""
            segments = [Segment(f" {text}", base + Style(bold=True))]
        else:
            names = f" {self._names}" if self._names else ""
            path = ending(self._path, max(12, width - cell_len(names) - 2))
            segments = [Segment(f" {path}", base + Style(bold=True)), Segment(names, base)]
        return Strip(segments if self._page or y == 0 else []).adjust_cell_length(width, base)


class HeatMap(Vertical):
    """A grid and its caption. It asks for the names in a file, and is told them once they are
    found."""

    class NamesWanted(Message):
        """The cursor is on a file whose names are not known."""

        def __init__(self, file: FileUse) -> None:
            super().__init__()
            self.file = file

    def __init__(self) -> None:
        super().__init__(id="map")
        self._subject: Subject | None = None
        self._named = ""
        self._names: Names | str = ""
        self._dense: tuple[FileUse, str] | None = None

    def compose(self) -> ComposeResult:
        yield Caption()
        yield CellGrid()

    def show(self, subject: Subject | None) -> None:
        """Draw this."""
        self._subject = subject
        self.query_one(CellGrid).show(subject)

    def action_classes(self) -> Look:
        """Show the classes over the intensity, or the intensity alone."""
        return self._look_so(replace(self.look, classes=not self.look.classes))

    def action_kind(self) -> Look:
        """Show the next kind of use."""
        kinds = list(KINDS)
        kind = kinds[(kinds.index(self.look.kind) + 1) % len(kinds)]
        return self._look_so(replace(self.look, kind=kind))

    @property
    def look(self) -> Look:
        """What the cells show."""
        return self.query_one(CellGrid).look

    def _look_so(self, look: Look) -> Look:
        grid = self.query_one(CellGrid)
        grid.look = look
        grid.show(self._subject)
        return look

    def learn(self, file: FileUse, names: Names | str) -> None:
        """Take the names in a file, or why there are none."""
        if file.sha256 == self._named:
            self._names, self._dense = names, None
            self._caption()

    def on_cell_grid_moved(self) -> None:
        """Show what is under the cursor."""
        found = self._subject.at(self.query_one(CellGrid).cursor) if self._subject else None
        if found and found[0].use.sha256 != self._named:
            self._named, self._names = found[0].use.sha256, "…"
            self.post_message(self.NamesWanted(found[0].use))
        self._caption()

    def _caption(self) -> None:
        grid, subject = self.query_one(CellGrid), self._subject
        scale = "a cell is a page" if grid.zoom == 1 else f"a cell is {grid.zoom} pages"
        if grid.look.kind:
            scale = f"only {KINDS[grid.look.kind]} · {scale}"
        found = subject.at(grid.cursor) if subject else None
        if not subject or not found:
            self.query_one(Caption).show(grid.look, scale, "", "", "")
            return
        row, page = found
        scale += self._density_text(row.use)
        names = names_text(self._names, page) if isinstance(self._names, Names) else self._names
        text = subject.text(grid.cursor)
        self.query_one(Caption).show(grid.look, scale, text, row.path, shown(names))

    def _density_text(self, file: FileUse) -> str:
        """The used pages that a linker order of the file's functions could save."""
        if not isinstance(self._names, Names):
            return ""
        if self._dense is None or self._dense[0] is not file:
            bound = bound_of(file, self._names.functions)
            saved = bound.saved if bound else 0
            text = f" · an order could save {saved:,} of {bound.used:,}" if bound and saved else ""
            self._dense = file, text
        return self._dense[1]
