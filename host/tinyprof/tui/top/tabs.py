# SPDX-License-Identifier: MIT
"""The names of the panes in one line, where only one of them is visible. A click shows another."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tinyprof.tui.arrangement import TITLES

NAMES = tuple(f" {number} {title} " for number, title in enumerate(TITLES, 1))
"""The names, in the order of the keys."""


class PaneTabs(Widget):
    """Draws the names. Brackets mark the shown pane, so that it is found without colours. It is
    reversed while it has the keys."""

    class Clicked(Message):
        """Somebody has clicked the name of this pane."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self) -> None:
        super().__init__(id="tabs")
        self._shown = 0
        self._focused = False

    def show(self, number: int, *, focused: bool = False) -> None:
        """Mark this pane as shown, and say whether it has the keys."""
        self._shown, self._focused = number, focused
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Post whose name is under the pointer."""
        left = 0
        for number, name in enumerate(NAMES):
            left += len(name)
            if event.x < left:
                self.post_message(self.Clicked(number))
                return

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        chosen = base + Style(bold=True, reverse=self._focused)
        segments = [
            Segment(f"[{name.strip()}]", chosen) if number == self._shown else Segment(name, base)
            for number, name in enumerate(NAMES)
        ]
        return Strip(segments).adjust_cell_length(self.size.width, base)
