# SPDX-License-Identifier: MIT
"""Collects the pages in place: runs of pages in, their places in one region out.

1. A kernel with tinyprof's fault handler maps each page for itself, so equal pages share one
   place.
2. A stock kernel maps only pages that lie in one piece, so a run of pages is stored whole, unless
   the region already holds this very run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

from tinyprof.pages import PAGE_SIZE

CANDIDATES_MAX = 8
"""Places at which a run of pages is looked for. A page of zeros may be at thousands."""

CHUNK_PAGES = 256
"""Pages in one piece of memory. The allocator gives pieces back one by one while the region is
written."""


class Region:
    """Slots of one page each, in the order in which they stand in the image.

    `keys` has the digest of each page.
    """

    def __init__(self, *, by_page: bool) -> None:
        self._by_page = by_page
        self._places: dict[bytes, list[int]] = {}
        self._chunks: list[bytearray] = []
        self.keys: list[bytes] = []

    def __len__(self) -> int:
        return len(self.keys)

    def place(self, pages: Mapping[int, bytes], keys: Sequence[bytes]) -> dict[int, int]:
        """The slot of each page in place of a file. `keys` are the digests of all its pages."""
        slots: dict[int, int] = {}
        for run in _runs(pages, one_by_one=self._by_page):
            wanted = [keys[index] for index in run]
            slot = self._find(wanted)
            if slot is None:
                slot = len(self.keys)
                for index in run:
                    self._append(keys[index], pages[index])
            slots.update((index, slot + step) for step, index in enumerate(run))
        return slots

    def _find(self, wanted: list[bytes]) -> int | None:
        for slot in self._places.get(wanted[0], ())[:CANDIDATES_MAX]:
            if self.keys[slot : slot + len(wanted)] == wanted:
                return slot
        return None

    def _append(self, key: bytes, page: bytes) -> None:
        slot = len(self.keys)
        if slot % CHUNK_PAGES == 0:
            self._chunks.append(bytearray(CHUNK_PAGES * PAGE_SIZE))
        at = slot % CHUNK_PAGES * PAGE_SIZE
        # Zeros follow a last page that is not whole, so that it can be mapped to its end.
        self._chunks[-1][at : at + len(page)] = page
        self._places.setdefault(key, []).append(slot)
        self.keys.append(key)

    def write_to(self, out: BinaryIO) -> None:
        """Append the pages to `out` and free their memory."""
        left = len(self.keys) * PAGE_SIZE
        for number, chunk in enumerate(self._chunks):
            self._chunks[number] = bytearray()
            out.write(memoryview(chunk)[:left])
            left -= len(chunk)


def _runs(pages: Mapping[int, bytes], *, one_by_one: bool) -> Iterator[range]:
    """The runs of neighbouring pages, or a run for each page."""
    run = range(0)
    for index in sorted(pages):
        if run and (one_by_one or index != run.stop):
            yield run
            run = range(0)
        run = range(run.start if run else index, index + 1)
    if run:
        yield run
