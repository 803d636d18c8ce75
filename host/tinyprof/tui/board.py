# SPDX-License-Identifier: MIT
"""The board that the panes stand on. It places them anew when its size changes, or when another
pane is chosen.

Keys of a pane that another one has the keys for act in their own pane all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.geometry import Region
from textual.message import Message
from textual.widget import Widget

from tinyprof.tui.arrangement import PANES, TITLES, places
from tinyprof.tui.panes.file_list import FileList
from tinyprof.tui.panes.heat_map import CellGrid, HeatMap
from tinyprof.tui.panes.what_if import WhatIfPane
from tinyprof.tui.top.tabs import PaneTabs

FOCUS_OF = {"map": "cells"}
"""Panes whose keys another widget takes."""


class Board(Container):
    """Places its children by their ids. `current`: the pane that is chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "files('sort')", "Sort", show=False),
        Binding("r", "files('reverse')", "Reverse", show=False),
        Binding("t", "files('tree')", "Tree", show=False),
        Binding("n", "cells('next_hot')", "Next hot run", show=False),
        Binding("plus,equals_sign", "cells('zoom', -1)", "Zoom in", show=False),
        Binding("minus", "cells('zoom', 1)", "Zoom out", show=False),
        Binding("x", "kernel", "Kernel", show=False),
        Binding("c", "classes", "Classes", show=False),
        Binding("v", "kind", "Kind of use", show=False),
    ]

    class Rearranged(Message):
        """Other panes are visible now."""

    def __init__(self, *children: Widget) -> None:
        super().__init__(*children, id="board")
        self.current = PANES[0]
        self._framed: bool | None = None
        self._is_alone = False

    @property
    def is_framed(self) -> bool:
        """Whether all panes are visible, each with a title of its own."""
        return bool(self._framed)

    def choose(self, pane: str, *, alone: bool = False) -> None:
        """Choose a pane, and show it. `alone`: give it the whole board until the next choice."""
        self.current, self._is_alone = pane, alone
        self.place_all()
        self.show_tabs()

    def on_mount(self) -> None:
        """Give each pane its title."""
        for number, (name, title) in enumerate(zip(PANES, TITLES, strict=True), 1):
            self.query_one(f"#{name}").border_title = f"{number} {title}"
        self.query_one(FileList).border_title = "files"
        for name in ("files", *PANES):
            self.query_one(f"#{name}").add_class("pane")
        self.show_tabs()

    def show_tabs(self) -> None:
        """Mark the chosen pane, and whether it has the keys."""
        focused = self.screen.focused
        has_keys = focused is not None and focused.id == FOCUS_OF.get(self.current, self.current)
        self.query_one(PaneTabs).show(PANES.index(self.current), focused=has_keys)

    def on_descendant_focus(self) -> None:
        """Mark the pane that has the keys."""
        self.show_tabs()

    def give_keys(self, pane: str) -> None:
        """Choose a pane and give it the keys."""
        self.choose(pane)
        self.screen.set_focus(self.query_one(f"#{FOCUS_OF.get(pane, pane)}"))

    def action_files(self, name: str) -> None:
        """Do in the list of files what its key does there."""
        getattr(self.query_one(FileList), f"action_{name}")()

    def action_cells(self, name: str, *how: int) -> None:
        """Do in the heat map what its key does there, and show it."""
        self.choose("map")
        getattr(self.query_one(CellGrid), f"action_{name}")(*how)

    def action_kernel(self) -> None:
        """Show the curve for another kernel."""
        self.give_keys("whatif")
        self.query_one(WhatIfPane).action_kernel()

    def action_classes(self) -> None:
        """Show classes over the intensity, in the map and in the list."""
        self.query_one(FileList).look(self.query_one(HeatMap).action_classes())

    def action_kind(self) -> None:
        """Show the next kind of use, in the map and in the list."""
        self.query_one(FileList).look(self.query_one(HeatMap).action_kind())

    def open_filter(self) -> Widget:
        """Show the filter below the files, and return it."""
        self.query_one("#filter").add_class("-open")
        self.place_all()
        return self.query_one("#filter")

    def close_filter(self) -> None:
        """Give its line back to the files."""
        self.query_one("#filter").remove_class("-open")
        self.place_all()

    def on_resize(self) -> None:
        """Place the panes anew."""
        self.place_all()

    def place_all(self) -> None:
        """Give each child its place, or hide it. The filter takes the last line of the files."""
        width, height = self.size
        found = places(width, height, self.current)
        if self._is_alone:
            found = {"tabs": Region(0, 0, width, 1), self.current: Region(0, 1, width, height - 1)}
        framed = "tabs" not in found
        filter_ = self.query_one("#filter")
        if filter_.has_class("-open") and "files" in found:
            area = found["files"]
            found["files"] = Region(area.x, area.y, area.width, max(1, area.height - 1))
            found["filter"] = Region(area.x, area.bottom - 1, area.width, 1)
        with self.app.batch_update():
            self._place(found)
        if framed != self._framed:
            self._framed = framed
            self.set_class(framed, "-framed")
            self.post_message(self.Rearranged())

    def _place(self, found: Mapping[str, Region]) -> None:
        for child in self.children:
            region = found.get(child.id or "")
            child.display = region is not None
            if region is not None:
                child.styles.offset = (region.x, region.y)
                child.styles.width, child.styles.height = region.width, region.height
