# SPDX-License-Identifier: MIT
"""What a boot has lost, by cause.

Counts come in, and the ends of epochs, which prove what did not arrive. Sums go out. No page is
known here.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyprof.wire.messages import EpochEnd


@dataclass(frozen=True, slots=True)
class Losses:
    """Losses by cause.

    - `frames`: gaps in the frames' numbers.
    - `corrupt`: stretches of the line that were neither frame nor text.
    - `records`: records that epochs had by their ends and that did not arrive, for any cause. This
      is exact.
    - `untraced`: touches that the target could not trace, by its own count.
    - `write_errors`: frames that the target could not write, by its own count.
    - `beyond_limits`: records and files that were dropped here, because the target names more
      volumes, pages or files than can exist.
    - `lost_events`: events that the target's kernel dropped, because the agent was too slow. Each
      may have been a touch.
    """

    frames: int = 0
    corrupt: int = 0
    records: int = 0
    untraced: int = 0
    write_errors: int = 0
    beyond_limits: int = 0
    lost_events: int = 0

    def __add__(self, other: Losses) -> Losses:
        return Losses(
            self.frames + other.frames,
            self.corrupt + other.corrupt,
            self.records + other.records,
            self.untraced + other.untraced,
            self.write_errors + other.write_errors,
            self.beyond_limits + other.beyond_limits,
            self.lost_events + other.lost_events,
        )

    def __bool__(self) -> bool:
        return self != NO_LOSSES


NO_LOSSES = Losses()


class LostEnds:
    """Counts the records of epochs whose ends are lost. Each end carries the total of all epochs.

    `from_start`: the sender had only just begun when its first frame came, so all its ends count.
    """

    def __init__(self, *, from_start: bool) -> None:
        self._before = 0 if from_start else None
        self._counted = 0
        self._records = 0

    def take(self, message: EpochEnd) -> None:
        """Take an end that counts."""
        own = sum(message.records)
        if self._before is None and message.total is not None:
            self._before = message.total - own
        if self._before is not None:
            self._counted += own
        if self._before is None or message.total is None:
            return
        lost = (message.total - self._before - self._counted) % (1 << 32)
        # A total never falls back on a real agent.
        self._records = lost if lost < 1 << 31 else 0

    def missing(self, unfinished: int) -> int:
        """Return how many records of those epochs did not arrive. `unfinished` records of them
        did."""
        return max(0, self._records - unfinished)
