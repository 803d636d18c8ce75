# SPDX-License-Identifier: MIT
"""Commands that go from the screen to the recorder, and from there to the target.

A key comes in, and a command for the feed goes out. The header shows what the target says of
itself, never what was asked for.
"""

from __future__ import annotations

from textual.app import App
from textual.binding import Binding, BindingType

from tinyprof.live.news import Feed
from tinyprof.record.observing import Keystrokes, Typing
from tinyprof.text import epoch_text, shown
from tinyprof.tui.dialogs import EpochScreen, MarkScreen
from tinyprof.wire.frames import Command, HostMark
from tinyprof.wire.messages import EpochLength, Rearm, Trace

STEERING_KEYS: list[BindingType] = [
    Binding("m", "mark", "Mark", priority=True),
    Binding(
        "S", "trace", "Stop", priority=True, tooltip="stop the target's recording, or start it"
    ),
    Binding("R", "rearm", "Re-arm", priority=True, tooltip="end the epoch now"),
    Binding("E", "epoch_length", "Epoch", priority=True, tooltip="change the length of epochs"),
]


class Steering:
    """Gives commands to the feed. `recording_ended` is set once the recording is over."""

    def __init__(self, app: App[None], feed: Feed) -> None:
        self._app = app
        self._feed = feed
        self.recording_ended = False

    def _give(self, command: Command, said: str) -> None:
        self._feed.command(command)
        self._app.notify(said, timeout=3)

    def has_target(self) -> bool:
        """Whether there is a target to command. If there is none, say so."""
        if self._feed.live and not self.recording_ended:
            return True
        self._app.notify(
            "the recording has ended: there is no target to command", severity="warning"
        )
        return False

    async def mark(self, phase: str) -> None:
        """Ask for a name, and begin a phase of that name. `phase`: the running one."""
        if self.has_target():
            await self._app.push_screen(
                MarkScreen(f"phase {shown(phase)}" if phase else "no phase has a name yet"),
                lambda name: self._feed.command(HostMark(name)) if name else None,
            )

    async def epoch_length(self, now: int | None) -> None:
        """Ask for a length, and have epochs of that length. `now`: the present one, in ms."""
        if self.has_target():
            await self._app.push_screen(
                EpochScreen("not known yet" if now is None else epoch_text(now)),
                self._take_epoch_length,
            )

    def _take_epoch_length(self, ms: int | None) -> None:
        if ms is not None:
            self._give(EpochLength(ms), "asked the target; the header says when it has obeyed")

    def rearm(self) -> None:
        """End the epoch, so that every page counts anew."""
        if self.has_target():
            self._give(Rearm(), "asked the target to end its epoch")

    def trace(self, *, is_stopped: bool) -> None:
        """Stop the target's recording, or start it. The recording on this side goes on."""
        if self.has_target():
            self._give(
                Trace(is_stopped),
                f"asked the target to {'record again' if is_stopped else 'stop recording'}",
            )

    def typing(self, *, on: bool) -> None:
        """Say that somebody begins to type to the target, or has stopped."""
        self._feed.command(Typing(on))

    def send(self, data: bytes) -> None:
        """Send keys to the target."""
        self._feed.command(Keystrokes(data))
