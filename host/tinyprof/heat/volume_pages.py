# SPDX-License-Identifier: MIT
"""One volume of one boot: which of its pages were seen, and what is missing.

The messages of the volume come in. Counts go out. This knows that a page was seen, but not when,
so that a recorder keeps up with the fastest line. A hostile target cannot make memory grow past
the limits.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from itertools import compress, islice

from tinyprof.pages import Kind
from tinyprof.wire.messages import EpochEnd, Mappings, Pages

OPEN_EPOCHS_MAX = 4
"""Epochs of one volume that may be open at the same time."""
PAGES_MAX = 1 << 18
"""Pages that the volumes of one boot may name together: 1 GiB of files all used, while a CramFS
image has at most 272 MiB. The records of all open epochs have the same limit."""

_EXEC = bytes([Kind.EXEC])
_IS_EXEC = bytes(kind == Kind.EXEC for kind in range(256))
"""Translates kinds to 1 for exec and 0 for the rest."""


class EpochPages:
    """The pages of one epoch by kind, in the order of `Kind`. Its length is in records."""

    __slots__ = ("by_kind",)

    def __init__(self) -> None:
        self.by_kind: tuple[set[int], ...] = (set(), set(), set(), set())

    def __len__(self) -> int:
        return sum(map(len, self.by_kind))

    def add(self, message: Pages) -> int:
        """Add touches, and return how many are new. A record that comes twice counts once."""
        page_ids, kinds = message.page_ids, message.kinds
        executed, other_kinds = self.by_kind[Kind.EXEC], kinds.translate(None, _EXEC)
        if not other_kinds:
            before = len(executed)
            executed.update(page_ids)
            return len(executed) - before
        before = len(self)
        executed.update(compress(page_ids, kinds.translate(_IS_EXEC)))
        # Few records have another kind. A loop over those is quicker than another pass for each
        # kind.
        for page_id, kind in zip(compress(page_ids, kinds), other_kinds, strict=True):
            self.by_kind[kind].add(page_id)
        return len(self) - before

    def page_ids(self) -> Set[int]:
        """Return all pages, of every kind."""
        executed, *others = self.by_kind
        return executed.union(*others) if any(others) else executed

    def drop(self, page_ids: Iterable[int]) -> int:
        """Forget pages, and return how many records they had."""
        before = len(self)
        for pages in self.by_kind:
            pages.difference_update(page_ids)
        return before - len(self)


class Room:
    """What the volumes of one boot have of the limits: pages, records of open epochs, counters of
    pages (VolumeHeat), mappings of open epochs, and counters of mappings (HolderCounts)."""

    __slots__ = ("counters", "mapping_counters", "open_mappings", "open_records", "pages")

    def __init__(self) -> None:
        self.pages = self.open_records = self.counters = 0
        self.open_mappings = self.mapping_counters = 0


class VolumePages:
    """The pages of one volume in one boot. `page_ids` are those of the epochs that are over.

    `room` is shared by the volumes of the boot.
    """

    def __init__(self, room: Room | None = None) -> None:
        self._room = room or Room()
        self.page_ids: set[int] = set()
        self.ended = 0
        self.unfinished = 0
        self.unfinished_records = 0
        self.records = 0
        self.missing = 0
        self.beyond_limits = 0
        self._last_ended = 0
        self._open: dict[int, EpochPages] = {}

    @property
    def in_epoch(self) -> bool:
        """Whether pages have come for an epoch that has not ended."""
        return bool(self._open)

    def distinct_pages(self, known: Set[int] = frozenset()) -> int:
        """Return how many pages were seen so far, the running epoch included, without those that
        are `known` already."""
        running = set().union(*(pages.page_ids() for pages in self._open.values()))
        over = len(self.page_ids - known) if known else len(self.page_ids)
        return over + len(running - self.page_ids - known)

    def touch(self, message: Pages) -> None:
        """Take first touches. A record that comes twice in an epoch counts once."""
        self.records += len(message.page_ids)
        pages = self._open.get(message.epoch)
        if pages is None:
            if message.epoch <= self._last_ended:
                return
            pages = self._open[message.epoch] = EpochPages()
        if self._room.open_records >= PAGES_MAX:
            self.beyond_limits += len(message.page_ids)
        else:
            self._room.open_records += pages.add(message)
        # Close only after opening: the oldest epoch may be the one that this message has opened.
        if len(self._open) > OPEN_EPOCHS_MAX:
            self._close_unfinished(min(self._open))

    def end_epoch(self, message: EpochEnd) -> bool:
        """Close an epoch and count its missing records. Return False if the epoch has ended
        before."""
        if message.epoch <= self._last_ended:
            return False
        for earlier in sorted(epoch for epoch in self._open if epoch < message.epoch):
            self._close_unfinished(earlier)
        pages = self._taken(message.epoch)
        self.missing += max(0, sum(message.records) - len(pages))
        self.ended += 1
        self._last_ended = message.epoch
        self._fold(message.epoch, pages)
        return True

    def hold(self, message: Mappings) -> None:
        """Processes held these mappings. Only VolumeHeat counts them."""

    def mark(self, name: str) -> None:
        """A mark was set here. Only VolumeHeat has phases."""

    def finish(self) -> None:
        """No more messages will come. The pages of the running epochs count."""
        for epoch in sorted(self._open):
            self._close_unfinished(epoch)

    def _taken(self, epoch: int) -> EpochPages:
        """Return the pages of an open epoch, which is over."""
        pages = self._open.pop(epoch, None)
        if pages is None:
            return EpochPages()
        self._room.open_records -= len(pages)
        return pages

    def _close_unfinished(self, epoch: int) -> None:
        self.unfinished += 1
        self._last_ended = max(self._last_ended, epoch)
        pages = self._taken(epoch)
        self.unfinished_records += len(pages)
        self._fold(epoch, pages)

    def _fold(self, epoch: int, pages: EpochPages) -> None:
        """Add the pages of an epoch that is over. Epochs come in order."""
        room, known = PAGES_MAX - self._room.pages, len(self.page_ids)
        if len(pages) > room:
            self.beyond_limits += pages.drop(
                set(islice(pages.page_ids() - self.page_ids, room, None))
            )
        self.page_ids.update(*pages.by_kind)
        self._room.pages += len(self.page_ids) - known
