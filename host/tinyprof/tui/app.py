# SPDX-License-Identifier: MIT
"""The live view: news of a feed come in, panes show them, and keys steer both.

The app takes each snapshot as it comes and asks nothing of the thread that made it. Files that it
writes go through `save`, which puts a file in place whole or not at all.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult, SystemCommand
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer, Input

from tinyprof.live.news import INTERVAL, Feed, News
from tinyprof.live.snapshot import Snapshot
from tinyprof.profile.model import Profile
from tinyprof.rootfs.contents import Contents
from tinyprof.tables.directories import Directory, Row
from tinyprof.text import shown
from tinyprof.tui.arrangement import PANES
from tinyprof.tui.behind.lookups import CurveArrived, Lookups, NamesArrived
from tinyprof.tui.behind.past import Past, PastArrived
from tinyprof.tui.behind.steering import STEERING_KEYS, Steering
from tinyprof.tui.behind.waiting import Waiting
from tinyprof.tui.behind.writing import Save, Writing
from tinyprof.tui.board import Board
from tinyprof.tui.dialogs import HelpScreen
from tinyprof.tui.driver import PatientDriver
from tinyprof.tui.keys import COMMANDS, KEYS, LIVE_ONLY, TYPED
from tinyprof.tui.panes.console import ConsolePane
from tinyprof.tui.panes.file_list import FileList
from tinyprof.tui.panes.heat_map import HeatMap
from tinyprof.tui.panes.subject import Subject
from tinyprof.tui.panes.text_pane import LinePane
from tinyprof.tui.panes.timeline import TimelinePane
from tinyprof.tui.panes.what_if import WhatIfPane
from tinyprof.tui.toasts import QuietApp
from tinyprof.tui.top.header import StatusHeader
from tinyprof.tui.top.state import ViewState
from tinyprof.tui.top.tabs import PaneTabs
from tinyprof.tui.top.verdict_bar import VerdictBar

COLLECT_AFTER = (10_000, 10, 100)
"""Objects, and collections of younger objects, after which garbage is collected. A full collection
of a large profile holds a key up for a tenth of a second. Profiles have no cycles, so it is
seldom needed."""
SWITCH_SECONDS = 0.0005
"""Seconds that a thread may hold the interpreter while another waits."""

LOG_INDENT = 12
"""Cells that the time takes in a line of the log."""


class NewsArrived(Message):
    """The feed has posted."""

    def __init__(self, news: News) -> None:
        super().__init__()
        self.news = news


class LiveApp(QuietApp):
    """The live view of a feed. It owns the header, the tabs and the panes, and the objects behind
    them: commands to the target, lookups in files, and the past of the recording."""

    TITLE = "tinyprof"
    CSS_PATH = "live.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*KEYS, *STEERING_KEYS]

    def __init__(
        self,
        feed: Feed,
        save: Save,
        told_to_leave: Callable[[], bool] = lambda: False,
        contents: Contents | None = None,
        terminal_is_gone: Callable[[], bool] = lambda: False,
    ) -> None:
        """`told_to_leave`: whether a signal asked for the end. `contents`: the files that were
        recorded, for their names and their segments. `terminal_is_gone`: whether nobody can see
        the view any more; it closes then, and the recording goes on."""
        super().__init__(driver_class=PatientDriver)
        self._feed = feed
        self._told_to_leave, self._terminal_is_gone = told_to_leave, terminal_is_gone
        self.writing = Writing(self, feed.capture, save)
        self.header = StatusHeader(feed.title, "")
        self.verdict = VerdictBar()
        self.tabs = PaneTabs()
        self.steering = Steering(self, feed)
        self.lookups = Lookups(self, contents)
        self.past = Past(self, feed)
        self.waiting = Waiting(self, is_live=feed.live)
        self._snapshot = self._shown = Snapshot()
        self._over = False
        self._why = ""
        self._drawn_profile: Profile | None = None
        self._held = self._leaving = self._whole = self._plan_waits = False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a name is typed, letters are text and not keys.

        Keys that move the focus have priority, so that letters typed right after them go to the
        right place. While somebody types to the target, all keys go there.
        """
        if isinstance(self.focused, ConsolePane) and self.focused.is_typing:
            return action == "stop_typing"
        if action in LIVE_ONLY and not self._feed.live:
            return False
        if action == "log_in" and not self.waiting.is_shown:
            return False
        return action == "quit" or not (action in TYPED and isinstance(self.focused, Input))

    def compose(self) -> ComposeResult:
        yield self.header
        yield self.verdict
        yield Board(
            FileList(),
            Input(id="filter", placeholder="part of a path; Enter keeps it, Escape shows all"),
            self.tabs,
            HeatMap(),
            WhatIfPane(),
            ConsolePane(),
            LinePane("log", "nothing to say", LOG_INDENT),
            TimelinePane(),
        )
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Begin to show the feed."""
        # A key must not wait while the recorder's thread counts.
        sys.setswitchinterval(SWITCH_SECONDS)
        gc.set_threshold(*COLLECT_AFTER)
        self._show_header()
        self.query_one(FileList).focus()
        self._feed.start(self._post)
        self.set_interval(INTERVAL, self._leave_if_told)

    def _leave_if_told(self) -> None:
        """Look four times a second whether the view must close, or the screen be drawn anew."""
        if self._told_to_leave():
            self.leave()
        elif self._terminal_is_gone():
            self.exit()
        elif isinstance(self._driver, PatientDriver) and self._driver.must_draw_anew:
            self.refresh(layout=True)

    def _post(self, news: News) -> None:
        """Called in the feed's thread, which may outlive the view and its event loop."""
        with contextlib.suppress(RuntimeError):
            self.post_message(NewsArrived(news))

    def _show_header(self) -> None:
        state = ViewState(
            self._snapshot, self._feed.live, self._over, self._held, self.past.epoch, self._why
        )
        self.header.show(self._shown, state.words, alarm_text=state.alarm)
        self.verdict.show_moment(state.moment)

    def on_news_arrived(self, message: NewsArrived) -> None:
        """Take the news. A view that is held takes only the lines."""
        news = message.news
        self._over = self.steering.recording_ended = self._over or news.over
        if news.over and (self._leaving or news.leave):
            self.exit()
            return
        self._why = news.why or self._why
        self.query_one("#console", LinePane).add(news.console, news.open_line)
        self.waiting.show(news.snapshot)
        self.query_one("#log", LinePane).add(news.log)
        for warning in news.warnings:
            self.notify(warning, severity="warning", markup=False)
        self._snapshot = news.snapshot
        if not self._held and self.past.epoch is None:
            self._draw(self._snapshot)
        self._show_timeline()

    def _show_timeline(self) -> None:
        held = self._shown if self._held else self._snapshot
        self.query_one(TimelinePane).show(held.timeline, self.past.epoch)

    def _draw(self, snapshot: Snapshot) -> None:
        self._shown = snapshot
        if self.lookups.is_over:
            return
        self._show_header()
        if snapshot.profile is not self._drawn_profile:
            self._drawn_profile = snapshot.profile
            self.query_one(WhatIfPane).show(snapshot)
            self.lookups.find_curves(snapshot)
            self.verdict.show(snapshot, self.lookups.curves)
            # The list posts which file is chosen, and that draws the map.
            self.query_one(FileList).show(snapshot.rows)

    def on_file_list_chosen(self, message: FileList.Chosen) -> None:
        """Show the map of the chosen row, or still that of the whole image."""
        if self.lookups.is_over:
            return
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

    def on_board_rearranged(self) -> None:
        """Give the keys to a pane that is visible."""
        if self.focused is None or not self.focused.display:
            self.query_one(FileList).focus()

    def on_pane_tabs_clicked(self, message: PaneTabs.Clicked) -> None:
        """Show the pane whose name was clicked."""
        self.action_pane(message.number)

    def action_pane(self, number: int) -> None:
        """Show a pane and give it the keys."""
        self.query_one(Board).give_keys(PANES[number])

    def action_filter(self) -> None:
        """Ask for a part of a path."""
        # At once, so that it gets the keys that are typed right after this one.
        self.screen.set_focus(self.query_one(Board).open_filter())

    def action_close_filter(self) -> None:
        """List all files again."""
        self.query_one("#filter", Input).value = ""
        self.query_one(Board).close_filter()
        self.screen.set_focus(self.query_one(FileList))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while the filter is typed."""
        if event.input.id == "filter":
            self.query_one(FileList).filter(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter and go back to the list."""
        if event.input.id == "filter":
            self.query_one(FileList).focus()

    def action_whole_image(self) -> None:
        """Show the map of all files, or of the chosen one."""
        self._whole = not self._whole
        self._show_map(self.query_one(FileList).chosen)
        self.action_pane(0)

    def on_timeline_pane_scrubbed(self, message: TimelinePane.Scrubbed) -> None:
        """Show the recording as it was then."""
        self._go_to(message.epoch)

    def action_type(self) -> None:
        """Send every key to the target, until Ctrl-] is pressed."""
        if self.steering.has_target():
            self.action_pane(PANES.index("console"))
            self.query_one(Board).choose("console", alone=True)
            self.query_one(ConsolePane).begin_typing()

    def action_log_in(self) -> None:
        """As action_type(). While no agent is heard the footer has its key."""
        self.action_type()

    def on_console_pane_typing_changed(self, message: ConsolePane.TypingChanged) -> None:
        """Tell the recorder, which sends no frames meanwhile."""
        self.steering.typing(on=message.on)
        if not message.on:
            self.query_one(Board).choose("console")

    def on_console_pane_typed(self, message: ConsolePane.Typed) -> None:
        """Send keys to the target."""
        self.steering.send(message.data)

    def action_hold(self) -> None:
        """Hold the view, or let it go on. The recording goes on in either case."""
        self._held = not self._held
        if not self._held:
            self._draw(self._snapshot)
        self._show_header()

    def action_past(self, by: int) -> None:
        """Show the recording as it was an epoch before or after. After the last comes now."""
        self._go_to((self._snapshot.epoch if self.past.epoch is None else self.past.epoch) + by)

    def action_past_phase(self, by: int) -> None:
        """Show the recording as it was when the phase before or after began."""
        epoch = self.past.phase(by, self._snapshot)
        if epoch is None:
            self.notify("the phases of several boots have no order here", severity="warning")
        else:
            self._go_to(epoch)

    def action_now(self) -> None:
        """Go back to now."""
        self._go_to(self._snapshot.epoch)

    def _go_to(self, epoch: int) -> None:
        if self.past.go_to(epoch, self._snapshot):
            self._show_header()
        else:
            self._draw(self._snapshot)
        self._show_timeline()

    def on_past_arrived(self, message: PastArrived) -> None:
        """Show the past, if it is still wanted."""
        if message.epoch == self.past.epoch:
            self._draw(message.snapshot)

    def on_heat_map_names_wanted(self, message: HeatMap.NamesWanted) -> None:
        """Look for the names of a file."""
        self.lookups.find_names(message.file)

    def on_names_arrived(self, message: NamesArrived) -> None:
        """Show the names of a file."""
        self.lookups.take_names(message)

    def on_what_if_pane_curve_wanted(self) -> None:
        """Compute the curve for the chosen kernel."""
        self.lookups.find_curves(self._shown)

    def on_curve_arrived(self, message: CurveArrived) -> None:
        """Show the curve for the chosen kernel."""
        if self.lookups.is_over:
            return
        self.lookups.take_curve(message, self._shown)
        self.verdict.show(self._shown, self.lookups.curves)
        if self._plan_waits and not self.lookups.is_behind:
            self.action_write_plan()

    async def action_mark(self) -> None:
        """Begin a phase with a name."""
        await self.steering.mark(self._snapshot.phase)

    async def action_epoch_length(self) -> None:
        """Change the length of epochs."""
        hello = self._snapshot.hello
        await self.steering.epoch_length(hello.epoch_ms if hello else None)

    def action_rearm(self) -> None:
        """End the epoch now."""
        self.steering.rearm()

    def action_trace(self) -> None:
        """Stop the target's recording, or start it again."""
        self.steering.trace(is_stopped=self._snapshot.is_stopped)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Return the entries of the command palette."""
        yield from super().get_system_commands(screen)
        for name, what, action in COMMANDS:
            if action in LIVE_ONLY and not self._feed.live:
                continue
            yield SystemCommand(name, what, partial(self.run_action, action))

    async def action_on_board(self, action: str) -> None:
        """Do what a key of the board does. For the palette."""
        await self.run_action(action, self.query_one(Board))

    def action_help(self) -> None:
        """Show all keys."""
        self.push_screen(HelpScreen())

    def action_write_plan(self) -> None:
        """Write the pages that the budget buys, once their curve is reckoned."""
        pane = self.query_one(WhatIfPane)
        self._plan_waits = self.lookups.is_behind
        if self._plan_waits:
            self.notify("the plan is written as soon as its curve is reckoned", timeout=3)
        else:
            self.writing.plan(pane.curve, pane.budget, pane.kernel)

    def action_write_profile(self) -> None:
        """Write the profile of what was recorded so far."""
        self.writing.profile(self._shown.profile)

    async def action_quit(self) -> None:
        """As leave()."""
        self.leave()

    def leave(self) -> None:
        """End the recording, and close the view once the capture is complete."""
        self._leaving = True
        self._feed.stop()
        if self._over:
            self.exit()
