# SPDX-License-Identifier: MIT
"""What covers the screen for a moment: the help, and questions."""

from __future__ import annotations

import os
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from tinyprof.text import EPOCH_MS_LIMIT, seconds_of
from tinyprof.tui.keys import HELP
from tinyprof.wire.messages import MARK_MAX


class HelpScreen(ModalScreen[None]):
    """All keys and words."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", "close")
    ]

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            yield Static(HELP, markup=False)


class EpochScreen(ModalScreen[int | None]):
    """Asks for the length of epochs in milliseconds. None: leave it as it is. `now`: the length
    that they have, in words."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "as it is")]

    def __init__(self, now: str) -> None:
        super().__init__()
        self._now = now

    def compose(self) -> ComposeResult:
        with Vertical(id="mark"):
            yield Label("Length of an epoch, such as 250ms, 1s or 2m. 0s: no end.")
            yield Label(f"Now: {self._now}", markup=False)
            yield Input(max_length=12)
            yield Label("Enter asks the target for it · Esc leaves it as it is")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the length, if it is a time that the target can count."""
        seconds = seconds_of(event.value.strip())
        if seconds is None or round(seconds * 1000) >= EPOCH_MS_LIMIT:
            self.notify("write a time such as 250ms, 1s or 2m, below 49 days", severity="error")
            return
        self.dismiss(round(seconds * 1000))


class MarkScreen(ModalScreen[str]):
    """Asks for a name of 1 to 31 bytes. An empty answer: no mark. `now`: the running phase, in
    words."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss('')", "no mark")]

    def __init__(self, now: str) -> None:
        super().__init__()
        self._now = now

    def compose(self) -> ComposeResult:
        with Vertical(id="mark"):
            yield Label("A phase begins here. Its name, such as steady or video:")
            yield Label(f"Now: {self._now}", markup=False)
            yield Input(max_length=MARK_MAX)
            yield Label("Enter begins the phase · Esc leaves it as it is")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the name, if it fits into a mark."""
        name = event.value.strip()
        if len(os.fsencode(name)) > MARK_MAX:
            self.notify(f"a mark has at most {MARK_MAX} bytes", severity="error")
            return
        self.dismiss(name)
