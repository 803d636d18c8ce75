# SPDX-License-Identifier: MIT
"""In which epochs of a boot one page was seen, by kind.

Words of bits come in, one bit an epoch, in the order of time. Counts go out. A page knows neither
its file nor its volume, and its memory does not grow with the number of epochs.
"""

from __future__ import annotations

from collections.abc import Sequence

from tinyprof.pages import Kind

MAPPED, ANY = 4, 5
"""Key beside the four kinds: seen in any way."""

_MAPPED_KINDS = 1 << Kind.EXEC | 1 << Kind.READ


def _counted_keys(kinds: int) -> tuple[int, ...]:
    """Return what is counted for a page of these kinds (a bit each). No count repeats another."""
    keys: tuple[int, ...] = tuple(kind for kind in Kind if kinds >> kind & 1)
    if kinds & _MAPPED_KINDS == _MAPPED_KINDS:
        keys += (MAPPED,)
    return keys if kinds.bit_count() < 2 or kinds == _MAPPED_KINDS else (*keys, ANY)


_KEYS_OF = tuple(map(_counted_keys, range(1 << len(Kind))))


def keys_of(kinds: int) -> tuple[int, ...]:
    """Return the keys of `PageHeat.by_key` for a page of these kinds, a bit each."""
    return _KEYS_OF[kinds]


class Sightings:
    """In which epochs a page was seen in one way.

    `epochs`: how many. `first`, `last`: their numbers. `stretches`: groups of epochs that follow
    each other. `longest`: epochs of the longest stretch.
    """

    __slots__ = ("_length", "_phases", "epochs", "first", "last", "longest", "stretches")

    def __init__(self) -> None:
        self.epochs = self.first = self.last = self.stretches = self.longest = self._length = 0
        # The only phase so far, or the epochs of each phase: a list takes as much as all else.
        self._phases: int | list[int] = 0

    @property
    def phases(self) -> list[int]:
        """How many epochs in each phase of the boot."""
        if isinstance(self._phases, int):
            return [0] * self._phases + [self.epochs] if self.epochs else []
        return self._phases

    def add(self, word: int, start: int, phase: int) -> None:
        """Add epochs: bit n of the word is epoch `start` + n. The word is not 0. All epochs are
        later than those before."""
        count, length = word.bit_count(), word.bit_length()
        pairs = word & word >> 1
        stretches = count - pairs.bit_count()
        longest = _longest_stretch(pairs) + 1 if stretches > 1 else count
        newest = length - (word ^ (1 << length) - 1).bit_length() if stretches > 1 else count
        before_first = (word & -word).bit_length() - 1
        first = start + before_first
        if first == self.last + 1 and self.epochs:
            # The first stretch continues the last stretch of the word before.
            longest = max(longest, self._length + _trailing_ones(word >> before_first))
            newest += self._length if stretches == 1 else 0
            stretches -= 1
        self._note_phase(phase, count)
        self.epochs += count
        self.first = self.first or first
        self.last = start + length - 1
        self.stretches += stretches
        self.longest = max(self.longest, longest)
        self._length = newest

    def _note_phase(self, phase: int, count: int) -> None:
        if not self.epochs:
            self._phases = phase
        elif self._phases != phase:
            phases = self._phases = self.phases
            phases += [0] * (phase + 1 - len(phases))
            phases[phase] += count

    def copy(self) -> Sightings:
        """Return an independent copy."""
        twin = Sightings()
        twin.epochs, twin.first, twin.last, twin.stretches = (
            self.epochs,
            self.first,
            self.last,
            self.stretches,
        )
        twin.longest, twin._length = self.longest, self._length
        twin._phases = self._phases if isinstance(self._phases, int) else [*self._phases]
        return twin


def _longest_stretch(word: int) -> int:
    """Return how many neighbouring bits are set at most."""
    length = 0
    while word:
        word &= word >> 1
        length += 1
    return length


def _trailing_ones(word: int) -> int:
    return (~word & word + 1).bit_length() - 1


class PageHeat:
    """In which epochs one page was seen.

    `by_key` has the sightings of each kind that occurred. MAPPED is there if the page was seen
    both as exec and as read. ANY is there if no other key says the same.
    """

    __slots__ = ("_kinds", "_sightings")

    def __init__(self) -> None:
        # In the order of the keys of its kinds: a dictionary would take more than all else here.
        self._sightings: tuple[Sightings, ...] = ()
        self._kinds = 0

    @property
    def kinds(self) -> int:
        """The kinds that the page was seen as, a bit each."""
        return self._kinds

    @property
    def by_key(self) -> dict[int, Sightings]:
        """The sightings of each key that is counted."""
        return dict(zip(_KEYS_OF[self._kinds], self._sightings, strict=True))

    def seen_as(self, key: int) -> Sightings | None:
        """Return the sightings for a kind, for MAPPED or for ANY. None: there are none."""
        by_key = self.by_key
        if key == ANY and ANY not in by_key:
            key = MAPPED if len(by_key) > 1 else next(iter(by_key), ANY)
        if key == MAPPED and MAPPED not in by_key:
            key = Kind.EXEC if Kind.EXEC in by_key else Kind.READ
        return by_key.get(key)

    @property
    def epochs(self) -> int:
        """In how many epochs the page was seen."""
        seen = self.seen_as(ANY)
        return seen.epochs if seen else 0

    def more_counters(self, words: Sequence[int]) -> int:
        """How many more counters see() would begin for these words."""
        kinds = self._kinds
        for kind, word in enumerate(words):
            kinds |= bool(word) << kind
        return len(_KEYS_OF[kinds]) - len(self._sightings)

    def without_new_kinds(self, words: Sequence[int]) -> list[int]:
        """The words of the kinds that are counted already, and 0 for the others."""
        return [word * (self._kinds >> kind & 1) for kind, word in enumerate(words)]

    def see(self, words: Sequence[int], start: int, phase: int) -> None:
        """Add epochs of one phase, later than all before: a word for each kind, whose bit n is
        epoch `start` + n."""
        exec_, read, write, file = words
        kinds = bool(exec_) | bool(read) << 1 | bool(write) << 2 | bool(file) << 3
        if kinds | self._kinds != self._kinds:
            self._begin_counts(kinds | self._kinds)
        mapped = exec_ | read
        keyed = (*words, mapped, mapped | write | file)
        for key, seen in zip(_KEYS_OF[self._kinds], self._sightings, strict=True):
            if keyed[key]:
                seen.add(keyed[key], start, phase)

    def _begin_counts(self, kinds: int) -> None:
        """Start counters for the new kinds, copying the one that stood for them so far."""
        if not self._kinds:
            self._sightings = tuple(Sightings() for _ in _KEYS_OF[kinds])
            self._kinds = kinds
            return
        before = {key: self.seen_as(key) for key in (MAPPED, ANY)}
        counts = self.by_key
        for key in _KEYS_OF[kinds]:
            if key not in counts:
                earlier = before.get(key)
                counts[key] = earlier.copy() if earlier else Sightings()
        self._sightings = tuple(counts[key] for key in _KEYS_OF[kinds])
        self._kinds = kinds
