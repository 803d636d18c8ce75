# SPDX-License-Identifier: MIT
"""One volume of one run: its pages, its epochs and what is missing of them, its phases.

The messages that name the volume come in; page counts go out. Page ids are never resolved here, and a hostile
target cannot make it grow past its limits.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from operator import add

from tinyprof.messages import EpochEnd, Pages
from tinyprof.page_heat import PageHeat

OPEN_EPOCHS_MAX = 4
PAGES_MAX = 1 << 20
"""Pages of one volume that are kept apart: 4 GiB of files, where a CramFS image has 272 MiB."""

PHASES_MAX = 32
"""Further marks of a run begin no phase; nobody reads as many."""

QUIET_SHARE = 0.05
QUIET_EPOCHS = 2
"""The steady state is found to begin after so many epochs in a row of whose pages so few were new."""


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
