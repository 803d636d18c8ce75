# SPDX-License-Identifier: MIT
"""A pane of lines: the target's console, or the log. It keeps the newest lines and follows
them."""

from __future__ import annotations

import textwrap
from collections import deque
from collections.abc import Iterable

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tinyprof.live.news import LINES_MAX


class LinePane(ScrollView, can_focus=True):
    """Shows lines without any control character. It follows the newest line unless somebody
    scrolled up."""

    def __init__(self, name: str, empty: str, indent: int = 0) -> None:
        """`indent`: cells before the further lines of a text that is wrapped."""
        super().__init__(id=name)
        self._lines: deque[str] = deque(maxlen=LINES_MAX)
        self._rows: deque[str] = deque(maxlen=LINES_MAX)
        self._empty, self._indent = empty, indent
        self._open = ""
        self._wrapped_at = 0
        self._follows = True

    def add(self, lines: Iterable[str], open_line: str = "") -> None:
        """Add lines below. `open_line`: a line that has not ended, such as a prompt."""
        new = list(lines)
        if not new and open_line == self._open:
            return
        self._lines.extend(new)
        for line in new:
            self._rows.extend(self._wrapped(line))
        self._open = open_line
        self._lay_out()

    def on_resize(self) -> None:
        """Wrap all lines anew: they are as wide as there is room."""
        width = self.scrollable_content_region.width
        if width != self._wrapped_at:
            self._wrapped_at = width
            self._rows.clear()
            for line in self._lines:
                self._rows.extend(self._wrapped(line))
        self._lay_out()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Follow the newest line from now on, or no more. A hidden pane goes on as it was."""
        super().watch_scroll_y(old_value, new_value)
        if self.size.height:
            self._follows = new_value >= self.max_scroll_y

    def _wrapped(self, line: str) -> list[str]:
        width = self._wrapped_at
        if width <= 2 * self._indent + 8 or cell_len(line) <= width:
            return [line]
        if not self._indent:
            return chop_cells(line, width)
        return textwrap.wrap(line, width, subsequent_indent=" " * self._indent) or [line]

    def _lay_out(self) -> None:
        height = len(self._rows) + len(self._wrapped(self._open)) * bool(self._open)
        self.virtual_size = Size(max(1, self._wrapped_at), height)
        if self._follows:
            self.scroll_end(animate=False, immediate=True, force=True)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        base, number = self.rich_style, self.scroll_offset.y + y
        last = self._wrapped(self._open) if self._open else []
        if number < len(self._rows):
            strip = Strip([Segment(self._rows[number], base)])
        elif number - len(self._rows) < len(last):
            strip = Strip([Segment(last[number - len(self._rows)], base)])
        elif self._rows or self._open or y:
            strip = Strip([])
        else:
            strip = Strip([Segment(f"  {self._empty}", base + Style(dim=True))])
        return strip.crop_extend(0, self.size.width, base)
