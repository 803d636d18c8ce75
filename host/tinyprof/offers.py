# SPDX-License-Identifier: MIT
"""What a kernel can have of a file in place: a file and its pages' worth in, groups of offers out.

Which pages can be had together depends on who maps them. A model turns a file into groups of offers, of each
of which one or none is taken; everything else is the same for all kernels. Nothing is chosen here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from tinyprof.cramfs import KernelModel, judge, mapped_parts
from tinyprof.runs import choose_runs
from tinyprof.worth import Candidate


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
    """A stock kernel maps the run that a mapping begins with: an offer for each end of it that is of use."""
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


FLASH_PRICES = tuple(2.0**power for power in range(-9, 5))
"""Bytes of RAM for a byte of flash at which split_runs() makes an offer: from next to nothing to too dear."""

CUTS_MAX = 60


def split_runs(mapping: float) -> Model:
    """A stock kernel, with segments split (docs/split-segments.md): an offer for each price of flash.

    A mapping costs `mapping` bytes of RAM. Each offer is the best choice of runs at one price, so together
    they are the convex hull of all choices, which is what choose() goes along.
    """
    prices = [mapping * cuts for cuts in range(CUTS_MAX)]

    def offers(file: Candidate) -> list[Offers]:
        if mapped_parts(file.head, file.size) is None:
            return leading_runs(file)
        parts = _parts(file, "mainline")
        found: dict[tuple[int, ...], Offer] = {}
        for flash in FLASH_PRICES:
            worths = [[file.value(page) - flash * file.cost(page) for page in part] for part in parts]
            choice = choose_runs(worths, prices)
            pages = tuple(part[at] for part, chosen in zip(parts, choice.pages, strict=True) for at in chosen)
            saved = sum(map(file.value, pages)) - round(prices[choice.cuts])
            if saved > 0:
                found[pages] = Offer(pages, sum(map(file.cost, pages)), saved)
        rising: list[Offer] = []
        for offer in sorted(found.values(), key=lambda offer: (offer.cost, -offer.value)):
            if not rising or offer.value > rising[-1].value:
                rising.append(offer)
        return [rising] if rising else []

    return offers


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
        mine = [page for page in part.pages if page in useful and page not in taken and not part.writable]
        taken.update(mine)
        found.append(_as_range(mine))
    return found


def _as_range(pages: list[int]) -> Sequence[int]:
    """Neighbours as a range, of which a part costs no memory."""
    if pages and pages[-1] - pages[0] == len(pages) - 1:
        return range(pages[0], pages[-1] + 1)
    return pages


MODELS: Mapping[str, Model] = {"patched": any_page, "mainline": leading_runs, "nommu": whole_parts}
