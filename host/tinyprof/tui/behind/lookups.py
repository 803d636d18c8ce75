# SPDX-License-Identifier: MIT
"""Looks up in files, beside the screen: names, and curves for other kernels.

A pane asks. A thread reads and computes. The pane gets the answer. Keys and news never wait for
this, and a question that was asked again and again is answered once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from time import monotonic

from textual.app import App
from textual.message import Message

from tinyprof.errors import TinyprofError
from tinyprof.live.snapshot import Snapshot
from tinyprof.plan.what_if import KERNELS, Kernel, WhatIf, what_if_mapped_by
from tinyprof.profile.model import FileUse, Profile
from tinyprof.rootfs.contents import Contents
from tinyprof.rootfs.elf_names import Names
from tinyprof.text import shown
from tinyprof.tui.panes.heat_map import HeatMap
from tinyprof.tui.panes.what_if import WhatIfPane

CURVE_SHARE = 0.05
"""Share of the time that curves for other kernels may take. The rest is the recorder's."""

NO_CONTENTS = "give --image IMAGE or --rootfs DIR"


class NamesArrived(Message):
    """The names of what stands in a file, or why there are none."""

    def __init__(self, file: FileUse, names: Names | str) -> None:
        super().__init__()
        self.file = file
        self.names = names


class CurveArrived(Message):
    """The curve of a profile for a kernel, or why there is none. `seconds`: how long the curves of
    all kernels took; None: more of them will follow."""

    def __init__(
        self,
        kernel: Kernel,
        profile: Profile | None,
        curve: WhatIf | str,
        seconds: float | None = None,
    ) -> None:
        super().__init__()
        self.kernel = kernel
        self.profile = profile
        self.curve = curve
        self.seconds = seconds


class Lookups:
    """Answers the panes of one screen. `contents`: the recorded files, if they are at hand."""

    def __init__(self, app: App[None], contents: Contents | None) -> None:
        self._app = app
        self._contents = contents
        self._snapshot = Snapshot()
        self._computing = self._waiting = False
        self._not_before = 0.0
        self._known: dict[str, CurveArrived] = {}

    @property
    def is_over(self) -> bool:
        """Whether the panes are gone. A message that they left behind has nowhere to go."""
        return not self._app.query(HeatMap)

    @property
    def last_curve(self) -> CurveArrived | None:
        """The newest curve for the pane's kernel."""
        return self._known.get(self._app.query_one(WhatIfPane).kernel.name)

    @property
    def curves(self) -> Mapping[str, WhatIf | str]:
        """The newest curve of each kernel that maps only some pages, or why there is none."""
        return {name: it.curve for name, it in self._known.items()}

    @property
    def is_behind(self) -> bool:
        """Whether a curve for the pane's kernel is still being computed for its snapshot."""
        kernel, last = self._app.query_one(WhatIfPane).kernel, self.last_curve
        if kernel.maps_any_page or self._contents is None:
            return False
        return last is None or last.profile is not self._snapshot.profile

    def find_names(self, file: FileUse) -> None:
        """Look for the names of a file. Reading it from an image takes a moment."""
        contents = self._contents
        if self.is_over:
            return
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

    def take_names(self, message: NamesArrived) -> None:
        """Show the names of a file."""
        if not self.is_over:
            self._app.query_one(HeatMap).learn(message.file, message.names)

    def find_curves(self, snapshot: Snapshot) -> None:
        """Compute the curves of all kernels, or a moment later if they were just computed."""
        if self.is_over:
            return
        self._snapshot = snapshot
        pane, contents, last = self._app.query_one(WhatIfPane), self._contents, self.last_curve
        if contents is None:
            pane.tell(pane.kernel, f"a capture lacks the programs' segments: {NO_CONTENTS}")
            return
        if last:
            pane.tell(pane.kernel, last.curve)
        if self._computing or snapshot.profile is None:
            return
        wanted = (kernel.name for kernel in self._kernels())
        known = [self._known[name] for name in wanted if name in self._known]
        if len(known) == len(KERNELS) - 1:
            if all(it.profile is snapshot.profile for it in known):
                return
            if (left := self._not_before - monotonic()) > 0:
                self._look_again_in(left)
                return
        self._computing = True
        kernels = list(self._kernels())
        self._app.run_worker(
            lambda: self._compute(contents, kernels, snapshot), thread=True, group="curve"
        )

    def _kernels(self) -> Iterator[Kernel]:
        """The kernels whose curves are computed here, the pane's first."""
        chosen = self._app.query_one(WhatIfPane).kernel
        yield from (kernel for kernel in (chosen,) if not kernel.maps_any_page)
        yield from (it for it in KERNELS if not it.maps_any_page and it is not chosen)

    def _look_again_in(self, seconds: float) -> None:
        def look() -> None:
            self._waiting = False
            self.find_curves(self._snapshot)

        if not self._waiting:
            self._waiting = True
            self._app.set_timer(seconds, look)

    def _compute(self, contents: Contents, kernels: list[Kernel], snapshot: Snapshot) -> None:
        began = monotonic()
        for kernel in kernels:
            curve = _curve(contents, kernel, snapshot)
            took = monotonic() - began if kernel is kernels[-1] else None
            self._app.post_message(CurveArrived(kernel, snapshot.profile, curve, took))

    def take_curve(self, message: CurveArrived, snapshot: Snapshot) -> None:
        """Show a curve. By now the pane may want another kernel, or a newer snapshot's curve."""
        self._known[message.kernel.name] = message
        if message.seconds is not None:
            self._computing = False
            self._not_before = monotonic() + message.seconds / CURVE_SHARE
        self.find_curves(snapshot)


def _curve(contents: Contents, kernel: Kernel, snapshot: Snapshot) -> WhatIf | str:
    try:
        profile = snapshot.profile
        if profile is None:
            return ""
        return what_if_mapped_by(kernel, profile, snapshot.stored, contents.head)
    except (TinyprofError, OSError) as error:
        return shown(str(error))
