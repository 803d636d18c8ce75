# SPDX-License-Identifier: MIT
"""The state of a recording so far: events come in as they happen, immutable snapshots go out.

A snapshot has everything that a screen draws, so the screen shares nothing with the recorder.
LiveHeat is told the time, and looks at the pages no more often than it can afford. It prints and
stores nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic

from tinyprof.capture.index import ImageIndex, StoredSizes, WrongImageError, stored_sizes
from tinyprof.errors import TinyprofError
from tinyprof.heat.boots import Boot
from tinyprof.heat.losses import NO_LOSSES, Losses
from tinyprof.live.checklist import LineState
from tinyprof.live.timeline import NO_TIMELINE, TimedBoot, Timeline, TimelineBuilder
from tinyprof.plan.what_if import WhatIf, what_if
from tinyprof.profile.merge import merge_profiles
from tinyprof.profile.model import Profile
from tinyprof.profile.resolve import profile_of_boot
from tinyprof.tables.rows import FileRow, file_rows
from tinyprof.wire.frames import Event
from tinyprof.wire.messages import Hello

RATES = 60
"""Snapshots whose records a second are kept: a quarter of a minute at four a second."""

LOOK_SHARE = 0.08
"""Share of the time that looking at the pages may take. The rest is the recorder's."""

BOOTS_MAX = 32
"""Earlier boots that are shown. If a target boots for ever, the capture has the rest."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A recording after `seconds`.

    - `rates`: records a second, the newest last.
    - `unfinished`: epochs that have pages and no end.
    - `counts_by_cause`: those of `totals.loss_counts`. `away`: the port is away now.
    - `version`: grows when `profile`, `rows` and `curve` change.
    - `curve`: that of a kernel that maps any page. `stored`: bytes that pages take in the image.
    - `unresolved`: why there are no rows.
    - `phase`: the name of the mark that began the running phase; empty before the first.
    - `line`: the state of a line that is being recorded.
    - `timeline`: its epochs, as of the last look at the pages.
    """

    seconds: float = 0.0
    hello: Hello | None = None
    boots: int = 1
    epoch: int = 0
    unfinished: int = 0
    records: int = 0
    losses: Losses = NO_LOSSES
    counts_by_cause: Mapping[str, int] = field(default_factory=dict)
    away: bool = False
    rates: tuple[float, ...] = ()
    image_size: int = 0
    image_pages: int = 0
    profile: Profile | None = None
    rows: tuple[FileRow, ...] = ()
    curve: WhatIf | None = None
    stored: StoredSizes = field(default_factory=dict)
    unresolved: str = ""
    version: int = 0
    phase: str = ""
    line: LineState | None = None
    timeline: Timeline = NO_TIMELINE

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """The numbers of hot, warm, once and cold pages."""
        hot, warm, once = (
            sum(getattr(row, name) for row in self.rows) for name in ("hot", "warm", "once")
        )
        return hot, warm, once, max(0, self.image_pages - hot - warm - once)

    @property
    def is_stopped(self) -> bool:
        """Whether the target says that it records nothing now, though it could."""
        volumes = self.hello.volumes if self.hello else ()
        return bool(volumes) and not any(volume.recording for volume in volumes)


class LiveHeat:
    """Follows one line. `index`: that of the image that the target should run. `clock` is in
    seconds."""

    def __init__(self, index: ImageIndex | None, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._index = index
        self._stored: StoredSizes = stored_sizes(index) if index else {}
        # Two names of one file share their pages.
        tables = {file.ino: len(file.stored) for file in index.files} if index else {}
        self._last = Snapshot(
            stored=self._stored,
            image_size=index.size if index else 0,
            image_pages=sum(tables.values()),
        )
        self._timeline = TimelineBuilder()
        self._boot: Boot = TimedBoot(self._timeline, self._index)
        self._boots = 1
        self._earlier: list[Profile] = []
        self._records_before = 0
        self._epochs_before = self._unfinished_before = 0
        self._losses_before = NO_LOSSES
        self._rates: deque[float] = deque(maxlen=RATES)
        self._seen = (-1, 0)
        self._look_again = float("-inf")

    @property
    def epochs(self) -> int:
        """Epochs that ended, of all boots."""
        return self._epochs_before + _ended(self._boot)

    def take(self, events: Sequence[Event]) -> None:
        """Take the events of the line."""
        for event in events:
            if self._boot.ends_before(event):
                self._end_boot()
            self._boot.take(event)

    def _end_boot(self) -> None:
        boot = self._boot
        boot.finish()
        self._records_before += _records(boot)
        self._epochs_before += _ended(boot)
        self._unfinished_before += _unfinished(boot)
        self._losses_before += boot.losses
        if len(self._earlier) < BOOTS_MAX and (profile := self._profile_of(boot)):
            self._earlier.append(profile)
        self._timeline.end_boot()
        self._boot = TimedBoot(self._timeline, self._index)
        self._boots += 1

    def finish(self) -> None:
        """No more events will come. The pages of the running epoch count."""
        self._boot.finish()

    def snapshot(self, seconds: float, *, whole: bool = False) -> Snapshot:
        """Return the state after `seconds`, which never fall.

        Looks at the pages if `whole`, or if an epoch has ended and the last look is long enough
        ago.
        """
        last, boot = self._last, self._boot
        records = self._records_before + _records(boot)
        if seconds > last.seconds:
            self._rates.append((records - last.records) / (seconds - last.seconds))
        epochs, began = self.epochs, self._clock()
        unfinished = self._unfinished_before + _unfinished(boot)
        # Where all is one long epoch, its pages are shown before it ends.
        seen = epochs + unfinished, records if _is_one_epoch(boot) else 0
        if whole or (seen != self._seen and began >= self._look_again):
            last = self._with_pages(last)
            self._seen = seen
            # The host's clock counts here. By the target's, a capture is read a hundred times as
            # fast.
            looked = self._clock()
            self._look_again = looked + (looked - began) / LOOK_SHARE
        self._last = replace(
            last,
            seconds=seconds,
            hello=boot.hello or last.hello,
            boots=self._boots,
            epoch=epochs,
            unfinished=unfinished,
            records=records,
            losses=self._losses_before + boot.losses,
            rates=tuple(self._rates),
            phase=_phase(boot),
        )
        return self._last

    def _with_pages(self, last: Snapshot) -> Snapshot:
        profile = self._profile()
        return replace(
            last,
            profile=profile,
            rows=tuple(file_rows(profile, self._stored)) if profile else (),
            curve=what_if(profile, self._stored) if profile else None,
            unresolved=self._unresolved(),
            timeline=self._timeline.timeline(),
            version=last.version + 1,
        )

    def _profile(self) -> Profile | None:
        current = self._profile_of(self._boot)
        profiles = [*self._earlier, *([current] if current else [])]
        return merge_profiles(profiles) if len(profiles) > 1 else next(iter(profiles), None)

    def _profile_of(self, boot: Boot) -> Profile | None:
        try:
            return profile_of_boot(boot, self._index) if boot.hello and self._index else None
        except WrongImageError:
            return None

    def _unresolved(self) -> str:
        if not self._index:
            files = self._boot.hello and self._boot.hello.file_volume is not None
            return f"no {'tree' if files else 'image'} is known: give it with " + (
                "--rootfs" if files else "--image"
            )
        try:
            if self._boot.hello:
                self._index.volume_of(self._boot.hello)
        except TinyprofError as error:
            return error.message
        return ""


def _records(boot: Boot) -> int:
    return sum(volume.records for volume in boot.volumes.values())


def _phase(boot: Boot) -> str:
    """Return the name of the running phase, of the volume with the most epochs."""
    volume = max(boot.volumes.values(), key=lambda it: it.ended, default=None)
    return volume.phases[-1].name if volume else ""


def _is_one_epoch(boot: Boot) -> bool:
    source = boot.hello.source if boot.hello else None
    return source is not None and source.is_one_epoch


def _ended(boot: Boot) -> int:
    return max((volume.ended for volume in boot.volumes.values()), default=0)


def _unfinished(boot: Boot) -> int:
    """Return how many epochs are over without an end that came."""
    return max((volume.unfinished for volume in boot.volumes.values()), default=0)
