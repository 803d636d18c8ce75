# SPDX-License-Identifier: MIT
"""One volume of one boot: when each of its pages was seen, and the phases that the boot had.

The messages that name the volume come in; page counts go out. Page ids are never resolved here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinyprof.heat.page_heat import PageHeat
from tinyprof.heat.volume_pages import PAGES_MAX, EpochPages, VolumePages
from tinyprof.wire.messages import EpochEnd

PHASES_MAX = 32
"""Further marks of a boot begin no phase; nobody reads as many."""

QUIET_SHARE = 0.05
QUIET_EPOCHS = 2
"""The steady state is found to begin after so many epochs in a row of whose pages so few were
new."""

WINDOW = 480
"""Epochs that are gathered, a bit each, before the pages' counts take them in."""


@dataclass(slots=True)
class Phase:
    """A part of a boot, from an epoch on: the one that a mark named, or what is not distinguished
    by marks.

    `steady`: begun after the steady state was found. `fresh` pages were first seen in it.
    """

    name: str
    first: int
    steady: bool = False
    epochs: int = 0
    fresh: int = 0


class VolumeHeat(VolumePages):
    """The heat of one volume in one boot.

    To count a page is much work, and to set a bit is little: what a page was seen in is first
    gathered in a word of bits for each kind, one bit an epoch, and counted for many epochs at
    once.

    `processes`: the most that were seen to map a file at once, by the page id of its page 0, where
    that was more than one; None from a target that does not count them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.phases = [Phase("", 1)]
        self.processes: dict[int, int] | None = None
        self._heats: dict[int, PageHeat] = {}
        self._words: tuple[dict[int, int], ...] = ({}, {}, {}, {})
        self._window_start = 0
        self._marks: list[str] = []
        self._quiet = 0

    @property
    def pages(self) -> Mapping[int, PageHeat]:
        """The pages of the epochs that are over."""
        self._count()
        return self._heats

    def end_epoch(self, message: EpochEnd) -> bool:
        """As in VolumePages, and take the processes that are told along with it."""
        if message.processes is not None:
            self._take_processes(message.processes)
        return super().end_epoch(message)

    def _take_processes(self, told: Sequence[tuple[int, int]]) -> None:
        known = self.processes = self.processes or {}
        for page_id, count in told:
            if page_id in known or len(known) < PAGES_MAX:
                known[page_id] = max(count, known.get(page_id, 1))

    def mark(self, name: str) -> None:
        """A phase of this name begins when the running epoch has ended."""
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
        self._count_phase(epoch, pages, len(self.page_ids) - known)

    def _count(self) -> None:
        """Take what was gathered into the pages' counts. All of it belongs to the running
        phase."""
        phase = len(self.phases) - 1
        for page_id in set().union(*self._words):
            heat = self._heats.get(page_id)
            if heat is None:
                heat = self._heats[page_id] = PageHeat()
            heat.see([words.get(page_id, 0) for words in self._words], self._window_start, phase)
        for words in self._words:
            words.clear()

    def _count_phase(self, epoch: int, pages: EpochPages, fresh: int) -> None:
        """Add an epoch to the running phase, and begin the next one where there is cause to."""
        phase = self.phases[-1]
        phase.epochs += 1
        phase.fresh += fresh
        steady = phase.steady
        # All phases after the first steady one are.
        if not steady and pages:
            self._quiet = self._quiet + 1 if fresh <= QUIET_SHARE * len(pages.page_ids()) else 0
        found = not steady and self._quiet >= QUIET_EPOCHS
        names, self._marks = self._marks, []
        if (names or found) and len(self.phases) < PHASES_MAX:
            self._count()
            name = names[-1] if names else phase.name
            self.phases.append(Phase(name, epoch + 1, steady or found))
