# SPDX-License-Identifier: MIT
"""Program counters: addresses and an image in, the messages of a target that saw these pages out.

An emulator, a trace probe or a debugger tells addresses of code. Where the code is executed in
place, such an address is one in flash, and so tells a page of the image. No agent is needed.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tinyprof.cramfs.format import EntryKind
from tinyprof.cramfs.reading.directory import Entry, distinct_contents
from tinyprof.cramfs.reading.reader import Image
from tinyprof.errors import TinyprofError
from tinyprof.pages import PAGE_SIZE, Kind
from tinyprof.wire.messages import PROTOCOL, EpochEnd, Hello, Message, Pages, Volume
from tinyprof.wire.source import ALONE, COUNTERS, SAMPLED, TouchSource

PAGES_IN_MESSAGE = 32
"""Touches of one message, so that it fits a frame wherever its pages are."""

COUNT_MAX = 1 << 40
"""Times that a line may count an address."""

_FORMATS = (
    # A line of QEMU's -d exec, of its execlog plugin, and an address with or without a count.
    re.compile(rb"Trace \d+: (?:0x)?[0-9a-f]+ \[[0-9a-f]+/([0-9a-f]{1,16})/"),
    re.compile(rb"\d+, 0x([0-9a-f]{1,16}), 0x[0-9a-f]+"),
    re.compile(rb"\s*(?:0[xX])?([0-9a-fA-F]{1,16})(?:[\s,;]+(\d{1,13}))?\s*\Z"),
)


class CounterError(TinyprofError):
    """Samples that cannot become epochs."""


@dataclass(frozen=True, slots=True)
class Sample:
    """An address of the processor, and the number of times that it was seen. It may be 0."""

    address: int
    count: int


def samples_in(lines: Iterable[bytes]) -> Iterator[Sample | None]:
    """The sample of each line; None for a line without an address."""
    for line in lines:
        found = next((it for form in _FORMATS if (it := form.match(line))), None)
        if found is None:
            yield None
            continue
        count = int(found[2]) if found.re is _FORMATS[2] and found[2] else 1
        yield Sample(int(found[1], 16), min(count, COUNT_MAX))


class Places:
    """The pages in place of an image, by their bytes in it."""

    def __init__(self, image: Image) -> None:
        found = {
            block.offset: (entry, page)
            for entry in distinct_contents(image.entries)
            if entry.kind is EntryKind.FILE
            for page, block in enumerate(image.blocks(entry))
            if block.in_place
        }
        self._offsets = sorted(found)
        self._pages = [found[offset] for offset in self._offsets]

    def __len__(self) -> int:
        return len(self._offsets)

    def at(self, offset: int) -> tuple[Entry, int] | None:
        """The file whose page in place holds a byte of the image, and the byte in the file."""
        number = bisect_right(self._offsets, offset) - 1
        if number < 0 or offset - self._offsets[number] >= PAGE_SIZE:
            return None
        entry, page = self._pages[number]
        return entry, page * PAGE_SIZE + offset - self._offsets[number]


@dataclass(slots=True)
class SampleTally:
    """Samples by the place of their address, and the lines without an address."""

    in_place: int = 0
    elsewhere: int = 0
    outside: int = 0
    lines: int = 0
    epochs: int = 0
    bytes_seen: Counter[tuple[Entry, int]] = field(default_factory=Counter)
    first_seen: dict[tuple[Entry, int], int] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """All samples."""
        return self.in_place + self.elsewhere + self.outside


class CounterTarget:
    """A target that is played from samples.

    `base` is the processor's address of the image's first byte, and `boot_id` its boot's. An epoch
    has `epoch` samples; without it all samples are one epoch. `tally` is filled while the messages
    are taken.
    """

    def __init__(self, image: Image, base: int, boot_id: bytes, epoch: int | None = None) -> None:
        self.tally = SampleTally()
        self._image, self._base, self._boot_id, self._length = image, base, boot_id, epoch
        self._places = Places(image)
        self._total = 0

    def messages(self, samples: Iterable[Sample | None]) -> Iterator[Message]:
        """The messages: a hello, and the pages and the end of each epoch.

        `samples` has one for each line. Raises CounterError for a count above 1 where an epoch has
        a number of samples: a count does not tell when its samples were taken.
        """
        yield self._hello()
        pages: dict[int, None] = {}
        taken = 0
        for line, sample in enumerate(samples, start=1):
            if sample is None:
                self.tally.lines += 1
                continue
            if not sample.count:
                continue
            if self._length and sample.count > 1:
                raise CounterError(
                    f"line {line}: a count of {sample.count:,} cannot be divided into epochs",
                    "leave out --epoch, or give each sample a line of its own",
                )
            if (page_id := self._page_id(sample)) is not None:
                pages.setdefault(page_id)
            taken += sample.count
            if self._length and taken >= self._length:
                yield from self._epoch(pages)
                pages, taken = {}, 0
        if taken:
            yield from self._epoch(pages)

    def _hello(self) -> Hello:
        superblock = self._image.superblock
        volume = Volume(0, superblock.fsid, superblock.size, "program counters", True)
        rearm = SAMPLED if self._length else 0
        source = TouchSource(COUNTERS, rearm, ALONE, 1 << Kind.EXEC, False)
        facts = (PROTOCOL, "program counters", "", "", PAGE_SIZE, self._boot_id, 0, 1)
        return Hello(*facts, (volume,), source=source)

    def _page_id(self, sample: Sample) -> int | None:
        """The page id of a sample's page. None: no page in place is there."""
        offset = sample.address - self._base
        if not 0 <= offset < self._image.superblock.size:
            self.tally.outside += sample.count
            return None
        found = self._places.at(offset)
        if found is None:
            self.tally.elsewhere += sample.count
            return None
        entry, at = found
        self.tally.first_seen.setdefault(found, self.tally.samples)
        self.tally.bytes_seen[found] += sample.count
        self.tally.in_place += sample.count
        return entry.page_id(at // PAGE_SIZE)

    def _epoch(self, pages: Iterable[int]) -> Iterator[Message]:
        self.tally.epochs += 1
        epoch, ids = self.tally.epochs, tuple(pages)
        for start in range(0, len(ids), PAGES_IN_MESSAGE):
            some = ids[start : start + PAGES_IN_MESSAGE]
            yield Pages(0, epoch, epoch, some, bytes([Kind.EXEC]) * len(some))
        self._total += len(ids)
        yield EpochEnd(0, epoch, epoch, (len(ids), 0, 0, 0), self._total % (1 << 32))
