# SPDX-License-Identifier: MIT
"""Heat: in which epochs each page was seen, which phases a run had, and what it is known to have lost.

The events of a line come in, in their order; runs (one boot of the target each) with their page counts and
losses go out. It never resolves a page id, and a hostile target cannot make it grow past its limits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass
from operator import add

from tinyprof.order import EARLY
from tinyprof.wire import (
    ConsoleText,
    CorruptFrame,
    EpochEnd,
    Event,
    Frame,
    Hello,
    HostMark,
    Mark,
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


PHASES_MAX = 32
"""Further marks of a run begin no phase; nobody reads as many."""

QUIET_SHARE = 0.05
QUIET_EPOCHS = 2
"""The steady state is found to begin after so many epochs in a row of whose pages so few were new."""

MAPPED, ANY = 4, 5
"""Beside the four kinds: as exec or read, and as anything."""

_KEYS_OF_KINDS = tuple(
    (*(kind for kind in range(4) if bits >> kind & 1), *((MAPPED,) if bits & 3 else ()), ANY)
    for bits in range(16)
)


class Seen:
    """When a page was seen in one way: in how many epochs, first and last, in how many stretches of epochs
    that follow each other and the longest of them, and how many in each of the run's phases."""

    __slots__ = ("_length", "epochs", "first", "last", "longest", "phases", "stretches")

    def __init__(self, epoch: int, phase: int) -> None:
        self.epochs = self.stretches = self.longest = self._length = 1
        self.first = self.last = epoch
        self.phases = [0] * phase + [1]

    def again(self, epoch: int, phase: int) -> None:
        self.epochs += 1
        length = 1
        if epoch == self.last + 1:
            length += self._length
        else:
            self.stretches += 1
        self._length = length
        # A call would cost more than all else here, for every page of every epoch.
        if length > self.longest:  # noqa: PLR1730
            self.longest = length
        self.last = epoch
        phases = self.phases
        if len(phases) <= phase:
            phases += [0] * (phase + 1 - len(phases))
        phases[phase] += 1

    def copy(self) -> Seen:
        """One that goes its own way from here."""
        twin = Seen(self.first, 0)
        twin.epochs, twin.last, twin.longest = self.epochs, self.last, self.longest
        twin.stretches, twin._length, twin.phases = self.stretches, self._length, [*self.phases]
        return twin


class PageHeat:
    """One page: when it was seen as each kind, as mapped, and at all.

    Most pages are only ever seen as the same kinds. What is equal then is one object, and counted once.
    """

    __slots__ = ("_kinds", "_same", "by_key")

    def __init__(self) -> None:
        self.by_key: list[Seen | None] = [None] * 6
        self._kinds = 0
        self._same: Seen | None = None

    def see(self, kinds: int, epoch: int, phase: int) -> None:
        same, by_key = self._same, self.by_key
        if same is not None:
            if kinds == self._kinds:
                same.again(epoch, phase)
                return
            self._same = None
            for key in _KEYS_OF_KINDS[self._kinds]:
                by_key[key] = same.copy()
        elif not self._kinds:
            self._kinds = kinds
            self._same = same = Seen(epoch, phase)
            for key in _KEYS_OF_KINDS[kinds]:
                by_key[key] = same
            return
        for key in _KEYS_OF_KINDS[kinds]:
            seen = by_key[key]
            if seen is None:
                by_key[key] = Seen(epoch, phase)
            else:
                seen.again(epoch, phase)

    @property
    def epochs(self) -> int:
        """In how many epochs it was seen."""
        seen = self.by_key[ANY]
        return seen.epochs if seen else 0


@dataclass(slots=True)
class Phase:
    """A part of a run, from an epoch on: the one that a mark named, or what is not distinguished by marks.

    `steady`: begun after the steady state was found. `fresh` pages were first seen in it.
    """

    name: str
    first: int
    steady: bool = False
    epochs: int = 0
    fresh: int = 0


class VolumeHeat:
    """The pages of one volume in one run. `pages` holds those of the epochs that are over."""

    def __init__(self) -> None:
        self.pages: dict[int, PageHeat] = {}
        self.ended = 0
        self.unfinished = 0
        self.unfinished_records = 0
        self.records = 0
        self.missing = 0
        self.beyond_limits = 0
        self.phases = [Phase("", 1)]
        self._marks: list[str] = []
        self._quiet = 0
        self._last_ended = 0
        self._open: dict[int, set[int]] = {}

    @property
    def in_epoch(self) -> bool:
        """Whether pages have come whose epoch has not ended."""
        return bool(self._open)

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

    def end_epoch(self, message: EpochEnd) -> bool:
        """Close an epoch, and know what is missing of it. An end that comes twice counts once: then False."""
        if message.epoch <= self._last_ended:
            return False
        for earlier in sorted(epoch for epoch in self._open if epoch < message.epoch):
            self._close_unfinished(earlier)
        codes = self._open.pop(message.epoch, set())
        self.missing += max(0, sum(message.records) - len(codes))
        self.ended += 1
        self._last_ended = message.epoch
        self._fold(message.epoch, codes)
        return True

    def mark(self, name: str) -> None:
        """A phase of this name begins when the running epoch has ended."""
        if len(self._marks) < PHASES_MAX:
            self._marks.append(name)

    def finish(self) -> None:
        """Nothing more will come: what the running epoch has seen counts as an epoch."""
        for epoch in sorted(self._open):
            self._close_unfinished(epoch)

    def _close_unfinished(self, epoch: int) -> None:
        self.unfinished += 1
        self._last_ended = max(self._last_ended, epoch)
        codes = self._open.pop(epoch)
        self.unfinished_records += len(codes)
        self._fold(epoch, codes)

    def _fold(self, epoch: int, codes: set[int]) -> None:
        kinds: dict[int, int] = {}
        for code in codes:
            kinds[code >> 2] = kinds.get(code >> 2, 0) | 1 << (code & 3)
        pages, phase = self.pages, len(self.phases) - 1
        known = len(pages)
        for page_id, bits in kinds.items():
            heat = pages.get(page_id)
            if heat is None:
                if len(pages) >= PAGES_MAX:
                    self.beyond_limits += bits.bit_count()
                    continue
                heat = pages[page_id] = PageHeat()
            heat.see(bits, epoch, phase)
        self._count_phase(epoch, kinds.keys(), len(pages) - known)

    def _count_phase(self, epoch: int, seen: Set[int], fresh: int) -> None:
        """Add an epoch to the running phase, and begin the next one where there is cause to."""
        phase = self.phases[-1]
        phase.epochs += 1
        phase.fresh += fresh
        steady = phase.steady
        if seen:
            self._quiet = self._quiet + 1 if fresh <= QUIET_SHARE * len(seen) else 0
        found = not steady and self._quiet >= QUIET_EPOCHS
        names, self._marks = self._marks, []
        if (names or found) and len(self.phases) < PHASES_MAX:
            name = names[-1] if names else phase.name
            self.phases.append(Phase(name, epoch + 1, steady or found))


class _LostEnds:
    """What epochs had whose very ends are lost: each end carries the total of all.

    `from_start`: the sender had only just begun when its first frame came, so that all its ends count.
    """

    def __init__(self, *, from_start: bool) -> None:
        self._before = 0 if from_start else None
        self._counted = 0
        self._records = 0

    def take(self, message: EpochEnd) -> None:
        """An end that counts."""
        own = sum(message.records)
        if self._before is None and message.total is not None:
            self._before = message.total - own
        if self._before is not None:
            self._counted += own
        if self._before is None or message.total is None:
            return
        lost = (message.total - self._before - self._counted) % (1 << 32)
        # A total that falls back is not one that the agent sends.
        self._records = lost if lost < 1 << 31 else 0

    def missing(self, unfinished: int) -> int:
        """Records of those epochs that did not arrive, where `unfinished` did."""
        return max(0, self._records - unfinished)


class Run:
    """What a line said between two boots of the target; `new_volume` makes what counts a volume's pages."""

    def __init__(self, new_volume: Callable[[], VolumeHeat] = VolumeHeat) -> None:
        self._new_volume = new_volume
        self.hello: Hello | None = None
        self.status: Status | None = None
        self.volumes: dict[int, VolumeHeat] = {}
        self.unknown_messages = 0
        self.unknown_types: set[int] = set()
        self.console_bytes = 0
        self.corrupt_bytes = 0
        self._marks: list[str] = []
        self._frames = self._corrupt = self._beyond_limits = 0
        self._lost_ends: _LostEnds | None = None
        self._missing_before = self._unfinished_before = 0

    @property
    def losses(self) -> Losses:
        volumes = self.volumes.values()
        return Losses(
            self._frames,
            self._corrupt,
            sum(volume.missing for volume in volumes) + self._missing_before + self._missing_ends(),
            self.status.untraced if self.status else 0,
            self.status.write_errors if self.status else 0,
            self._beyond_limits + sum(volume.beyond_limits for volume in volumes),
        )

    def _missing_ends(self) -> int:
        return self._lost_ends.missing(self._unfinished()) if self._lost_ends else 0

    def _unfinished(self) -> int:
        records = sum(volume.unfinished_records for volume in self.volumes.values())
        return records - self._unfinished_before

    def _count_ends_anew(self, *, from_start: bool) -> None:
        """The sender is another than before, which counts its ends from none."""
        self._missing_before += self._missing_ends()
        self._unfinished_before += self._unfinished()
        self._lost_ends = _LostEnds(from_start=from_start)

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
            case Frame(seq, lost, message, restarted):
                self._frames += lost
                if restarted or not self._lost_ends:
                    # A hello with another number than 0 may open a further part of a recording.
                    began = seq == 0 or (seq < EARLY and not isinstance(message, Hello))
                    self._count_ends_anew(from_start=restarted or began)
                self._take_message(message)
            case ConsoleText(data):
                self.console_bytes += len(data)
            case HostMark(text):
                self._mark(text)
            case CorruptFrame(_, data, repeated):
                self.corrupt_bytes += len(data)
                # Before the first hello it may be a line that was joined in the middle of a frame.
                if self.hello and not repeated:
                    self._corrupt += 1

    def _take_message(self, message: Message) -> None:
        match message:
            case Pages():
                if volume := self._volume(message.volume):
                    volume.touch(message)
                else:
                    self._beyond_limits += len(message.page_ids)
            case EpochEnd():
                volume = self._volume(message.volume)
                if (volume is None or volume.end_epoch(message)) and self._lost_ends:
                    self._lost_ends.take(message)
            case Mark():
                self._mark(message.text)
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

    def _mark(self, name: str) -> None:
        self._marks = [*self._marks, name][-PHASES_MAX:]
        for volume in self.volumes.values():
            volume.mark(name)

    def _volume(self, index: int) -> VolumeHeat | None:
        if index not in self.volumes and len(self.volumes) < VOLUMES_MAX:
            self.volumes[index] = self._new_volume()
            # Marks come at once, a volume's pages when the line has room for them.
            for name in self._marks:
                self.volumes[index].mark(name)
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
