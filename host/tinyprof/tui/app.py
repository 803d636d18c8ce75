# SPDX-License-Identifier: MIT
"""The screen: news of a feed in, panes out, and keys that steer both.

It takes each snapshot as it comes and asks nothing of the thread that made it. What it writes on
request goes through `save`, which puts a file in place whole or not at all.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Footer, Input
from textual.worker import get_current_worker

from tinyprof.errors import TinyprofError
from tinyprof.live.news import INTERVAL, Feed, News
from tinyprof.live.snapshot import Snapshot
from tinyprof.plan.plan_file import dump_plan
from tinyprof.profile.model import Profile
from tinyprof.profile.tprof import dump_profile
from tinyprof.rootfs.contents import Contents
from tinyprof.tables.directories import Directory, Row
from tinyprof.text import shown
from tinyprof.tui.dialogs import HelpScreen
from tinyprof.tui.header import StatusHeader
from tinyprof.tui.lookups import LookingUpApp
from tinyprof.tui.panes.file_list import FileList
from tinyprof.tui.panes.heat_map import CellGrid, HeatMap
from tinyprof.tui.panes.subject import Subject
from tinyprof.tui.panes.text_pane import LinePane
from tinyprof.tui.panes.what_if import WhatIfPane
from tinyprof.tui.steering import STEERING_KEYS
from tinyprof.tui.tabs import PaneTabs

Save = Callable[[Path, bytes], object]
PANES = ("map", "whatif", "console", "log")
SWITCH_SECONDS = 0.0005
STEERING = {"pane", "filter", "mark", "trace", "epoch_length", "rearm"}
COMMANDS = (
    ("Mark", "BeginRecording a phase with a name", "mark"),
    ("Stop or start", "Have the target record no more, or again", "trace"),
    ("Epoch length", "Have epochs of another length", "epoch_length"),
    ("Re-arm", "End the epoch now: every page counts anew", "rearm"),
    ("Hold", "Keep the view as it is; the recording goes on", "hold"),
    ("Kernel", "What XIP would cost and save with another kernel", "kernel"),
    ("Write the plan", "The pages that the budget buys, for tinyprof build", "write_plan"),
    ("Write the profile", "What was recorded so far, for tinyprof report", "write_profile"),
    ("Whole image", "The map of all files, or of the chosen one", "whole_image"),
    ("Now", "Leave the past", "now"),
)
"""What the command palette has beside what it has by itself: a name, what it does, and the
action."""
FOCUS_OF = {"map": "cells"}


class NewsArrived(Message):
    """The feed has posted."""

    def __init__(self, news: News) -> None:
        super().__init__()
        self.news = news


class PastArrived(Message):
    """The capture was read again up to an epoch."""

    def __init__(self, epoch: int, snapshot: Snapshot) -> None:
        super().__init__()
        self.epoch = epoch
        self.snapshot = snapshot


class LiveApp(LookingUpApp):
    """The live view of a feed."""

    TITLE = "tinyprof"
    CSS_PATH = "live.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (150, "-wide")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("question_mark", "help", "Help"),
        Binding("1", "pane(0)", "Map", priority=True),
        Binding("2", "pane(1)", "What if", priority=True),
        Binding("3", "pane(2)", "Console", priority=True),
        Binding("4", "pane(3)", "Log", priority=True),
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
        *STEERING_KEYS,
    ]

    def __init__(
        self,
        feed: Feed,
        save: Save,
        told_to_leave: Callable[[], bool] = lambda: False,
        contents: Contents | None = None,
    ) -> None:
        """`contents` are the files that were recorded, for their names and for how they are
        mapped."""
        super().__init__(feed, contents)
        self._told_to_leave = told_to_leave
        self._save = save
        self._drawn_profile: Profile | None = None
        self._held = self._leaving = self._whole = False
        self._past: int | None = None
        self._written: set[Path] = set()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Where a name is typed, letters are letters.

        Keys that move the focus have priority, so that what is typed right behind them goes where
        it should.
        """
        return action == "quit" or not (action in STEERING and isinstance(self.focused, Input))

    def compose(self) -> ComposeResult:
        yield StatusHeader(self._feed.title, self._state)
        with Container(id="body"):
            with Vertical(id="left"):
                yield FileList()
                yield Input(
                    id="filter",
                    placeholder="part of a path; Enter keeps it, Escape shows all files",
                )
            with Vertical(id="right"):
                yield PaneTabs()
                with ContentSwitcher(id="panes", initial=PANES[0]):
                    yield HeatMap()
                    yield WhatIfPane()
                    yield LinePane("console", "the target has printed nothing")
                    yield LinePane("log", "nothing to say")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """BeginRecording."""
        # A key must not wait while the recorder's thread counts.
        sys.setswitchinterval(SWITCH_SECONDS)
        self._show_tabs()
        self.query_one(FileList).focus()
        self._feed.start(self._post)
        self.set_interval(INTERVAL, self._leave_if_told)

    def _leave_if_told(self) -> None:
        """A recording that boots ends by itself when it is told to; one that is over, or read,
        would stay."""
        if self._told_to_leave():
            self.leave()

    def _post(self, news: News) -> None:
        """Called in the feed's thread."""
        self.post_message(NewsArrived(news))

    @property
    def _state(self) -> str:
        if self._past is not None:
            return f"as of epoch {self._past}"
        if self._over:
            return "over" if self._feed.live else "capture"
        if self._held:
            return "held"
        if not self._feed.live:
            return "reading"
        if self._snapshot.away:
            return "waiting for the port"
        return "stopped" if self._snapshot.is_stopped else "recording"

    def _show_header(self) -> None:
        away = self._snapshot.away and not self._over
        self.query_one(StatusHeader).show(self._shown, self._state, alarming=away)

    def on_news_arrived(self, message: NewsArrived) -> None:
        """Take it; a view that is held takes only the lines."""
        news = message.news
        self._over = self._over or news.over
        if news.over and (self._leaving or news.leave):
            self.exit()
            return
        self.query_one("#console", LinePane).add(news.console)
        self.query_one("#log", LinePane).add(news.log)
        for warning in news.warnings:
            self.notify(warning, severity="warning", markup=False)
        self._snapshot = news.snapshot
        if not self._held and self._past is None:
            self._draw(self._snapshot)

    def _draw(self, snapshot: Snapshot) -> None:
        self._shown = snapshot
        self._show_header()
        if snapshot.profile is not self._drawn_profile:
            self._drawn_profile = snapshot.profile
            self.query_one(WhatIfPane).show(snapshot)
            # The list says which file is chosen, and that draws the map.
            self.query_one(FileList).show(snapshot.rows)

    def on_file_list_chosen(self, message: FileList.Chosen) -> None:
        """Show its map, unless that is the whole image's."""
        self._show_map(message.row)

    def _show_map(self, row: Row | None) -> None:
        profile = self._shown.profile
        if profile is None or row is None:
            subject = None
        elif self._whole:
            rows = sorted(self._shown.rows, key=lambda row: row.path)
            subject = Subject("all files touched", profile, rows)
        else:
            rows = list(row.rows) if isinstance(row, Directory) else [row]
            subject = Subject(shown(row.path), profile, rows)
        self.query_one(HeatMap).show(subject)

    def _show_tabs(self) -> None:
        self.query_one(PaneTabs).show(PANES.index(str(self.query_one(ContentSwitcher).current)))

    def on_pane_tabs_clicked(self, message: PaneTabs.Clicked) -> None:
        """Show the pane whose name it was."""
        self.action_pane(message.number)

    def action_pane(self, number: int) -> None:
        """Show a pane and let it have the keys."""
        pane = PANES[number]
        self.query_one(ContentSwitcher).current = pane
        self._show_tabs()
        self.screen.set_focus(self.query_one(f"#{FOCUS_OF.get(pane, pane)}"))

    def action_filter(self) -> None:
        """Ask for a part of a path."""
        found = self.query_one("#filter")
        found.display = True
        # At once, so that it gets the keys that are typed right behind this one.
        self.screen.set_focus(found)

    def action_close_filter(self) -> None:
        """List all files again."""
        found = self.query_one("#filter", Input)
        found.value = ""
        found.display = False
        self.screen.set_focus(self.query_one(FileList))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter as it is typed."""
        if event.input.id == "filter":
            self.query_one(FileList).filter(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter and go back to the list."""
        if event.input.id == "filter":
            self.query_one(FileList).focus()

    def action_whole_image(self) -> None:
        """The map of all files, or of the chosen one."""
        self._whole = not self._whole
        self._show_map(self.query_one(FileList).chosen)
        self.action_pane(0)

    def action_hold(self) -> None:
        """Keep the view as it is, or let it go on; the recording does not know."""
        self._held = not self._held
        if not self._held:
            self._draw(self._snapshot)
        self._show_header()

    def action_past(self, by: int) -> None:
        """Show how it was an epoch before or after; after the last is now."""
        self._go_to((self._snapshot.epoch if self._past is None else self._past) + by)

    def action_past_phase(self, by: int) -> None:
        """Show how it was when the phase before or after began."""
        profile = self._snapshot.profile
        if profile is None or len(profile.boots) != 1:
            self.notify("the phases of several boots have no order here", severity="warning")
            return
        here = self._snapshot.epoch if self._past is None else self._past
        # An epoch before the phase's first is over when the phase begins.
        starts = [phase.first - 1 for phase in profile.boots[0].phases if phase.first > 1]
        ahead = [start for start in starts if (start - here) * by > 0]
        if ahead:
            self._go_to(min(ahead, key=lambda start: abs(start - here)))
        else:
            self._go_to(1 if by < 0 else self._snapshot.epoch)

    def action_now(self) -> None:
        """Show what is, and not what was."""
        self._go_to(self._snapshot.epoch)

    def _go_to(self, epoch: int) -> None:
        if epoch >= self._snapshot.epoch:
            self._past = None
            self.workers.cancel_group(self, "past")
            self._draw(self._snapshot)
            return
        self._past = max(1, epoch)
        self._show_header()
        self.run_worker(
            lambda: self._look_back(max(1, epoch)), thread=True, group="past", exclusive=True
        )

    def _look_back(self, epoch: int) -> None:
        """Runs beside the screen: a large capture takes its time. Nothing else ends the thread,
        also when the screen is left."""
        worker = get_current_worker()
        try:
            snapshot = self._feed.at(epoch, lambda: not worker.is_cancelled)
        except (TinyprofError, OSError) as error:
            self.call_from_thread(self.notify, shown(str(error)), severity="error", markup=False)
            return
        if snapshot:
            self.post_message(PastArrived(epoch, snapshot))

    def on_past_arrived(self, message: PastArrived) -> None:
        """Show it, if it is still what is wanted."""
        if message.epoch == self._past:
            self._draw(message.snapshot)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: the theme and the like, and what this screen can do."""
        yield from super().get_system_commands(screen)
        for name, what, action in COMMANDS:
            yield SystemCommand(name, what, partial(self.run_action, action))

    def action_kernel(self) -> None:
        """Show the curve for another kernel."""
        self.action_pane(PANES.index("whatif"))
        self.query_one(WhatIfPane).action_kernel()

    def action_help(self) -> None:
        """Show all keys."""
        self.push_screen(HelpScreen())

    def action_write_plan(self) -> None:
        """Write the pages that the budget buys, for 'tinyprof build --plan'."""
        pane = self.query_one(WhatIfPane)
        if pane.curve is None or not pane.curve.everything.pages:
            self.notify("there is nothing to plan yet", severity="warning")
            return
        pages = pane.curve.pages_within(pane.budget)
        self._write(
            ".plan", dump_plan(pages), f"tinyprof build ROOTFS IMAGE{pane.kernel.build} --plan"
        )

    def action_write_profile(self) -> None:
        """Write the profile of what was recorded so far."""
        if self._shown.profile is None:
            self.notify("there is nothing to profile yet", severity="warning")
            return
        self._write(".tprof", dump_profile(self._shown.profile), "tinyprof report")

    def _write(self, suffix: str, text: str, command: str) -> None:
        path = self._feed.capture.with_suffix(suffix)
        if path.exists() and path not in self._written:
            self.notify(
                f"{shown(str(path))} exists and is left alone", severity="error", markup=False
            )
            return
        try:
            self._save(path, text.encode())
        except OSError as error:
            self.notify(f"{shown(str(path))}: {error.strerror}", severity="error", markup=False)
            return
        self._written.add(path)
        self.notify(f"written; next: {command} {shown(str(path))}", markup=False)

    async def action_quit(self) -> None:
        """Leave once the capture is complete."""
        self.leave()

    def leave(self) -> None:
        """The same, when somebody else than a key asks for it."""
        self._leaving = True
        self._feed.stop()
        if self._over:
            self.exit()

    @property
    def grid(self) -> CellGrid:
        """The cells of the heat map."""
        return self.query_one(CellGrid)
