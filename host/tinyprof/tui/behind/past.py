# SPDX-License-Identifier: MIT
"""The recording as it was: an epoch before or after, or when a phase began.

A number of epochs comes in. A thread reads the capture again up to there, and its snapshot goes
out as a message. Keys and news never wait for this.
"""

from __future__ import annotations

from textual.app import App
from textual.message import Message
from textual.worker import get_current_worker

from tinyprof.errors import TinyprofError
from tinyprof.live.news import Feed
from tinyprof.live.snapshot import Snapshot
from tinyprof.text import shown


class PastArrived(Message):
    """The capture was read again up to an epoch."""

    def __init__(self, epoch: int, snapshot: Snapshot) -> None:
        super().__init__()
        self.epoch = epoch
        self.snapshot = snapshot


class Past:
    """Which epoch is shown. `epoch` None: the newest snapshot is shown."""

    def __init__(self, app: App[None], feed: Feed) -> None:
        self._app = app
        self._feed = feed
        self.epoch: int | None = None

    def phase(self, by: int, now: Snapshot) -> int | None:
        """Return the epoch at which the phase before or after begins. None: phases have no order.

        The phases of several boots have no order.
        """
        profile = now.profile
        if profile is None or len(profile.boots) != 1:
            return None
        here = now.epoch if self.epoch is None else self.epoch
        # A phase begins when the epoch before its first one is over.
        starts = [phase.first - 1 for phase in profile.boots[0].phases if phase.first > 1]
        ahead = [start for start in starts if (start - here) * by > 0]
        if ahead:
            return min(ahead, key=lambda start: abs(start - here))
        return 1 if by < 0 else now.epoch

    def go_to(self, epoch: int, now: Snapshot) -> bool:
        """Read the capture up to an epoch. Return False if that is the newest snapshot."""
        if epoch >= now.epoch:
            self.epoch = None
            self._app.workers.cancel_group(self._app, "past")
            return False
        wanted = self.epoch = max(1, epoch)
        self._app.run_worker(
            lambda: self._look_back(wanted), thread=True, group="past", exclusive=True
        )
        return True

    def _look_back(self, epoch: int) -> None:
        worker = get_current_worker()
        try:
            # A large capture takes a while. Nothing else ends this thread, even when the screen
            # is left.
            snapshot = self._feed.at(epoch, lambda: not worker.is_cancelled)
        except (TinyprofError, OSError) as error:
            # This posts a message. Once the view is closed, nobody would answer a call that waits.
            self._app.notify(shown(str(error)), severity="error", markup=False)
            return
        if snapshot:
            self._app.post_message(PastArrived(epoch, snapshot))
