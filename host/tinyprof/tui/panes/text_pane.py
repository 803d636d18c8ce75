# SPDX-License-Identifier: MIT
"""A pane of lines: the target's console, or the log. It keeps the newest lines and follows
them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tinyprof.live.news import LINES_MAX


class LinePane(ScrollView, can_focus=True):
    """Shows lines without any control character. It follows the newest line unless somebody
    scrolled up."""

    def __init__(self, name: str, empty: str) -> None:
        super().__init__(id=name)
        self._lines: deque[str] = deque(maxlen=LINES_MAX)
        self._empty = empty

    def add(self, lines: Iterable[str]) -> None:
        """Add lines below."""
        new = list(lines)
        if not new:
            return
        follows = self.scroll_offset.y >= self.max_scroll_y
        self._lines.extend(new)
        self.virtual_size = Size(max(map(len, self._lines)), len(self._lines))
        if follows:
            self.scroll_end(animate=False)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        base, number = self.rich_style, self.scroll_offset.y + y
        if number < len(self._lines):
            strip = Strip([Segment(self._lines[number], base)])
        else:
            strip = Strip([Segment(f"  {self._empty}", base + Style(dim=True))] if y == 0 else [])
        left, width = self.scroll_offset.x, self.size.width
        return strip.crop_extend(left, left + width, base)
