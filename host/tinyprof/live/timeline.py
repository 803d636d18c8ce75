# SPDX-License-Identifier: MIT
"""A recording epoch by epoch: the pages that each epoch used, by class, the new ones, the losses.

Epochs come in as they end, in order. An immutable timeline goes out. It has at most COLUMNS_MAX
columns. Where there are more epochs, neighbours share a column, so memory does not grow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import astuple, dataclass, replace
from functools import partial
from typing import TypeVar

from tinyprof.capture.index import ImageIndex, WrongImageError
from tinyprof.heat.boots import Boot, BootOf
from tinyprof.heat.page_heat import ANY
from tinyprof.heat.volume_heat import VolumeHeat
from tinyprof.heat.volume_pages import EpochPages, Room
from tinyprof.profile.boot_profile import steady_phases
from tinyprof.profile.temperature import DEFAULT_THRESHOLDS

T = TypeVar("T")

COLUMNS_MAX = 512
"""Columns of a timeline at most."""
MARKS_MAX = 128
"""Marks of a timeline at most."""

OnEpoch = Callable[[Set[int], int], None]
"""Is told that an epoch of a volume is over: its pages, and the number of its new pages."""


@dataclass(frozen=True, slots=True)
class TimeColumn:
    """One epoch, or several neighbours.

    - `until`: the number of epochs that had ended with it, over all boots.
    - `hot`, `warm`, `once`: number of pages that it used, by class.
    - `fresh`: number of pages that were new in their boot.
    - `lost`: number of records, frames and touches that were lost meanwhile.
    - `boot`: number of its boot, from 1.
    """

    until: int
    hot: int
    warm: int
    once: int
    fresh: int
    lost: int
    boot: int

    @property
    def used(self) -> int:
        """Number of pages that it used."""
        return self.hot + self.warm + self.once


@dataclass(frozen=True, slots=True)
class TimeMark:
    """Something that began after `after` epochs had ended: a phase, another boot, or the steady
    state."""

    after: int
    name: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """Columns from the first epoch to the last, each of `per_column` epochs but the last."""

    columns: tuple[TimeColumn, ...] = ()
    marks: tuple[TimeMark, ...] = ()
    per_column: int = 1


NO_TIMELINE = Timeline()


class _TimedVolume(VolumeHeat):
    """A volume that tells which pages an epoch had."""

    def __init__(self, on_epoch: OnEpoch, room: Room) -> None:
        super().__init__(room)
        self._on_epoch = on_epoch

    def _count_phase(self, epoch: int, pages: EpochPages, fresh: int) -> None:
        super()._count_phase(epoch, pages, fresh)
        self._on_epoch(pages.page_ids(), fresh)


class TimedBoot(Boot):
    """A boot that tells the epochs of one of its volumes to a line:

    1. those of the volume of `index`, whose files the rest of the view shows;
    2. where no hello or no index tells that volume, those of the first one that ends an epoch.
    """

    def __init__(self, line: TimelineBuilder, index: ImageIndex | None = None) -> None:
        BootOf.__init__(self, self._new_timed_volume)
        self._line, self._index = line, index
        self._timed: VolumeHeat | None = None

    def _new_timed_volume(self, room: Room) -> VolumeHeat:
        volume: list[VolumeHeat] = []
        volume.append(_TimedVolume(partial(self._take_epoch, volume), room))
        return volume[0]

    def _take_epoch(self, volume: Sequence[VolumeHeat], pages: Set[int], fresh: int) -> None:
        known = self._of_image()
        if known is None:
            self._timed = self._timed or volume[0]
        elif self._timed is not self.volumes.get(known):
            # The hello came after an epoch of another volume.
            self._timed = self.volumes.get(known)
            self._line.begin_boot_anew()
        if self._timed is volume[0]:
            self._line.add(pages, fresh, sum(astuple(self.losses)), self._timed)

    def _of_image(self) -> int | None:
        """Return the number of the image's volume, if that is known."""
        if self._index is None or self.hello is None:
            return None
        try:
            return self._index.volume_of(self.hello)
        except WrongImageError:
            return None


@dataclass(slots=True)
class _Open:
    """A column of the running boot. `pages`: a bit for each page, in the order of first use."""

    until: int
    pages: int
    fresh: int
    lost: int


class TimelineBuilder:
    """Gathers the epochs of all boots. A boot's pages get their classes whenever somebody asks."""

    def __init__(self) -> None:
        self._done: list[TimeColumn] = []
        self._open: list[_Open] = []
        self._places: dict[int, int] = {}
        self._marks: list[TimeMark] = []
        self._per_column = 1
        self._before = self._epochs = self._in_last = 0
        self._boot = 1
        self._lost = 0
        self._volume: VolumeHeat | None = None
        self._phases = 1

    def add(self, pages: Set[int], fresh: int, lost: int, volume: VolumeHeat) -> None:
        """Take an epoch that is over. `lost`: all losses of its boot so far."""
        self._epochs, self._volume = self._before + volume.ended, volume
        mask = self._mask(pages)
        more, self._lost = max(0, lost - self._lost), max(lost, self._lost)
        if self._open and self._in_last < self._per_column:
            last = self._open[-1]
            last.until, last.pages = self._epochs, last.pages | mask
            last.fresh, last.lost = last.fresh + fresh, last.lost + more
            self._in_last += 1
        else:
            self._open.append(_Open(self._epochs, mask, fresh, more))
            self._in_last = 1
        if len(self._done) + len(self._open) > COLUMNS_MAX:
            self._halve()
        self._note_phases(volume)

    def _mask(self, pages: Set[int]) -> int:
        places = self._places
        found = [places.setdefault(page, len(places)) for page in pages]
        bits = bytearray(len(places) // 8 + 1)
        for place in found:
            bits[place >> 3] |= 1 << (place & 7)
        return int.from_bytes(bits, "little")

    def _note_phases(self, volume: VolumeHeat) -> None:
        for before, phase in zip(
            volume.phases[self._phases - 1 :], volume.phases[self._phases :], strict=False
        ):
            if phase.name != before.name:
                self._mark(phase.name)
            elif phase.steady and not before.steady and not phase.name:
                self._mark("steady state")
        self._phases = len(volume.phases)

    def _mark(self, name: str) -> None:
        if len(self._marks) < MARKS_MAX:
            self._marks.append(TimeMark(self._epochs, name))

    def _halve(self) -> None:
        """Join neighbours, so that each column holds twice as many epochs."""
        self._done = [_joined(*pair) for pair in _pairs(self._done)]
        joined: list[_Open] = []
        for first, *rest in _pairs(self._open):
            for it in rest:
                first.until, first.pages = it.until, first.pages | it.pages
                first.fresh, first.lost = first.fresh + it.fresh, first.lost + it.lost
            joined.append(first)
        if len(self._open) % 2 == 0:
            self._in_last += self._per_column
        self._open, self._per_column = joined, 2 * self._per_column

    def begin_boot_anew(self) -> None:
        """Forget the epochs of the running boot: they were another volume's."""
        self._open, self._places, self._volume = [], {}, None
        self._epochs, self._in_last, self._phases = self._before, 0, 1
        self._marks = [mark for mark in self._marks if mark.after <= self._before]

    def end_boot(self) -> None:
        """The target has rebooted: its page ids begin anew."""
        self._done += self._classed()
        self._open, self._places, self._volume = [], {}, None
        self._boot, self._lost, self._phases = self._boot + 1, 0, 1
        self._before = self._epochs
        self._mark(f"boot {self._boot}")

    def timeline(self) -> Timeline:
        """Return the timeline so far. Pages have the classes that they have by now."""
        return Timeline((*self._done, *self._classed()), tuple(self._marks), self._per_column)

    def _classed(self) -> list[TimeColumn]:
        hot, once = self._classes() if self._volume else (0, 0)
        return [
            TimeColumn(
                it.until,
                (it.pages & hot).bit_count(),
                (it.pages & ~(hot | once)).bit_count(),
                (it.pages & once).bit_count(),
                it.fresh,
                it.lost,
                self._boot,
            )
            for it in self._open
        ]

    def _classes(self) -> tuple[int, int]:
        """Return the pages of the running boot that are hot, and those that are seen once, a bit
        each. The rules are those of profile.temperature."""
        volume = self._volume
        assert volume
        flags = steady_phases(volume.phases)
        epochs = sum(it.epochs for it, steady in zip(volume.phases, flags, strict=True) if steady)
        least = DEFAULT_THRESHOLDS.hot * epochs
        hot, once = set(), set()
        for page, heat in volume.pages.items():
            seen = heat.seen_as(ANY)
            if seen is None or page not in self._places:
                continue
            steady = sum(count for count, is_in in zip(seen.phases, flags, strict=False) if is_in)
            if steady and steady >= least:
                hot.add(page)
            elif not steady or seen.stretches <= 1:
                once.add(page)
        return self._mask(hot), self._mask(once)


def _pairs(items: Sequence[T]) -> list[list[T]]:
    return [list(items[at : at + 2]) for at in range(0, len(items), 2)]


def _joined(first: TimeColumn, *rest: TimeColumn) -> TimeColumn:
    for it in rest:
        first = replace(
            it,
            hot=max(first.hot, it.hot),
            warm=max(first.warm, it.warm),
            once=max(first.once, it.once),
            fresh=first.fresh + it.fresh,
            lost=first.lost + it.lost,
        )
    return first
