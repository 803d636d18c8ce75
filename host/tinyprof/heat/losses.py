# SPDX-License-Identifier: MIT
"""What a boot is known to have lost, by cause.

Counts that others keep come in, and the ends of epochs, which prove what did not arrive; sums go
out. No page is known here.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyprof.wire.messages import EpochEnd


@dataclass(frozen=True, slots=True)
class Losses:
    """What is missing, by cause.

    `frames`: gaps in the frames' numbers. `corrupt`: stretches of the line that were neither frame
    nor text. `records`: what epochs had by their ends and did not arrive, whatever the cause; it
    is exact. `untraced` and `write_errors`: what the target says it could not trace, and frames it
    could not write. `beyond_limits`: records dropped here, from a target that names more volumes
    or pages than exist.
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


class LostEnds:
    """What epochs had whose very ends are lost: each end carries the total of all.

    `from_start`: the sender had only just begun when its first frame came, so that all its ends
    count.
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
