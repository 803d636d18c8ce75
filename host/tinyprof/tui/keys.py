# SPDX-License-Identifier: MIT
"""The keys of the whole screen, the palette's commands, and the help that lists all keys."""

from __future__ import annotations

from textual.binding import Binding, BindingType

KEYS: list[BindingType] = [
    Binding("q", "quit", "Quit"),
    Binding("question_mark", "help", "Help"),
    Binding("1", "pane(0)", "Map", priority=True),
    Binding("2", "pane(1)", "What if", priority=True),
    Binding("3", "pane(2)", "Console", priority=True),
    Binding("4", "pane(3)", "Log", priority=True),
    Binding("5", "pane(4)", "Timeline", priority=True),
    Binding("i", "log_in", "Type", priority=True),
    Binding("i", "type", "Type", show=False, priority=True),
    Binding("slash", "filter", "Filter", priority=True),
    Binding("a", "whole_image", "Whole image", show=False),
    Binding("space", "hold", "Hold"),
    Binding("w", "write_plan", "Plan"),
    Binding("p", "write_profile", "Profile", show=False),
    Binding("left_square_bracket", "past(-1)", "Back", key_display="["),
    Binding("right_square_bracket", "past(1)", "Forth", show=False),
    Binding("left_curly_bracket", "past_phase(-1)", "phase before", show=False),
    Binding("right_curly_bracket", "past_phase(1)", "phase after", show=False),
    Binding("backspace", "now", "now", show=False),
    Binding("escape", "close_filter", "close the filter", show=False),
    Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
]
"""Keys that work wherever the focus is. Panes have more."""

LIVE_ONLY = {"mark", "trace", "epoch_length", "rearm", "type", "log_in", "hold"}
"""Actions that a finished recording does not offer."""

TYPED = {"pane", "filter", "type", "log_in", "mark", "trace", "epoch_length", "rearm"}
"""Actions whose keys are letters of a text while one is typed."""

HELP = """\
files      ↑ ↓ choose   / filter by path   s r sort, reverse
           t by directory   enter open or close one
heat map   ← → ↑ ↓ move   + - zoom   n next hot run   a all files or one
           c classes over the heat   v only one kind of use
what if    ← → ↑ ↓ move the budget   x another kernel   w write its plan
timeline   ← → look at the recording as it was   end back to now
panes      1 heat map  2 what if  3 console  4 log  5 timeline   tab next
the past   [ ] an epoch back, forth   { } a phase   backspace back to now
recording  m mark: begin a phase   R end the epoch   E length of an epoch
           S stop recording on the target, or start it again
           i type to the target's console   ctrl+] end typing
always     space hold the view   p write the profile   ctrl+p all commands
           q end the recording and leave a complete capture   ? this help

hot  █  seen in most epochs of the steady state     warm  ▒  in some
once ░  seen in one stretch, as in start-up         cold  ·  never
▁▂▃▄▅▆▇█  share of the steady state's epochs that used the page

touched  pages used, of all
RAM now  page cache that they take while nothing is dropped
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
    ("Kernel", "Show what XIP would cost and save with another kernel", "on_board('kernel')"),
    ("Write the plan", "Write the pages that the budget buys, for tinyprof build", "write_plan"),
    ("Write the profile", "Write a profile of the recording so far", "write_profile"),
    ("Classes", "Show classes over the heat, or the heat alone", "on_board('classes')"),
    (
        "Kind of use",
        "Show only pages of one kind of use",
        "on_board('kind')",
    ),
    ("Type", "Type to the target's console", "type"),
    ("Whole image", "Show the map of all files, or of the chosen one", "whole_image"),
    ("Now", "Back to now", "now"),
)
"""Entries of the command palette beside Textual's own: name, explanation, action."""
