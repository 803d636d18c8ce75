# SPDX-License-Identifier: MIT
"""What covers the screen for a moment: the help, and the question for a mark's name."""

from __future__ import annotations

import os
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from tinyprof.wire import MARK_MAX

HELP = """\
files      ↑ ↓ choose    / filter by path    s r sort, reverse
           t by directory    enter open or close one
heat map   ← → ↑ ↓ move    + - zoom    n next hot run
           a the whole image, or what is chosen
what if    ← → ↑ ↓ move the budget    w write its plan
panes      1 heat map    2 what if    3 console    4 log    tab next
the past   [ ] an epoch back, forth    backspace now
           { } where a phase began
recording  m begin a phase with a name
           space hold the view; the recording goes on
always     p write the profile    ? this help    ctrl+p all commands
           q end the recording and leave a complete capture

hot  █  seen in most epochs of the steady state     warm  ▒  in some
once ░  seen in one stretch, as start-up            cold  ·  never

touched  pages used, of all
RAM      page cache that they take while nothing is dropped
flash    what all pages that are worth anything would cost in place
saves    page cache in the steady state, with them in place
"""


class HelpScreen(ModalScreen[None]):
    """All keys and words. Any key that closes things closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,enter", "dismiss", "close")]

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            yield Static(HELP, markup=False)


class MarkScreen(ModalScreen[str]):
    """Asks for a name of 1 to 31 bytes; an empty answer if it was not wanted."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss('')", "no mark")]

    def compose(self) -> ComposeResult:
        with Vertical(id="mark"):
            yield Label("A phase begins here. Its name, such as steady or video:")
            yield Input(max_length=MARK_MAX)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the name, if it fits into a mark."""
        name = event.value.strip()
        if len(os.fsencode(name)) > MARK_MAX:
            self.notify(f"a mark has at most {MARK_MAX} bytes", severity="error")
            return
        self.dismiss(name)
