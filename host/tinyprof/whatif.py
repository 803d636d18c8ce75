# SPDX-License-Identifier: MIT
"""What flash would buy, page by page: a profile and an image's stored sizes in, a curve out.

It answers at once, for a screen and a report, where plan.py builds images and so needs the tree. It is about
a kernel that maps any page; costs are what pages take by themselves, so they are exact but for the placement.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from tinyprof.cramfs import PAGE_SIZE
from tinyprof.image_index import ImageIndex
from tinyprof.profile import Content, Profile
from tinyprof.worth import Candidate

StoredSizes = Mapping[Content, Sequence[int]]
"""What each page of a file takes as it is stored, in bytes, by the file's content."""


@dataclass(frozen=True, slots=True)
class Point:
    """So many pages in place cost bytes of flash, and save bytes of page cache in the steady state."""

    pages: int
    cost: int
    saves: int


def stored_sizes(index: ImageIndex) -> StoredSizes:
    """What an image's pages take; those of a split file under the program that a profile knows it by."""
    programs = ((file.built_from, file.stored) for file in index.files)
    return {
        (program.sha256, program.size): stored[: -(-program.size // PAGE_SIZE)]
        for program, stored in programs
    }


def candidates_of(profile: Profile, stored: StoredSizes) -> list[Candidate]:
    """The profile's files, in their order. Pages of a file that `stored` has not count as stored in nothing,
    so that what they cost is an upper bound."""
    return [
        Candidate(
            file.path,
            file.size,
            b"",
            stored.get((file.sha256, file.size)) or (0,) * -(-file.size // PAGE_SIZE),
            file.pages,
            profile.steady_of(file),
        )
        for file in profile.files
    ]


class WhatIf:
    """The curve of all pages that are worth anything, the most RAM for their flash first.

    `exact`: every file's stored sizes are known, else costs are upper bounds.
    """

    def __init__(self, candidates: Sequence[Candidate], *, exact: bool = True) -> None:
        self.exact = exact
        offers = [
            (value, file.cost(page), file.path, page)
            for file in candidates
            for page in file.uses
            if (value := file.value(page))
        ]
        offers.sort(key=lambda offer: (-offer[0] / offer[1], offer[2], offer[3]))
        self._pages = [(path, page) for _, _, path, page in offers]
        self._costs = list(accumulate(cost for _, cost, _, _ in offers))
        self._saves = list(accumulate(value for value, _, _, _ in offers))

    @property
    def everything(self) -> Point:
        """All pages that are worth anything."""
        return self._point(len(self._pages))

    def within(self, budget: int) -> Point:
        """The best pages whose cost together is at most `budget` bytes of flash."""
        return self._point(bisect_right(self._costs, budget))

    def pages_within(self, budget: int) -> dict[str, frozenset[int]]:
        """Those pages, by path."""
        found: dict[str, set[int]] = {}
        for path, page in self._pages[: bisect_right(self._costs, budget)]:
            found.setdefault(path, set()).add(page)
        return {path: frozenset(pages) for path, pages in found.items()}

    def points(self, steps: int) -> list[Point]:
        """The curve from nothing to everything, at even steps of flash."""
        most = self.everything.cost
        return [self.within(most * step // steps) for step in range(steps + 1)]

    def _point(self, pages: int) -> Point:
        return Point(pages, self._costs[pages - 1], self._saves[pages - 1]) if pages else Point(0, 0, 0)


def what_if(profile: Profile, stored: StoredSizes) -> WhatIf:
    """The curve of a profile."""
    exact = all((file.sha256, file.size) in stored for file in profile.files)
    return WhatIf(candidates_of(profile, stored), exact=exact)
