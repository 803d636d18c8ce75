# SPDX-License-Identifier: MIT
"""Looks up in files, beside the screen: names, and curves for other kernels.

A pane asks. A thread reads and computes. The pane gets the answer. Keys and news never wait for
this, and a question that was asked again and again is answered once.
"""

from __future__ import annotations

from time import monotonic

from textual.app import App
from textual.message import Message

from tinyprof.errors import TinyprofError
from tinyprof.live.snapshot import Snapshot
from tinyprof.plan.what_if import Kernel, WhatIf, what_if_mapped_by
from tinyprof.profile.model import FileUse, Profile
from tinyprof.rootfs.contents import Contents
from tinyprof.rootfs.elf_names import Names
from tinyprof.text import shown
from tinyprof.tui.panes.heat_map import HeatMap
from tinyprof.tui.panes.what_if import WhatIfPane

CURVE_SHARE = 0.08
"""Share of the time that curves for other kernels may take. The rest is the recorder's."""

NO_CONTENTS = "give --image IMAGE or --rootfs DIR"


class NamesArrived(Message):
    """The names of what stands in a file, or why there are none."""

    def __init__(self, file: FileUse, names: Names | str) -> None:
        super().__init__()
        self.file = file
        self.names = names


class CurveArrived(Message):
    """The curve of a profile for a kernel, or why there is none, and the seconds that it took."""

    def __init__(
        self, kernel: Kernel, profile: Profile | None, curve: WhatIf | str, seconds: float
    ) -> None:
        super().__init__()
        self.kernel = kernel
        self.profile = profile
        self.curve = curve
        self.seconds = seconds


class Lookups:
    """Answers the panes of one screen. `contents`: the recorded files, if they are at hand.

    `last_curve`: the curve that was computed last.
    """

    def __init__(self, app: App[None], contents: Contents | None) -> None:
        self._app = app
        self._contents = contents
        self._snapshot = Snapshot()
        self._computing = self._waiting = False
        self._not_before = 0.0
        self.last_curve: CurveArrived | None = None

    def find_names(self, file: FileUse) -> None:
        """Look for the names of a file. Reading it from an image takes a moment."""
        contents = self._contents
        if contents is None:
            self._app.query_one(HeatMap).learn(file, f"names: {NO_CONTENTS}")
            return
        self._app.run_worker(
            lambda: self._find_names(contents, file), thread=True, group="names", exclusive=True
        )

    def _find_names(self, contents: Contents, file: FileUse) -> None:
        try:
            names: Names | str = contents.names(file) or "another version was recorded: no names"
        except (TinyprofError, OSError) as error:
            names = f"no names: {error}"
        self._app.post_message(NamesArrived(file, names))

    def find_curve(self, snapshot: Snapshot) -> None:
        """Compute the curve for the pane's kernel, or a moment later if it was just computed."""
        self._snapshot = snapshot
        pane, profile, last = self._app.query_one(WhatIfPane), snapshot.profile, self.last_curve
        kernel, contents = pane.kernel, self._contents
        if kernel.maps_any_page or self._computing:
            return
        if contents is None:
            pane.tell(kernel, f"a capture lacks the programs' segments: {NO_CONTENTS}")
            return
        if last and last.kernel is kernel:
            pane.tell(kernel, last.curve)
            if last.profile is profile:
                return
            if (left := self._not_before - monotonic()) > 0:
                self._look_again_in(left)
                return
        self._computing = True
        self._app.run_worker(
            lambda: self._compute(contents, kernel, snapshot), thread=True, group="curve"
        )

    def _look_again_in(self, seconds: float) -> None:
        def look() -> None:
            self._waiting = False
            self.find_curve(self._snapshot)

        if not self._waiting:
            self._waiting = True
            self._app.set_timer(seconds, look)

    def _compute(self, contents: Contents, kernel: Kernel, snapshot: Snapshot) -> None:
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
        self._app.post_message(CurveArrived(kernel, profile, curve, monotonic() - began))

    def take_curve(self, message: CurveArrived, snapshot: Snapshot) -> None:
        """Show a curve. By now the pane may want another kernel, or a newer snapshot's curve."""
        self._computing, self.last_curve = False, message
        self._not_before = monotonic() + message.seconds / CURVE_SHARE
        self.find_curve(snapshot)
