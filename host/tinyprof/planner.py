# SPDX-License-Identifier: MIT
"""The planner: what a profile knows of a tree's files and a budget in, the pages to store in place out.

A page is worth the page cache that it would otherwise take, times the share of the steady state in which it
was in use. It costs what storing it uncompressed takes. Which pages can be had together depends on who maps
them: a model turns a file into groups of options (knapsack), and everything else is the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from tinyprof.cramfs import PAGE_SIZE, KernelModel, judge, mapped_parts
from tinyprof.knapsack import Choice, Option, choose, choose_for
from tinyprof.profile import PageUse
from tinyprof.runs import choose_runs

PLACEMENT_COST = 4
"""What a page in place adds beside its own bytes, at most: the block behind it then carries its own size, two
bytes, and begins on a word (layout.Layout)."""

ONCE_SHARE = 1 / 64
"""What a page that the steady state never used is worth: it takes RAM until it is dropped."""

RAM_PRICE = 64
"""Without a budget an option is taken if a byte of RAM is worth at least this many bytes of flash."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file of the tree of which pages may go in place.

    `head` is its first page. `stored[i]` is what page i takes when it is compressed, in bytes; `uses` are its
    used pages, `steady` the epochs of the steady state that they are counted in.
    """

    path: str
    size: int
    head: bytes
    stored: Sequence[int]
    uses: Mapping[int, PageUse]
    steady: int

    def value(self, page: int) -> int:
        """What the page is worth in place, in bytes of RAM; 0 where it would be in the page cache anyway."""
        use = self.uses.get(page)
        if use is None or use.mapped is None or self.is_cached_anyway(page):
            return 0
        share = use.mapped.steady / self.steady if self.steady else 0.0
        return round(PAGE_SIZE * min(1.0, max(share, ONCE_SHARE)))

    def is_cached_anyway(self, page: int) -> bool:
        """Whether read() or a private copy brings the page into the page cache wherever it is stored.

        If only start-up does so, it is there no longer once memory was needed.
        """
        use = self.uses[page]
        cached, mapped = use.cached, use.mapped
        return cached is not None and (bool(cached.steady) or not (mapped and mapped.steady))

    def cost(self, page: int) -> int:
        """What the page costs in place, in bytes of flash, at most."""
        return max(1, PAGE_SIZE - self.stored[page] + PLACEMENT_COST)


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
    pages = [page for page in file.uses if file.value(page)]
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


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for: at most so many bytes of flash for pages in place, or at least so many of RAM saved.

    Neither: everything that pays at `ram_price` bytes of flash for a byte of RAM.
    """

    flash: int | None = None
    ram: int | None = None
    ram_price: float = RAM_PRICE


@dataclass(frozen=True, slots=True)
class Selection:
    """What was chosen: pages by path, and their offers' costs and values.

    `bound`: no choice of pages can be worth more (or, where RAM was asked for, cost less). Not `reached`:
    all pages together save less RAM than was asked for; then everything is chosen.
    """

    pages: Mapping[str, frozenset[int]]
    cost: int
    value: int
    bound: float
    reached: bool = True
    for_ram: bool = False
    offers: tuple[tuple[str, Offers], ...] = field(default=(), repr=False)

    @property
    def of_bound(self) -> float:
        """How good it is: 1 where nothing can be better."""
        if self.for_ram:
            return self.bound / self.cost if self.cost else 1.0
        return self.value / self.bound if self.bound else 1.0


def select(files: Sequence[Candidate], model: Model, target: Target) -> Selection:
    """Choose pages for a target."""
    offered = [(file.path, offers) for file in files for offers in model(file)]
    if target.flash is None and target.ram is None:
        offered = [(path, _paying(offers, target.ram_price)) for path, offers in offered]
        offered = [(path, offers) for path, offers in offered if offers]
    groups = [[Option(offer.cost, offer.value) for offer in offers] for _, offers in offered]
    everything = sum(offers[-1].cost for _, offers in offered)
    reached = True
    if target.ram is not None:
        found = choose_for(groups, target.ram)
        reached = found is not None
        choice = found or choose(groups, everything)
    else:
        choice = choose(groups, everything if target.flash is None else target.flash)
    return _selection(offered, choice, reached, target.ram is not None)


def _paying(offers: Offers, price: float) -> Offers:
    """The offers up to the last whose every byte beyond the one before is worth its price."""
    best: list[Offer] = []
    for offer in offers:
        gain, paid = (offer.value, offer.cost)
        if best:
            gain, paid = offer.value - best[-1].value, offer.cost - best[-1].cost
        if gain * price >= paid:
            best.append(offer)
    return best


def _selection(
    offered: Sequence[tuple[str, Offers]], choice: Choice, reached: bool, for_ram: bool
) -> Selection:
    pages: dict[str, set[int]] = {}
    for (path, offers), option in zip(offered, choice.taken, strict=True):
        if option >= 0:
            pages.setdefault(path, set()).update(offers[option].pages)
    frozen = {path: frozenset(found) for path, found in sorted(pages.items())}
    return Selection(frozen, choice.cost, choice.value, choice.bound, reached, for_ram, tuple(offered))
