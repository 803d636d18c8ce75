#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes README's pictures from the recorded boot that `record sim:` plays, so none goes stale.

    .venv/bin/python docs/pictures/make.py [FOLDER]

FOLDER (docs/pictures if none is named) gets live-view.svg and trade-off.svg. The same program
gives the same bytes: tests/unit/test_pictures.py compares them.
"""

from __future__ import annotations

import asyncio
import queue
import re
import sys
from collections.abc import Callable
from pathlib import Path

from tinyprof.capture.index import stored_sizes
from tinyprof.capture.reader import CaptureReader
from tinyprof.live.news import News, Post
from tinyprof.live.playback import FinishedCapture
from tinyprof.live.snapshot import Snapshot
from tinyprof.plan.what_if import what_if
from tinyprof.profile.resolve import make_profile
from tinyprof.record.observing import Wish
from tinyprof.record.sim import RECORDED
from tinyprof.report.html.svg import curve_picture
from tinyprof.tui.app import LiveApp

HERE = Path(__file__).resolve().parent
SIZE = (120, 36)
"""Columns and rows of the terminal."""

STEPS = 200
"""Points of the curve."""


class Still:
    """A feed that posts the last news of the recording, and nothing else."""

    live = False

    def __init__(self) -> None:
        self.capture, self.title = RECORDED, RECORDED.name
        posted: queue.SimpleQueue[News] = queue.SimpleQueue()
        FinishedCapture([RECORDED]).start(posted.put)
        self._last = posted.get()
        while not self._last.over:
            self._last = posted.get()

    def start(self, post: Post) -> None:
        post(self._last)

    def stop(self) -> None:
        """A still has no end to ask for."""

    def command(self, command: Wish) -> None:
        """A finished recording takes none."""

    def at(self, epochs: int, wanted: Callable[[], bool]) -> Snapshot | None:
        """No key is pressed that would look back."""
        return None


async def live_view() -> str:
    """The view of the finished recording, on the hottest file's map."""
    app = LiveApp(Still(), lambda path, data: None)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        # What a worker found may start another one.
        while not all(worker.is_finished for worker in app.workers):
            await app.workers.wait_for_complete()
            await pilot.pause()
        picture = app.export_screenshot(title="tinyprof")
    # Textual names its styles by a hash that differs from one run to the next.
    return re.sub(r"terminal-\d+", "terminal", picture)


def trade_off() -> str:
    """Flash spent and RAM saved, for a kernel that maps any page."""
    with RECORDED.open("rb") as file:
        reader = CaptureReader(file)
        profile = make_profile([reader])
        assert reader.index
        curve = what_if(profile, stored_sizes(reader.index))
    return curve_picture(curve.points(STEPS))


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    (folder / "live-view.svg").write_text(asyncio.run(live_view()) + "\n")
    (folder / "trade-off.svg").write_text(trade_off() + "\n")


if __name__ == "__main__":
    main()
