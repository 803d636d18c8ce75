# SPDX-License-Identifier: MIT
"""Tells which pages of a file a kernel can have in place: a file in, groups of offers out.

The pages that can be had together depend on the kernel. A model turns a file into groups of
offers. Of each group at most one offer is taken. Everything else is the same for all kernels.
Nothing is chosen here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from itertools import accumulate, chain
from math import ceil, inf
from typing import NamedTuple

from tinyprof.cramfs.kernel import KernelModel, judge
from tinyprof.cramfs.programs import mapped_parts
from tinyprof.plan.value import Candidate
from tinyprof.segments.runs import ItemChoice, choose_items, choose_runs, items_of


@dataclass(frozen=True, slots=True)
class Offer:
    """Pages of one file that go in place together or not at all, their cost in bytes of flash, and
    their value in bytes of RAM."""

    pages: Sequence[int]
    cost: int
    value: int


Offers = Sequence[Offer]
"""A group: at most one of these offers is taken. They stand in the order of their costs."""

Model = Callable[[Candidate], Sequence[Offers]]
"""Gives the groups of a file. A choice in one group does not affect the others."""


def any_page(file: Candidate) -> list[Offers]:
    """An offer for each page: a kernel with tinyprof's fault handler maps each by itself."""
    useful = _judged(file, "patched", file.uses)
    pages = [page for page in file.uses if page in useful and file.value(page)]
    return [(Offer((page,), file.cost(page), file.value(page)),) for page in pages]


def leading_runs(file: Candidate) -> list[Offers]:
    """An offer for each useful end of the run of pages that a mapping begins with: a stock kernel
    maps that run and no other."""
    groups: list[Offers] = []
    for pages in _parts(file, "mainline"):
        costs = list(accumulate(file.cost(page) for page in pages))
        values = list(accumulate(file.value(page) for page in pages))
        groups.append(
            [
                Offer(pages[: end + 1], costs[end], values[end])
                for end, page in enumerate(pages)
                if file.value(page)
            ]
        )
    return [offers for offers in groups if offers]


CUTS_MAX = 59
"""Cuts in one file, at most."""

WORK_MAX = 1 << 17
"""Pages that are priced for the offers of one file, over all prices of flash."""

CALLS_LEAST = 32
"""Prices of flash at which a file's pages are priced, at least, whatever their number."""

NEARLY_NOTHING = 1e-6
"""Bytes of RAM for a byte of flash. At this price everything that saves RAM is taken, and of two
ways to save the same RAM the one with less flash."""


def split_segment_offers(
    mapping: Callable[[int | None], float], max_runs: int | None = None
) -> Model:
    """Offers of runs of pages, for a stock kernel and split segments (docs/split-segments.md).

    `mapping` gives the RAM that one more mapping of a file costs, in bytes, for the number of
    processes that map it; None if that number is not known. A file has at most `max_runs` runs in
    place.

    Each offer is the best choice of runs at some price of flash. Together they are the convex hull
    of all choices, so their fractional optimum is that of all choices. Choices below the hull are
    not offered. Of a file with very many used pages a part of the hull is left out, and
    `Hull.missed` bounds the loss.
    """

    cuts_max = CUTS_MAX if max_runs is None else min(CUTS_MAX, max_runs - 1)

    def offers(file: Candidate) -> list[Offers]:
        if mapped_parts(file.head, file.size) is None:
            return leading_runs(file)
        parts = _parts(file, "mainline")
        if not any(map(file.value, file.uses)):
            return []
        pricing = _Pricing(file, parts, mapping(file.processes), cuts_max)
        hull = _hull(pricing.best_at, max(CALLS_LEAST, WORK_MAX // max(1, pricing.pages)))
        return [hull] if hull else []

    return offers


class _Choice(NamedTuple):
    """The best choice at some price of flash. Its pages are asked for only if it is offered."""

    cost: int
    value: int
    pages: Callable[[], tuple[int, ...]]

    def offer(self) -> Offer:
        return Offer(self.pages(), self.cost, self.value)


class _Pricing:
    """Finds the best runs of one file at any price of flash."""

    def __init__(
        self, file: Candidate, parts: Sequence[Sequence[int]], mapping: float, cuts_max: int
    ) -> None:
        self._parts, self._mapping, self._cuts_max = parts, mapping, cuts_max
        value_of = {page: file.value(page) for page in file.uses}
        self._costs = [[file.cost(page) for page in part] for part in parts]
        self._values = [[value_of.get(page, 0) for page in part] for part in parts]
        self._items = [
            items_of(values, costs)
            for values, costs in zip(self._values, self._costs, strict=True)
        ]
        self.pages = sum(map(len, parts))

    def best_at(self, flash: float) -> _Choice:
        """The best runs at a price of `flash` bytes of RAM for a byte of flash."""
        quick = choose_items(self._items, flash, self._mapping, self._cuts_max)
        if quick is None:
            return self._best_within(flash)
        cuts = round(self._mapping * quick.cuts)
        return _Choice(quick.cost, quick.value - cuts, partial(self._pages_of, quick))

    def _pages_of(self, choice: ItemChoice) -> tuple[int, ...]:
        of_parts = zip(self._parts, choice.page_runs, strict=True)
        return tuple(chain.from_iterable(part[run] for part, runs in of_parts for run in runs))

    def _best_within(self, flash: float) -> _Choice:
        """The best runs with no more cuts than a file may have."""
        choice = choose_runs(
            [
                [value - flash * cost for value, cost in zip(values, costs, strict=True)]
                for values, costs in zip(self._values, self._costs, strict=True)
            ],
            [self._mapping * cuts for cuts in range(self._cuts_max + 1)],
        )
        chosen = [(n, at) for n, found in enumerate(choice.pages) for at in found]
        return _Choice(
            sum(self._costs[n][at] for n, at in chosen),
            sum(self._values[n][at] for n, at in chosen) - round(self._mapping * choice.cuts),
            lambda: tuple(self._parts[n][at] for n, at in chosen),
        )


class Hull(list[Offer]):
    """Offers that are each the best at some price of flash.

    `missed`: bytes of RAM by which the best choice for any flash in between may lie above the line
    through these offers.
    """

    missed = 0


@dataclass(frozen=True, slots=True)
class _Gap:
    """The gap between two offers, each the best at a price of flash.

    No choice in the gap lies above the point where the lines of both prices meet.
    """

    less: Offer
    steep: float
    more: Offer
    flat: float

    @property
    def slope(self) -> float:
        return (self.more.value - self.less.value) / (self.more.cost - self.less.cost)

    @property
    def height(self) -> float:
        """Bytes of RAM from the line between the offers up to that point."""
        if self.steep <= self.flat:
            return 0.0
        run = self.more.cost - self.less.cost
        excess = self.more.value - self.less.value - self.flat * run
        return (
            excess
            if self.steep == inf
            else (self.steep - self.slope) * excess / (self.steep - self.flat)
        )


def _hull(best_at: Callable[[float], _Choice], calls: int) -> Hull:
    """The offers that are the best at some price of flash.

    1. Begin with the best offer at nearly no price, and the gap from nothing to it.
    2. Take the highest gap, and the price at which its two offers are equally good.
    3. If the best offer at that price lies above the line, keep it and split the gap at it.
    4. Repeat 2 and 3, at most `calls` times. The highest gap left is `missed`.
    """
    most = best_at(NEARLY_NOTHING).offer()
    if most.value <= 0:
        return Hull()
    found = Hull([most])
    gaps = [_Gap(Offer((), 0, 0), inf, most, NEARLY_NOTHING)]
    queue = [(-gaps[0].height, 0)]
    while queue and calls > 0:
        calls -= 1
        gap = gaps[heappop(queue)[1]]
        less, more, slope = gap.less, gap.more, gap.slope
        best = best_at(slope)
        # An offer on the line between the two is no better than they are.
        gain = (best.value - less.value) * (more.cost - less.cost)
        if less.cost < best.cost < more.cost and gain > (best.cost - less.cost) * (
            more.value - less.value
        ):
            offer = best.offer()
            found.append(offer)
            for part in (_Gap(less, gap.steep, offer, slope), _Gap(offer, slope, more, gap.flat)):
                heappush(queue, (-part.height, len(gaps)))
                gaps.append(part)
    found.missed = ceil(-queue[0][0]) if queue else 0
    found.sort(key=lambda offer: offer.cost)
    return found


def whole_parts(file: Candidate) -> list[Offers]:
    """An offer for each mapping as a whole: without an MMU it is in place so or not at all."""
    groups: list[Offers] = []
    for pages in _parts(file, "nommu"):
        value = sum(map(file.value, pages))
        if value:
            groups.append([Offer(pages, sum(map(file.cost, pages)), value)])
    return groups


def _judged(file: Candidate, kernel: KernelModel, pages: Collection[int]) -> frozenset[int]:
    judged = judge(kernel, file.head, file.size, pages, riscv_code=file.riscv_code)
    return judged.in_place


def _parts(file: Candidate, kernel: KernelModel) -> list[Sequence[int]]:
    """The pages of each mapping of a file that a kernel can have in place."""
    pages = range(len(file.stored))
    useful = _judged(file, kernel, pages)
    parts = mapped_parts(file.head, file.size)
    if parts is None:
        return [_as_range([page for page in pages if page in useful])]
    taken: set[int] = set()
    found: list[Sequence[int]] = []
    for part in parts:
        # A page that two mappings show is stored once. It belongs to the first.
        mine = [
            page
            for page in part.pages
            if page in useful and page not in taken and not part.writable
        ]
        taken.update(mine)
        found.append(_as_range(mine))
    return found


def _as_range(pages: list[int]) -> Sequence[int]:
    """The pages as a range if they are neighbours: a part of a range costs no memory."""
    if pages and pages[-1] - pages[0] == len(pages) - 1:
        return range(pages[0], pages[-1] + 1)
    return pages


MODELS: Mapping[str, Model] = {"patched": any_page, "mainline": leading_runs, "nommu": whole_parts}
"""The model of each kernel, for files that are not split."""

Offered = Sequence[tuple[str, Offers]]
"""The groups of all files, each with the path of its file."""


def offered_by(files: Sequence[Candidate], model: Model) -> Offered:
    """The groups of all these files."""
    return [(file.path, offers) for file in files for offers in model(file)]
