# SPDX-License-Identifier: MIT
"""Whether the steady state has been seen for long enough: the events of a line in, seconds out."""

from __future__ import annotations

from collections.abc import Sequence

from tinyprof.heat.boots import Boot
from tinyprof.heat.volume_heat import Phase, VolumeHeat
from tinyprof.profile.boot_profile import STEADY_PREFIX
from tinyprof.wire.frames import Event
from tinyprof.wire.source import other_source


class SteadyWatch:
    """Follows the newest boot of a line, and counts the time of its steady state.

    A phase belongs to the steady state while it is recorded, if

    1. its name begins with "steady", or
    2. no phase has such a name, and it began after the steady state was found (heat.volume_heat).
    """

    def __init__(self, wanted: float | None) -> None:
        """`wanted`: seconds of the steady state that are enough; None: never enough."""
        self._wanted = wanted
        self._boot = Boot()

    def take(self, events: Sequence[Event]) -> None:
        """Take the events of the line."""
        for event in events:
            if self._boot.ends_before(event):
                self._boot = Boot()
            self._boot.take(event)

    @property
    def seconds(self) -> float:
        """Seconds of the steady state's epochs, of the volume that has the most of them."""
        hello = self._boot.hello
        epochs = max((_steady_epochs(volume) for volume in self._boot.volumes.values()), default=0)
        return epochs * hello.epoch_ms / 1000 if hello else 0.0

    @property
    def is_one_epoch(self) -> bool:
        """Whether the target said that its epochs never end, so that no time would be enough."""
        hello = self._boot.hello
        if hello is None:
            return False
        source = other_source(hello.source)
        return not hello.epoch_ms or (source is not None and source.is_one_epoch)

    def is_enough(self) -> bool:
        """Whether the steady state has been seen for as long as was wanted."""
        return self._wanted is not None and self.seconds >= self._wanted


def _steady_epochs(volume: VolumeHeat) -> int:
    named = [phase for phase in volume.phases if phase.name.startswith(STEADY_PREFIX)]
    return sum(phase.epochs for phase in named or _found(volume.phases))


def _found(phases: Sequence[Phase]) -> list[Phase]:
    return [phase for phase in phases if phase.steady]
