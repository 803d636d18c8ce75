# SPDX-License-Identifier: MIT
"""What covers the screen for a moment: the help, the palette's commands, and questions."""

from __future__ import annotations

import os
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from tinyprof.text import EPOCH_MS_LIMIT, seconds_of
from tinyprof.wire.messages import MARK_MAX

HELP = """\
files      ↑ ↓ choose   / filter by path   s r sort, reverse
           t by directory   enter open or close one
heat map   ← → ↑ ↓ move   + - zoom   n next hot run   a all files or one
what if    ← → ↑ ↓ move the budget   x another kernel   w write its plan
panes      1 heat map   2 what if   3 console   4 log   tab next
the past   [ ] an epoch back, forth   { } a phase   backspace back to now
recording  m mark: begin a phase   R end the epoch   E length of an epoch
           S stop recording on the target, or start it again
always     space hold the view   p write the profile   ctrl+p all commands
           q end the recording and leave a complete capture   ? this help

hot  █  seen in most epochs of the steady state     warm  ▒  in some
once ░  seen in one stretch, as in start-up         cold  ·  never

touched  pages used, of all
RAM      page cache that they take while nothing is dropped
flash    cost of all pages that pay, if they were in place
saves    page cache in the steady state, if they were in place
"""
"""Text of the help screen."""


COMMANDS = (
    ("Mark", "Begin a phase with a name", "mark"),
    ("Stop or start", "Stop the target's recording, or start it again", "trace"),
    ("Epoch length", "Change the length of epochs", "epoch_length"),
    ("Re-arm", "End the epoch now: every page counts anew", "rearm"),
    ("Hold", "Keep the view as it is; the recording goes on", "hold"),
    ("Kernel", "Show what XIP would cost and save with another kernel", "kernel"),
    ("Write the plan", "Write the pages that the budget buys, for tinyprof build", "write_plan"),
    ("Write the profile", "Write a profile of the recording so far", "write_profile"),
    ("Whole image", "Show the map of all files, or of the chosen one", "whole_image"),
    ("Now", "Back to now", "now"),
)
"""Entries of the command palette beside Textual's own: name, explanation, action."""


class HelpScreen(ModalScreen[None]):
    """All keys and words."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", "close")
    ]

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            yield Static(HELP, markup=False)


class EpochScreen(ModalScreen[int | None]):
    """Asks for the length of epochs in milliseconds. None: leave it as it is."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "as it is")]

    def compose(self) -> ComposeResult:
        with Vertical(id="mark"):
            yield Label("Length of an epoch, such as 250ms, 1s or 2m. 0s: no end.")
            yield Input(max_length=12)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the length, if it is a time that the target can count."""
        seconds = seconds_of(event.value.strip())
        if seconds is None or round(seconds * 1000) >= EPOCH_MS_LIMIT:
            self.notify("write a time such as 250ms, 1s or 2m, below 49 days", severity="error")
            return
        self.dismiss(round(seconds * 1000))


class MarkScreen(ModalScreen[str]):
    """Asks for a name of 1 to 31 bytes. An empty answer: no mark."""

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
