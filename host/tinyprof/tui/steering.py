# SPDX-License-Identifier: MIT
"""The part of the screen's actions that reaches the recorder and, through it, the target.

A key comes in, an order for the feed goes out. Whether the target obeyed, its own words show: the
header says what they say, and not what was asked for.
"""

from __future__ import annotations

from textual.app import App
from textual.binding import Binding, BindingType

from tinyprof.live.news import Feed
from tinyprof.live.snapshot import Snapshot
from tinyprof.tui.dialogs import EpochScreen, MarkScreen
from tinyprof.wire.frames import Command, HostMark
from tinyprof.wire.messages import EpochLength, Rearm, Trace

STEERING_KEYS: list[BindingType] = [
    Binding("m", "mark", "Mark", priority=True),
    Binding(
        "S", "trace", "Stop", priority=True, tooltip="the target's recording, or start it again"
    ),
    Binding("R", "rearm", "Re-arm", priority=True, tooltip="end the epoch now"),
    Binding("E", "epoch_length", "Epoch", priority=True, tooltip="how long one is"),
]


class SteeringApp(App[None]):
    """Knows the feed and the newest snapshot of it."""

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self._feed = feed
        self._snapshot = Snapshot()
        self._over = False

    def _command(self, command: Command, said: str) -> None:
        self._feed.command(command)
        self.notify(said, timeout=3)

    def _is_deaf(self) -> bool:
        """Whether nobody is there to be ordered about; then that is said."""
        if self._feed.live and not self._over:
            return False
        self.notify("a recording that is over takes no orders", severity="warning")
        return True

    async def action_mark(self) -> None:
        """BeginRecording a phase with a name."""
        if not self._is_deaf():
            await self.push_screen(
                MarkScreen(), lambda name: self._feed.command(HostMark(name)) if name else None
            )

    async def action_epoch_length(self) -> None:
        """Have epochs of another length."""
        if not self._is_deaf():
            await self.push_screen(EpochScreen(), self._take_epoch_length)

    def _take_epoch_length(self, ms: int | None) -> None:
        if ms is not None:
            self._command(EpochLength(ms), "asked the target; the header says when it has obeyed")

    def action_rearm(self) -> None:
        """End the epoch, so that every page counts anew."""
        if not self._is_deaf():
            self._command(Rearm(), "asked the target to end its epoch")

    def action_trace(self) -> None:
        """Have the target record no more, or again; the recording and its file stay open."""
        if not self._is_deaf():
            stopped = self._snapshot.is_stopped
            self._command(
                Trace(stopped), f"asked the target to {'record again' if stopped else 'stop'}"
            )
