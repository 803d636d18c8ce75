# SPDX-License-Identifier: MIT
"""The names of the panes in one line. A click shows another pane."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

NAMES = (" 1 heat map ", " 2 what if ", " 3 console ", " 4 log ")
"""The names, in the order of the keys."""


class PaneTabs(Widget):
    """Draws the names. Brackets mark the shown pane, so that it is found without colours."""

    class Clicked(Message):
        """Somebody has clicked the name of this pane."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self) -> None:
        super().__init__(id="tabs")
        self._shown = 0

    def show(self, number: int) -> None:
        """Mark this pane as shown."""
        self._shown = number
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
        segments = [
            Segment(
                f"[{name.strip()}]" if number == self._shown else name,
                base + Style(bold=number == self._shown),
            )
            for number, name in enumerate(NAMES)
        ]
        return Strip(segments).adjust_cell_length(self.size.width, base)
