# SPDX-License-Identifier: MIT
"""The pages in place: runs of pages in, their places in one region out, each stored once if it can be.

A patched kernel maps each page for itself, so equal pages share one place. The others map only what lies in
one piece, so there a run is stored whole, unless the region already holds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tinyprof.cramfs.format import PAGE_SIZE

CANDIDATES_MAX = 8
"""How many places a run is looked for at: a page of zeros may be at thousands."""


class Region:
    """Slots of one page each, in the order in which they stand in the image."""

    def __init__(self, *, by_page: bool) -> None:
        self._by_page = by_page
        self._places: dict[bytes, list[int]] = {}
        self.pages: list[bytes] = []

    def place(self, pages: Mapping[int, bytes]) -> dict[int, int]:
        """The slot of each page of a file: its pages in place by index, the last one perhaps short."""
        slots: dict[int, int] = {}
        for first, run in _runs(pages, one_by_one=self._by_page):
            slot = self._find(run)
            if slot is None:
                slot = self._append(run)
            slots.update((first + step, slot + step) for step in range(len(run)))
        return slots

    def _find(self, run: list[bytes]) -> int | None:
        for slot in self._places.get(run[0], ())[:CANDIDATES_MAX]:
            if self.pages[slot : slot + len(run)] == run:
                return slot
        return None

    def _append(self, run: list[bytes]) -> int:
        slot = len(self.pages)
        for step, page in enumerate(run):
            self._places.setdefault(page, []).append(slot + step)
        self.pages += run
        return slot


def _runs(pages: Mapping[int, bytes], *, one_by_one: bool) -> Iterator[tuple[int, list[bytes]]]:
    """The runs of neighbours, each page filled up with zeros so that it can be mapped to its end."""
    first, run = 0, list[bytes]()
    for index in sorted(pages):
        if run and (one_by_one or index != first + len(run)):
            yield first, run
            run = []
        first = first if run else index
        run.append(pages[index].ljust(PAGE_SIZE, b"\0"))
    if run:
        yield first, run
