# SPDX-License-Identifier: MIT
"""How many processes held each mapping of one volume, and for how long.

The messages of a source that sees whole mappings come in, an epoch after the other. Counts go out,
for each phase of the boot. A hostile target cannot make memory grow past the limits.
"""

from __future__ import annotations

from collections.abc import Mapping

from tinyprof.heat.volume_pages import OPEN_EPOCHS_MAX
from tinyprof.wire.messages import Mappings

MAPPINGS_MAX = 1 << 14
"""Mappings of one volume that are counted, and that an open epoch may have."""

MappedRange = tuple[int, int]
"""The page id of a mapping's first page, and its pages."""


class Held:
    """The uses of one mapping.

    `most`: the largest number of processes that held it at the same time. `phases`: by the number
    of a phase, the epochs in which a process held it, and the sum of its processes over these
    epochs.
    """

    __slots__ = ("most", "phases")

    def __init__(self) -> None:
        self.most = 0
        self.phases: dict[int, tuple[int, int]] = {}

    def add(self, phase: int, processes: int) -> None:
        """Count an epoch in which `processes` processes held it."""
        epochs, held = self.phases.get(phase, (0, 0))
        self.phases[phase] = epochs + 1, held + processes
        self.most = max(self.most, processes)


class HolderCounts:
    """The mappings of one volume in one boot.

    1. A mapping that comes twice in an epoch counts once, with the larger number of processes.
    2. An epoch of which nothing is told has no mappings.

    `beyond_limits`: mappings of an epoch that were dropped.
    """

    def __init__(self) -> None:
        self.beyond_limits = 0
        self._held: dict[MappedRange, Held] = {}
        self._open: dict[int, dict[MappedRange, int]] = {}

    @property
    def mappings(self) -> Mapping[MappedRange, Held]:
        """The mappings of the epochs that are over."""
        return self._held

    def take(self, message: Mappings) -> None:
        """Take mappings of an epoch that is not over."""
        epoch = self._open.setdefault(message.epoch, {})
        for mapping in message.held:
            place = mapping.page_id, mapping.pages
            if place in epoch or len(epoch) < MAPPINGS_MAX:
                epoch[place] = max(mapping.processes, epoch.get(place, 0))
            else:
                self.beyond_limits += 1
        if len(self._open) > OPEN_EPOCHS_MAX:
            self.beyond_limits += len(self._open.pop(min(self._open)))

    def end_epoch(self, epoch: int, phase: int) -> None:
        """Count an epoch that is over, as one of a phase. Forgets what came for epochs before
        it."""
        for earlier in [it for it in self._open if it < epoch]:
            self.beyond_limits += len(self._open.pop(earlier))
        for place, processes in self._open.pop(epoch, {}).items():
            if place not in self._held and len(self._held) >= MAPPINGS_MAX:
                self.beyond_limits += 1
                continue
            self._held.setdefault(place, Held()).add(phase, processes)
