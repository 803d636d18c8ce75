# SPDX-License-Identifier: MIT
"""One page: in which epochs of a run it was seen, by kind.

The epochs that saw it come in, in their order; counts go out. It knows neither its file nor its volume, and
its memory does not grow with the epochs.
"""

from __future__ import annotations

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
