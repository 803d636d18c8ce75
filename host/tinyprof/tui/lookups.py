# SPDX-License-Identifier: MIT
"""What the screen has to look up in files, beside drawing: names, and how programs are mapped.

A pane asks; a thread reads and reckons; the pane is told. Keys and news never wait for it, and
what was asked for again and again meanwhile is looked up once.
"""

from __future__ import annotations

from time import monotonic

from textual.message import Message

from tinyprof.errors import TinyprofError
from tinyprof.live.news import Feed
from tinyprof.live.snapshot import Snapshot
from tinyprof.plan.what_if import Kernel, WhatIf, what_if_mapped_by
from tinyprof.profile.model import FileUse, Profile
from tinyprof.rootfs.contents import Contents
from tinyprof.rootfs.elf_names import Names
from tinyprof.text import shown
from tinyprof.tui.panes.heat_map import HeatMap
from tinyprof.tui.panes.what_if import WhatIfPane
from tinyprof.tui.steering import SteeringApp

CURVE_SHARE = 0.08
"""The share of the time that curves for other kernels may take: the rest is the recorder's."""

NO_CONTENTS = "give --image IMAGE or --rootfs DIR"


class NamesArrived(Message):
    """What a file's bytes are called, or why nobody knows."""

    def __init__(self, file: FileUse, names: Names | str) -> None:
        super().__init__()
        self.file = file
        self.names = names


class CurveArrived(Message):
    """What XIP would cost and save by a profile with a kernel, or why nobody knows, and what that
    took."""

    def __init__(
        self, kernel: Kernel, profile: Profile | None, curve: WhatIf | str, seconds: float
    ) -> None:
        super().__init__()
        self.kernel = kernel
        self.profile = profile
        self.curve = curve
        self.seconds = seconds


class LookingUpApp(SteeringApp):
    """Knows the files, if there are any, and what is shown."""

    def __init__(self, feed: Feed, contents: Contents | None) -> None:
        super().__init__(feed)
        self._contents = contents
        self._shown: Snapshot = self._snapshot
        self._reckoning = self._waiting = False
        self._reckon_again = 0.0
        self._reckoned: CurveArrived | None = None

    def on_heat_map_names_wanted(self, message: HeatMap.NamesWanted) -> None:
        """Look for them beside the screen: a file is read from an image for it."""
        file, contents = message.file, self._contents
        if contents is None:
            self.query_one(HeatMap).learn(file, f"names: {NO_CONTENTS}")
            return
        self.run_worker(
            lambda: self._find_names(contents, file), thread=True, group="names", exclusive=True
        )

    def _find_names(self, contents: Contents, file: FileUse) -> None:
        try:
            names: Names | str = contents.names(file) or "another version was recorded: no names"
        except (TinyprofError, OSError) as error:
            names = f"no names: {error}"
        self.post_message(NamesArrived(file, names))

    def on_names_arrived(self, message: NamesArrived) -> None:
        """Show them."""
        self.query_one(HeatMap).learn(message.file, message.names)

    def on_what_if_pane_curve_wanted(self) -> None:
        """Reckon it beside the screen; a moment later where it takes long and was done a moment
        ago."""
        pane, profile, done = self.query_one(WhatIfPane), self._shown.profile, self._reckoned
        kernel, contents = pane.kernel, self._contents
        if kernel.maps_any_page or self._reckoning:
            return
        if contents is None:
            pane.tell(kernel, f"a capture lacks the programs' segments: {NO_CONTENTS}")
            return
        if done and done.kernel is kernel:
            pane.tell(kernel, done.curve)
            if done.profile is profile:
                return
            if (left := self._reckon_again - monotonic()) > 0:
                self._look_again_in(left)
                return
        self._reckoning = True
        snapshot = self._shown
        self.run_worker(
            lambda: self._reckon(contents, kernel, snapshot), thread=True, group="curve"
        )

    def _look_again_in(self, seconds: float) -> None:
        def look() -> None:
            self._waiting = False
            self.on_what_if_pane_curve_wanted()

        if not self._waiting:
            self._waiting = True
            self.set_timer(seconds, look)

    def _reckon(self, contents: Contents, kernel: Kernel, snapshot: Snapshot) -> None:
        began = monotonic()
        profile = snapshot.profile
        try:
            curve: WhatIf | str = (
                what_if_mapped_by(kernel, profile, snapshot.stored, contents.head)
                if profile
                else ""
            )
        except (TinyprofError, OSError) as error:
            curve = shown(str(error))
        self.post_message(CurveArrived(kernel, profile, curve, monotonic() - began))

    def on_curve_arrived(self, message: CurveArrived) -> None:
        """Show it; by now another kernel may be wanted, or the recording be further on."""
        self._reckoning, self._reckoned = False, message
        self._reckon_again = monotonic() + message.seconds / CURVE_SHARE
        self.on_what_if_pane_curve_wanted()
