# SPDX-License-Identifier: MIT
"""What a kernel can have of a file in place: a file and its pages' worth in, groups of offers out.

Which pages can be had together depends on who maps them. A model turns a file into groups of
offers, of each of which one or none is taken; everything else is the same for all kernels. Nothing
is chosen here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import accumulate
from math import ceil, inf

from tinyprof.cramfs.kernel import KernelModel, judge
from tinyprof.cramfs.programs import mapped_parts
from tinyprof.plan.value import Candidate
from tinyprof.segments.runs import choose_runs


@dataclass(frozen=True, slots=True)
class Offer:
    """Pages of one file that go in place together, or not."""

    pages: Sequence[int]
    cost: int
    value: int


Offers = Sequence[Offer]
"""Of these one or none is taken, in the order of their costs."""

Model = Callable[[Candidate], Sequence[Offers]]
"""What a kernel can map of a file, as groups of which each can be chosen by itself."""


def any_page(file: Candidate) -> list[Offers]:
    """A kernel with tinyprof's fault handler maps every page for itself."""
    useful = judge("patched", file.head, file.size, file.uses).in_place
    pages = [page for page in file.uses if page in useful and file.value(page)]
    return [(Offer((page,), file.cost(page), file.value(page)),) for page in pages]


def leading_runs(file: Candidate) -> list[Offers]:
    """A stock kernel maps the run that a mapping begins with: an offer for each end of it that is
    of use."""
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


CUTS_MAX = 60
WORK_MAX = 1 << 17
"""Pages looked at for the offers of one file, each time they are priced: about a second's."""

CALLS_LEAST = 32
"""So often a file's pages are priced, however many they are."""

NEARLY_NOTHING = 1e-6
"""A price of flash at which all is taken that saves RAM, and of two ways to save as much the
cheaper one."""


def split_segment_offers(mapping: Callable[[int | None], float]) -> Model:
    """A stock kernel, with segments split (docs/split-segments.md): offers of runs of a file's
    pages.

    `mapping` says how many bytes of RAM one more mapping of a file costs that so many processes
    map; None: that is not known. Each offer is the best choice of runs at some price of flash, and
    together they are all that are the best at any: the convex hull of all choices. So their
    fractional optimum is that of all choices, and what lies below the hull is not offered. Of a
    file with very many used pages some are left out, and how much that may cost is told.
    """

    def offers(file: Candidate) -> list[Offers]:
        if mapped_parts(file.head, file.size) is None:
            return leading_runs(file)
        parts = _parts(file, "mainline")
        price = mapping(file.processes)
        prices = [price * cuts for cuts in range(CUTS_MAX)]
        costs = [[file.cost(page) for page in part] for part in parts]
        values = [[file.value(page) for page in part] for part in parts]

        def best_at(flash: float) -> Offer:
            worths = [
                [value - flash * cost for value, cost in zip(of_part, paid, strict=True)]
                for of_part, paid in zip(values, costs, strict=True)
            ]
            choice = choose_runs(worths, prices)
            chosen = [(n, at) for n, found in enumerate(choice.pages) for at in found]
            return Offer(
                tuple(parts[n][at] for n, at in chosen),
                sum(costs[n][at] for n, at in chosen),
                sum(values[n][at] for n, at in chosen) - round(prices[choice.cuts]),
            )

        hull = _hull(best_at, max(CALLS_LEAST, WORK_MAX // max(1, sum(map(len, parts)))))
        return [hull] if hull else []

    return offers


class Hull(list[Offer]):
    """Offers that are the best at some price of flash.

    `missed`: by how many bytes of RAM at most the best for any flash in between is above the line
    through these.
    """

    missed = 0


@dataclass(frozen=True, slots=True)
class _Gap:
    """What may lie between two offers, each the best at a price: nothing above where both prices
    lead."""

    less: Offer
    steep: float
    more: Offer
    flat: float

    @property
    def slope(self) -> float:
        return (self.more.value - self.less.value) / (self.more.cost - self.less.cost)

    @property
    def height(self) -> float:
        """The corner of the two prices above the line between the offers."""
        if self.steep <= self.flat:
            return 0.0
        run = self.more.cost - self.less.cost
        excess = self.more.value - self.less.value - self.flat * run
        return (
            excess
            if self.steep == inf
            else (self.steep - self.slope) * excess / (self.steep - self.flat)
        )


def _hull(best_at: Callable[[float], Offer], calls: int) -> Hull:
    """The offers that are the best at some price, by the price at which two of them are alike.

    The widest gap comes first, so that what so many calls leave open is little.
    """
    most = best_at(NEARLY_NOTHING)
    if most.value <= 0:
        return Hull()
    found = Hull([most])
    gaps = [_Gap(Offer((), 0, 0), inf, most, NEARLY_NOTHING)]
    queue = [(-gaps[0].height, 0)]
    while queue and calls > 0:
        calls -= 1
        gap = gaps[heappop(queue)[1]]
        less, more, slope = gap.less, gap.more, gap.slope
        offer = best_at(slope)
        # Beyond the line between the two, not on it.
        gain = (offer.value - less.value) * (more.cost - less.cost)
        if less.cost < offer.cost < more.cost and gain > (offer.cost - less.cost) * (
            more.value - less.value
        ):
            found.append(offer)
            for part in (_Gap(less, gap.steep, offer, slope), _Gap(offer, slope, more, gap.flat)):
                heappush(queue, (-part.height, len(gaps)))
                gaps.append(part)
    found.missed = ceil(-queue[0][0]) if queue else 0
    found.sort(key=lambda offer: offer.cost)
    return found


def whole_parts(file: Candidate) -> list[Offers]:
    """Without an MMU a mapping is in place as a whole or not at all."""
    groups: list[Offers] = []
    for pages in _parts(file, "nommu"):
        value = sum(map(file.value, pages))
        if value:
            groups.append([Offer(pages, sum(map(file.cost, pages)), value)])
    return groups


def _parts(file: Candidate, kernel: KernelModel) -> list[Sequence[int]]:
    """The pages of each mapping of a file that such a kernel can have in place."""
    pages = range(len(file.stored))
    useful = judge(kernel, file.head, file.size, pages).in_place
    parts = mapped_parts(file.head, file.size)
    if parts is None:
        return [_as_range([page for page in pages if page in useful])]
    taken: set[int] = set()
    found: list[Sequence[int]] = []
    for part in parts:
        # A page that two mappings show is stored once: it belongs to the first.
        mine = [
            page
            for page in part.pages
            if page in useful and page not in taken and not part.writable
        ]
        taken.update(mine)
        found.append(_as_range(mine))
    return found


def _as_range(pages: list[int]) -> Sequence[int]:
    """Neighbours as a range, of which a part costs no memory."""
    if pages and pages[-1] - pages[0] == len(pages) - 1:
        return range(pages[0], pages[-1] + 1)
    return pages


MODELS: Mapping[str, Model] = {"patched": any_page, "mainline": leading_runs, "nommu": whole_parts}

Offered = Sequence[tuple[str, Offers]]
"""The groups of all files, with their paths."""


def offered_by(files: Sequence[Candidate], model: Model) -> Offered:
    """What a kernel can have of these files."""
    return [(file.path, offers) for file in files for offers in model(file)]
