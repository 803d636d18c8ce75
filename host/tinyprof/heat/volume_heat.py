# SPDX-License-Identifier: MIT
"""One volume of one boot: in which epochs each of its pages was seen, and the phases of the boot.

The messages of the volume come in. Counts go out. Page ids are never resolved here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tinyprof.heat.holders import Held, HolderCounts, MappedRange
from tinyprof.heat.page_heat import PageHeat
from tinyprof.heat.volume_pages import PAGES_MAX, EpochPages, Room, VolumePages
from tinyprof.pages import Kind
from tinyprof.wire.messages import EpochEnd, Mappings, Pages

PHASES_MAX = 32
"""Phases of one boot. Further marks begin no phase."""

QUIET_SHARE = 0.05
"""Share of an epoch's pages."""
QUIET_EPOCHS = 2
"""Epochs. The steady state begins after QUIET_EPOCHS epochs in which at most QUIET_SHARE of the
pages are new."""

LENGTHS = 15
"""Epochs whose lengths are remembered. Their median is the length of an epoch."""

COUNTERS_MAX = 1 << 18
"""Counters of the pages of one boot. A page has one for each way in which it was seen, up to six.
A CramFS image has at most 69,632 pages that are stored as they are. If each of them is executed
and read, that takes three counters each."""

_CLOCK_MODULO = 1 << 32

WINDOW = 480
"""Epochs that are gathered, one bit each, before they are added to the pages' counts."""


@dataclass(slots=True)
class Phase:
    """A part of a boot that begins with epoch `first`. `name` is that of the mark that began it.

    `steady`: it began after the steady state was found. `fresh`: pages that were first seen in it.
    `share`: below 1 for a phase of one epoch that the end of the recording cut off: the share of
    an epoch that it lasted.
    """

    name: str
    first: int
    steady: bool = False
    epochs: int = 0
    fresh: int = 0
    share: float = 1.0


class VolumeHeat(VolumePages):
    """The heat of one volume in one boot.

    Counting a page is slow, and setting a bit is quick. So the epochs of a page are first gathered
    as bits of a word, one word for each kind, and counted for many epochs at once.

    `processes`: the highest number of processes that mapped a file, by the page id of its page 0,
    where it was more than 1. None: the target does not count processes.
    """

    def __init__(self, room: Room | None = None) -> None:
        super().__init__(room)
        self.phases = [Phase("", 1)]
        self.processes: dict[int, int] | None = None
        self._holders = HolderCounts(self._room)
        self._heats: dict[int, PageHeat] = {}
        self._words: tuple[dict[int, int], ...] = ({}, {}, {}, {})
        self._window_start = 0
        self._marks: list[str] = []
        self._quiet = 0
        self._lengths: deque[int] = deque(maxlen=LENGTHS)
        self._ended_ms: int | None = None
        self._newest_ms = 0

    @property
    def pages(self) -> Mapping[int, PageHeat]:
        """The pages of the epochs that are over."""
        self._count()
        return self._heats

    @property
    def mappings(self) -> Mapping[MappedRange, Held]:
        """The mappings that processes held in the epochs that are over, where the source sees
        mappings."""
        return self._holders.mappings

    def release(self, page_ids: Iterable[int]) -> None:
        """Forget the heat of pages whose use is known elsewhere, once no more messages come."""
        for page_id in page_ids:
            self._heats.pop(page_id, None)

    def kinds_seen(self) -> dict[int, int]:
        """The kinds that each page was seen as, a bit each, in the running epochs too."""
        found = {page_id: heat.kinds for page_id, heat in self.pages.items()}
        for epoch in self._open.values():
            for kind, page_ids in zip(Kind, epoch.by_kind, strict=True):
                for page_id in page_ids:
                    found[page_id] = found.get(page_id, 0) | 1 << kind
        return found

    def end_epoch(self, message: EpochEnd) -> bool:
        """As in VolumePages; also takes the numbers of processes."""
        if message.processes is not None:
            self._take_processes(message.processes)
        is_new = super().end_epoch(message)
        if is_new:
            if self._ended_ms is not None:
                self._lengths.append((message.ms - self._ended_ms) % _CLOCK_MODULO)
            self._ended_ms = self._newest_ms = message.ms
        return is_new

    def touch(self, message: Pages) -> None:
        """As in VolumePages; also notes the target's clock."""
        self._newest_ms = message.ms
        super().touch(message)

    def hold(self, message: Mappings) -> None:
        """Take the mappings of an epoch that is not over."""
        if message.epoch > self._last_ended:
            before = self._holders.beyond_limits
            self._holders.take(message)
            self.beyond_limits += self._holders.beyond_limits - before

    def finish(self) -> None:
        """No more messages will come. An epoch that the end cut off becomes a phase of its own.

        Counted as a whole epoch, it would make every page seem seldom that its missing part would
        have touched.
        """
        for earlier in sorted(self._open)[:-1]:
            # Later epochs have come: only the end of this one is lost.
            self._close_unfinished(earlier)
        share, phase = self._share_of_unfinished(), self.phases[-1]
        if self._open and not phase.epochs:
            phase.share = share
        elif self._open and share < 1 and len(self.phases) < PHASES_MAX:
            self._count()
            self.phases.append(Phase(phase.name, max(self._open), phase.steady, share=share))
        super().finish()
        # Counting may go beyond the limits, which belongs to the losses.
        self._count()

    def _share_of_unfinished(self) -> float:
        """Return which share of an epoch the running one has lasted; 1 if nobody can tell."""
        if self._ended_ms is None or not self._lengths:
            return 1.0
        length = sorted(self._lengths)[len(self._lengths) // 2]
        lasted = (self._newest_ms - self._ended_ms) % _CLOCK_MODULO
        return min(1.0, lasted / length) if length else 1.0

    def _take_processes(self, told: Sequence[tuple[int, int]]) -> None:
        known = self.processes = self.processes or {}
        for page_id, count in told:
            if page_id in known or len(known) < PAGES_MAX:
                known[page_id] = max(count, known.get(page_id, 1))

    def mark(self, name: str) -> None:
        """Begin a phase of this name when the running epoch has ended."""
        if len(self._marks) < PHASES_MAX:
            self._marks.append(name)

    def _fold(self, epoch: int, pages: EpochPages) -> None:
        known = len(self.page_ids)
        super()._fold(epoch, pages)
        if epoch - self._window_start >= WINDOW:
            self._count()
            self._window_start = epoch
        bit = 1 << epoch - self._window_start
        for words, page_ids in zip(self._words, pages.by_kind, strict=True):
            for page_id in page_ids:
                words[page_id] = words.get(page_id, 0) | bit
        before = self._holders.beyond_limits
        self._holders.end_epoch(epoch, len(self.phases) - 1)
        self.beyond_limits += self._holders.beyond_limits - before
        self._count_phase(epoch, pages, len(self.page_ids) - known)

    def _count(self) -> None:
        """Add the gathered epochs to the pages' counts. All of them belong to the running
        phase."""
        phase = len(self.phases) - 1
        for page_id in set().union(*self._words):
            heat = self._heats.get(page_id) or PageHeat()
            # Popped, so that words and counters of all pages are not in memory together.
            seen = self._within_limits(heat, [words.pop(page_id, 0) for words in self._words])
            if any(seen):
                self._heats[page_id] = heat
                heat.see(seen, self._window_start, phase)
        for words in self._words:
            words.clear()

    def _within_limits(self, heat: PageHeat, seen: list[int]) -> list[int]:
        """Return the words that there are counters for. The others count as beyond the limits."""
        more = heat.more_counters(seen)
        if self._room.counters + more <= COUNTERS_MAX:
            self._room.counters += more
            return seen
        kept = heat.without_new_kinds(seen)
        if not any(kept) and self._room.counters < COUNTERS_MAX:
            self._room.counters += 1
            first = next(kind for kind, word in enumerate(seen) if word)
            kept[first] = seen[first]
        self.beyond_limits += sum(word.bit_count() for word in seen)
        self.beyond_limits -= sum(word.bit_count() for word in kept)
        return kept

    def _count_phase(self, epoch: int, pages: EpochPages, fresh: int) -> None:
        """Add an epoch to the running phase, and begin the next phase if it is due."""
        phase = self.phases[-1]
        phase.epochs += 1
        phase.fresh += fresh
        steady = phase.steady
        # All phases after the first steady one are steady.
        if not steady and pages:
            self._quiet = self._quiet + 1 if fresh <= QUIET_SHARE * len(pages.page_ids()) else 0
        found = not steady and self._quiet >= QUIET_EPOCHS
        names, self._marks = self._marks, []
        if (names or found) and len(self.phases) < PHASES_MAX:
            self._count()
            name = names[-1] if names else phase.name
            self.phases.append(Phase(name, epoch + 1, steady or found))
