# SPDX-License-Identifier: MIT
"""How many processes held each mapping of one volume, and for how long.

The messages of a source that sees whole mappings come in, an epoch after the other. Counts go out,
for each phase of the boot. A hostile target cannot make memory grow past the limits.
"""

from __future__ import annotations

from collections.abc import Mapping

from tinyprof.heat.volume_pages import OPEN_EPOCHS_MAX, Room
from tinyprof.wire.messages import Mappings

MAPPINGS_MAX = 1 << 14
"""Mappings of one volume that are counted, and that an open epoch may have."""

OPEN_MAPPINGS_MAX = MAPPINGS_MAX * OPEN_EPOCHS_MAX
"""Mappings that the open epochs of all volumes of one boot may have together."""

MAPPING_COUNTERS_MAX = 1 << 16
"""Counters of the mappings of one boot. A mapping has one for each phase in which it was held."""

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

    `beyond_limits`: mappings of an epoch that were dropped. `room` is shared by the volumes of the
    boot.
    """

    def __init__(self, room: Room | None = None) -> None:
        self._room = room or Room()
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
            if place in epoch:
                epoch[place] = max(mapping.processes, epoch[place])
            elif len(epoch) < MAPPINGS_MAX and self._room.open_mappings < OPEN_MAPPINGS_MAX:
                epoch[place] = mapping.processes
                self._room.open_mappings += 1
            else:
                self.beyond_limits += 1
        if len(self._open) > OPEN_EPOCHS_MAX:
            self.beyond_limits += len(self._taken(min(self._open)))

    def end_epoch(self, epoch: int, phase: int) -> None:
        """Count an epoch that is over, as one of a phase. Forgets what came for epochs before
        it."""
        for earlier in [it for it in self._open if it < epoch]:
            self.beyond_limits += len(self._taken(earlier))
        for place, processes in self._taken(epoch).items():
            if self._has_counter(place, phase):
                self._held.setdefault(place, Held()).add(phase, processes)
            else:
                self.beyond_limits += 1

    def _taken(self, epoch: int) -> dict[MappedRange, int]:
        """The mappings of an open epoch, which is forgotten."""
        mappings = self._open.pop(epoch, {})
        self._room.open_mappings -= len(mappings)
        return mappings

    def _has_counter(self, place: MappedRange, phase: int) -> bool:
        """Whether a mapping has a counter for a phase. It gets one if the limits allow."""
        held = self._held.get(place)
        if held and phase in held.phases:
            return True
        is_full = held is None and len(self._held) >= MAPPINGS_MAX
        if is_full or self._room.mapping_counters >= MAPPING_COUNTERS_MAX:
            return False
        self._room.mapping_counters += 1
        return True
