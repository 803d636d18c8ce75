# SPDX-License-Identifier: MIT
"""The screen until an agent is heard: a checklist in place of the files, and the target's text."""

from __future__ import annotations

from textual.app import App

from tinyprof.live.checklist import checklist
from tinyprof.live.snapshot import Snapshot
from tinyprof.tui.board import Board
from tinyprof.tui.panes.file_list import FileList


class Waiting:
    """Shows what works and what to try. `is_live`: the line is being recorded."""

    def __init__(self, app: App[None], *, is_live: bool) -> None:
        self._app, self._is_live = app, is_live
        self._has_text = False
        self.is_shown = False

    def show(self, snapshot: Snapshot) -> None:
        """Show the checklist of a line, or take it away."""
        line = snapshot.line if self._is_live and snapshot.hello is None else None
        files, board = self._app.query_one(FileList), self._app.query_one(Board)
        files.show_instead(checklist(line) if line else ())
        if self.is_shown != bool(line):
            self.is_shown = bool(line)
            self._app.refresh_bindings()
        if line and line.has_text and not self._has_text:
            # Where there is room for one pane only, the text is what there is to see.
            self._has_text = True
            board.choose("console")
        if line is None and self._has_text:
            self._has_text = False
            if files.has_focus:
                board.choose("map")
