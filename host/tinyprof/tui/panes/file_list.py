# SPDX-License-Identifier: MIT
"""The list of files: a heat strip and figures for each. It can be sorted by any column, and
filtered by path.

It is drawn line by line and keeps what it drew until the rows change: most news change only the
header.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tinyprof.tables.columns import percent
from tinyprof.tables.directories import Directory, Line, Row, flat, tree
from tinyprof.tables.intensity import steps_of, strongest
from tinyprof.tables.rows import FileRow
from tinyprof.tables.strip import hottest
from tinyprof.tui.palette import Look, ending, size_text, step_cells

HEAD_LINES = 1
"""Lines of the heading."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of figures. `key` sorts them upwards."""

    name: str
    width: int
    text: Callable[[Row], str]
    key: Callable[[Row], float]


COLUMNS = (
    Column("touched", 10, lambda row: f"{row.used}/{row.pages}", lambda row: row.used),
    Column(
        "hot", 11, lambda row: f"{row.hot}, {percent(row.hot, row.pages)}", lambda row: row.hot
    ),
    Column("RAM now", 9, lambda row: size_text(row.ram), lambda row: row.ram),
    Column(
        "flash",
        9,
        lambda row: ("" if row.exact else "≤") + size_text(row.cost),
        lambda row: row.cost,
    ),
    Column("saves", 8, lambda row: size_text(row.saves), lambda row: row.saves),
)
"""The columns, from left to right."""
BY_PATH = len(COLUMNS)
"""Number of the column of paths."""


class FileList(ScrollView, can_focus=True):
    """Shows rows, and posts the chosen one."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"files--head", "files--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home", "move(-1000000)", "first", show=False),
        Binding("end", "move(1000000)", "last", show=False),
        Binding("s", "sort", "Sort"),
        Binding("r", "reverse", "Reverse", show=False),
        Binding("t", "tree", "Tree", show=False),
        Binding("enter", "fold", "Open or close", show=False),
    ]

    class Chosen(Message):
        """The cursor is on another row, or the row has changed. None: there is no row."""

        def __init__(self, row: Row | None) -> None:
            super().__init__()
            self.row = row

    def __init__(self) -> None:
        super().__init__(id="files")
        self._all: Sequence[FileRow] = ()
        self._lines: list[Line] = []
        self._is_tree = False
        self._folded: set[str] = set()
        self._sort = 1
        self._rising = False
        self._wanted = ""
        self._cursor = 0
        self._look = Look()
        self._instead: Sequence[str] = ()
        self._blank: Strip | None = None
        self._drawn: dict[tuple[int, int, bool], Strip] = {}

    @property
    def chosen(self) -> Row | None:
        """The row under the cursor."""
        return self._lines[self._cursor].row if self._lines else None

    @property
    def paths(self) -> list[str]:
        """The listed paths, from the first to the last."""
        return [line.row.path for line in self._lines]

    def show(self, rows: Sequence[FileRow]) -> None:
        """List these rows from now on. The cursor stays on its file."""
        self._all = rows
        self._arrange()

    def look(self, look: Look) -> None:
        """Draw the strips like this from now on."""
        self._look = look
        self._drawn.clear()
        self.refresh()

    def show_instead(self, lines: Sequence[str]) -> None:
        """Show these lines while there are no rows. None: say that nothing was touched."""
        if lines != self._instead:
            self._instead = lines
            self.refresh()

    def filter(self, wanted: str) -> None:
        """List only files whose paths contain this text, in upper or lower case."""
        self._wanted = wanted.lower()
        self._arrange()

    def _arrange(self) -> None:
        before = self.chosen
        key = COLUMNS[self._sort].key if self._sort < BY_PATH else None
        rows = [row for row in self._all if self._wanted in row.path.lower()]
        rows.sort(key=lambda row: row.path, reverse=key is None and not self._rising)
        if key:
            rows.sort(key=key, reverse=not self._rising)
        self._lines = tree(rows, self._folded) if self._is_tree else flat(rows)
        paths = {line.row.path: number for number, line in enumerate(self._lines)}
        self._cursor = paths.get(before.path, 0) if before else 0
        self._drawn.clear()
        self.virtual_size = Size(self._width, len(self._lines) + HEAD_LINES)
        self._moved()

    def _moved(self, before: int | None = None) -> None:
        """Show the cursor. `before`: the line where it was, if nothing else has changed."""
        top, height = self.scroll_offset.y, max(1, self.size.height - HEAD_LINES)
        if not top <= self._cursor < top + height:
            above = self._cursor < top
            self.scroll_to(y=self._cursor if above else self._cursor - height + 1, animate=False)
            before = None
        if before is None:
            self.refresh()
        else:
            # Drawing a large list takes much longer than drawing two lines of it.
            lines = {before, self._cursor}
            self.refresh(*(Region(0, y - top + HEAD_LINES, self._width, 1) for y in lines))
        self.post_message(self.Chosen(self.chosen))

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        if self._lines:
            before = self._cursor
            self._cursor = min(len(self._lines) - 1, max(0, before + by))
            self._moved(before)

    def action_page(self, by: int) -> None:
        """Move the cursor by one screen."""
        self.action_move(by * max(1, self.size.height - HEAD_LINES - 1))

    def action_sort(self) -> None:
        """Sort by the next column."""
        self._sort_by((self._sort + 1) % (BY_PATH + 1))

    def action_reverse(self) -> None:
        """Sort the other way round."""
        self._rising = not self._rising
        self._arrange()

    def action_tree(self) -> None:
        """Show files by directory, or all files in one list."""
        self._is_tree = not self._is_tree
        self._arrange()

    def action_fold(self) -> None:
        """Close a directory, or open it again."""
        if isinstance(self.chosen, Directory):
            self._folded ^= {self.chosen.path}
            self._arrange()

    def _sort_by(self, column: int) -> None:
        # Figures are sorted from the highest at first, and paths from A to Z.
        self._rising = column == BY_PATH if column != self._sort else not self._rising
        self._sort = column
        self._arrange()

    def on_click(self, event: events.Click) -> None:
        """A click on a heading sorts by it. A click on a file chooses it."""
        at = event.get_content_offset(self)
        if at is None:
            return
        if at.y < HEAD_LINES:
            left = self._strip_width() + 1
            for number, column in enumerate(COLUMNS):
                left += column.width
                if at.x < left:
                    self._sort_by(number)
                    return
            self._sort_by(BY_PATH)
        elif self._lines:
            self.action_move(self.scroll_offset.y + at.y - HEAD_LINES - self._cursor)

    def on_resize(self) -> None:
        """Draw anew: strips are as wide as there is room."""
        self._drawn.clear()
        self._blank = None
        self.virtual_size = Size(self._width, len(self._lines) + HEAD_LINES)

    @property
    def _width(self) -> int:
        """Cells in a line, without the scroll bar."""
        return self.scrollable_content_region.width

    def _strip_width(self) -> int:
        return 12 if self._width < 100 else 24 if self._width < 150 else 48

    def render_line(self, y: int) -> Strip:
        width = self._width
        if self._instead and not self._all:
            text = self._instead[y] if y < len(self._instead) else ""
            style = self.rich_style + Style(bold=not y)
            return Strip([Segment(f" {text}", style)]).adjust_cell_length(width, style)
        if y < HEAD_LINES:
            return self._head().adjust_cell_length(
                width, self.get_component_rich_style("files--head")
            )
        number = self.scroll_offset.y + y - HEAD_LINES
        if number > len(self._lines):
            self._blank = self._blank or Strip.blank(width, self.rich_style)
            return self._blank
        if number >= len(self._lines):
            return self._empty(y).adjust_cell_length(width, self.rich_style)
        line, under = self._lines[number], number == self._cursor
        key = (number, width, under)
        cached = self._drawn.get(key)
        if cached is None:
            style = self.get_component_rich_style("files--cursor") if under else self.rich_style
            cached = self._drawn[key] = self._line(line, style).adjust_cell_length(width, style)
        return cached

    def _head(self) -> Strip:
        style = self.get_component_rich_style("files--head")
        segments = [Segment("heat".ljust(self._strip_width() + 1), style)]
        for number, column in enumerate(COLUMNS):
            segments.append(
                Segment((column.name + self._arrow(number)).rjust(column.width), style)
            )
        return Strip([*segments, Segment("  path" + self._arrow(BY_PATH), style)])

    def _arrow(self, column: int) -> str:
        if column != self._sort:
            return ""
        return "▴" if self._rising else "▾"

    def notify_style_update(self) -> None:
        """Draw anew with another theme."""
        super().notify_style_update()
        self._drawn.clear()
        self._blank = None

    def _empty(self, y: int) -> Strip:
        if y > HEAD_LINES or self._lines:
            return Strip.blank(self._width, self.rich_style)
        why = "no path contains this text" if self._wanted else "nothing touched yet"
        return Strip([Segment(f"  {why}", self.rich_style + Style(dim=True))])

    def _line(self, line: Line, style: Style) -> Strip:
        row = line.row
        width = self._strip_width()
        steps = strongest(steps_of(row, self._look.kind), row.pages, width)
        classes = hottest(row.classes, row.pages, width) if self._look.classes else ()
        heat = step_cells(steps, classes, style, self._look)
        used = sum(segment.cell_length for segment in heat)
        figures = "".join(column.text(row).rjust(column.width) for column in COLUMNS)
        mark = ("▸ " if row.path in self._folded else "▾ ") if isinstance(row, Directory) else ""
        indent = "  " * line.depth
        room = self._width - width - 1 - len(figures) - 2
        return Strip(
            [
                *heat,
                Segment(" " * (width + 1 - used) + f"{figures}  ", style),
                Segment(indent + ending(mark + line.name, room - len(indent)), style),
            ]
        )
