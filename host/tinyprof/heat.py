# SPDX-License-Identifier: MIT
"""Heat: how many epochs each page was seen in, and what an epoch, a run and a line are known to have lost.

The events of a line come in, in their order; runs (one boot of the target each) with their page counts and
losses go out. It never resolves a page id, and a hostile target cannot make it grow past its limits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from operator import add

from tinyprof.wire import (
    ConsoleText,
    CorruptFrame,
    EpochEnd,
    Event,
    Frame,
    Hello,
    Message,
    Pages,
    Status,
    UnknownMessage,
    is_reboot,
    joined_hello,
)

VOLUMES_MAX = 8
OPEN_EPOCHS_MAX = 4
PAGES_MAX = 1 << 20
"""Pages of one volume that are kept apart: 4 GiB of files, where a CramFS image has 272 MiB."""

UNKNOWN_TYPES_MAX = 16


@dataclass(frozen=True, slots=True)
class Losses:
    """What is missing, by cause.

    `frames`: gaps in the frames' numbers. `corrupt`: stretches of the line that were neither frame nor text.
    `records`: what epochs had by their ends and did not arrive, whatever the cause; it is exact.
    `untraced` and `write_errors`: what the target says it could not trace, and frames it could not write.
    `beyond_limits`: records dropped here, from a target that names more volumes or pages than exist.
    """

    frames: int = 0
    corrupt: int = 0
    records: int = 0
    untraced: int = 0
    write_errors: int = 0
    beyond_limits: int = 0

    def __add__(self, other: Losses) -> Losses:
        return Losses(
            self.frames + other.frames,
            self.corrupt + other.corrupt,
            self.records + other.records,
            self.untraced + other.untraced,
            self.write_errors + other.write_errors,
            self.beyond_limits + other.beyond_limits,
        )

    def __bool__(self) -> bool:
        return self != NO_LOSSES


NO_LOSSES = Losses()


@dataclass(slots=True)
class PageHeat:
    """In how many epochs a page was seen, in all and by kind (in the order of `Kind`), and first in which."""

    first_epoch: int
    epochs: int = 0
    by_kind: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    last_epoch: int = 0


class VolumeHeat:
    """The pages of one volume in one run. `pages` holds those of the epochs that are over."""

    def __init__(self) -> None:
        self.pages: dict[int, PageHeat] = {}
        self.ended = 0
        self.unfinished = 0
        self.records = 0
        self.missing = 0
        self.beyond_limits = 0
        self._last_ended = 0
        self._open: dict[int, set[int]] = {}

    @property
    def epochs(self) -> int:
        """Epochs that ended, and those of which pages were seen but no end."""
        return self.ended + self.unfinished + len(self._open)

    def distinct_pages(self, known: Set[int] = frozenset()) -> int:
        """How many pages were seen so far, in the running epoch too, that are not `known` already."""
        fresh = {code >> 2 for codes in self._open.values() for code in codes}
        return len((fresh | self.pages.keys()) - known)

    def touch(self, message: Pages) -> None:
        """Take first touches. A record that comes twice in an epoch counts once."""
        self.records += len(message.page_ids)
        codes = self._open.get(message.epoch)
        if codes is None:
            if message.epoch <= self._last_ended:
                return
            codes = self._open[message.epoch] = set()
            if len(self._open) > OPEN_EPOCHS_MAX:
                self._close_unfinished(min(self._open))
        if len(codes) >= PAGES_MAX:
            self.beyond_limits += len(message.page_ids)
            return
        codes.update(map(add, [page_id << 2 for page_id in message.page_ids], message.kinds))

    def end_epoch(self, message: EpochEnd) -> None:
        """Close an epoch, and know what is missing of it. An end that comes twice counts once."""
        if message.epoch <= self._last_ended:
            return
        for earlier in sorted(epoch for epoch in self._open if epoch < message.epoch):
            self._close_unfinished(earlier)
        codes = self._open.pop(message.epoch, set())
        self.missing += max(0, sum(message.records) - len(codes))
        self.ended += 1
        self._last_ended = message.epoch
        self._fold(message.epoch, codes)

    def finish(self) -> None:
        """Nothing more will come: what the running epoch has seen counts as an epoch."""
        for epoch in sorted(self._open):
            self._close_unfinished(epoch)

    def _close_unfinished(self, epoch: int) -> None:
        self.unfinished += 1
        self._last_ended = max(self._last_ended, epoch)
        self._fold(epoch, self._open.pop(epoch))

    def _fold(self, epoch: int, codes: set[int]) -> None:
        pages = self.pages
        for code in codes:
            heat = pages.get(code >> 2)
            if heat is None:
                if len(pages) >= PAGES_MAX:
                    self.beyond_limits += 1
                    continue
                heat = pages[code >> 2] = PageHeat(epoch)
            if heat.last_epoch != epoch:
                heat.last_epoch = epoch
                heat.epochs += 1
            heat.by_kind[code & 3] += 1


class Run:
    """What a line said between two boots of the target."""

    def __init__(self) -> None:
        self.hello: Hello | None = None
        self.status: Status | None = None
        self.volumes: dict[int, VolumeHeat] = {}
        self.unknown_messages = 0
        self.unknown_types: set[int] = set()
        self.console_bytes = 0
        self.corrupt_bytes = 0
        self._frames = self._corrupt = self._beyond_limits = 0

    @property
    def losses(self) -> Losses:
        volumes = self.volumes.values()
        return Losses(
            self._frames,
            self._corrupt,
            sum(volume.missing for volume in volumes),
            self.status.untraced if self.status else 0,
            self.status.write_errors if self.status else 0,
            self._beyond_limits + sum(volume.beyond_limits for volume in volumes),
        )

    def ends_before(self, event: Event) -> bool:
        """Whether the event belongs to another boot of the target."""
        if not isinstance(event, Frame) or not self.hello:
            return False
        if isinstance(event.message, Hello):
            return is_reboot(self.hello, event.message)
        return event.restarted

    def take(self, event: Event) -> None:
        """Count one event."""
        match event:
            case Frame(lost=lost, message=message):
                self._frames += lost
                self._take_message(message)
            case ConsoleText(data):
                self.console_bytes += len(data)
            case CorruptFrame(_, data):
                self.corrupt_bytes += len(data)
                # Before the first hello it may be a line that was joined in the middle of a frame.
                if self.hello:
                    self._corrupt += 1

    def _take_message(self, message: Message) -> None:
        match message:
            case Pages():
                if volume := self._volume(message.volume):
                    volume.touch(message)
                else:
                    self._beyond_limits += len(message.page_ids)
            case EpochEnd():
                if volume := self._volume(message.volume):
                    volume.end_epoch(message)
            case Hello():
                self.hello = joined_hello(self.hello, message)
            case Status():
                self.status = message
            case UnknownMessage(kind):
                self.unknown_messages += 1
                if len(self.unknown_types) < UNKNOWN_TYPES_MAX:
                    self.unknown_types.add(kind)
            case _:
                pass

    def _volume(self, index: int) -> VolumeHeat | None:
        if index not in self.volumes and len(self.volumes) < VOLUMES_MAX:
            self.volumes[index] = VolumeHeat()
        return self.volumes.get(index)

    def finish(self) -> None:
        """Nothing more will come."""
        for volume in self.volumes.values():
            volume.finish()


def split_runs(events: Iterable[Event]) -> Iterator[Run]:
    """The runs of a line, each when it is over; one at a time is in memory."""
    run = Run()
    for event in events:
        if run.ends_before(event):
            run.finish()
            yield run
            run = Run()
        run.take(event)
    run.finish()
    yield run
