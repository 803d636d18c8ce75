# SPDX-License-Identifier: MIT
"""Chooses among the offers of all files: offers and a target in, the chosen pages out.

Costs are the bytes that pages take one by one. planner.py turns them into sizes of images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tinyprof.cramfs.kernel import KernelModel
from tinyprof.cramfs.tree import Tree
from tinyprof.plan.knapsack import Choice, Option, choose, choose_for
from tinyprof.plan.offers import (
    MODELS,
    Hull,
    Model,
    Offer,
    Offered,
    Offers,
    offered_by,
    split_segment_offers,
)
from tinyprof.plan.value import candidates_in, pages_that_pay
from tinyprof.rootfs.match import Match
from tinyprof.segments.split_tree import Splitting, SplitTree, StoredSize, split_tree

RAM_PRICE = 64
"""Bytes of flash. Without a budget an offer is taken if each byte of RAM that it saves costs no
more than this."""


@dataclass(frozen=True, slots=True)
class Target:
    """The aim of a choice, one of

    1. `flash`: spend at most this many bytes of flash on pages in place;
    2. `ram`: save at least this many bytes of RAM;
    3. neither: take everything that pays at `ram_price` bytes of flash for a byte of RAM.
    """

    flash: int | None = None
    ram: int | None = None
    ram_price: float = RAM_PRICE


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen pages by path, and the sums of their offers' costs and values.

    - `bound`: the fractional optimum, the value if parts of offers could be taken.
    - `ceiling`: a value that no choice of offers exceeds.
    - `for_ram`: RAM was asked for. Then `bound` and `ceiling` are costs, and no choice costs less.
    - `reached`: false if all pages together save less RAM than asked for. Then all are chosen.
    """

    pages: Mapping[str, frozenset[int]]
    cost: int
    value: int
    bound: float
    ceiling: int
    reached: bool = True
    for_ram: bool = False
    offers: Offered = field(default=(), repr=False)

    @property
    def of_bound(self) -> float:
        """The share of the fractional optimum that the choice reaches; 1 is all of it."""
        return self._of(self.bound)

    @property
    def of_best(self) -> float:
        """The share of the best choice that this one reaches at least; 1 if none is better."""
        return self._of(self.ceiling)

    def _of(self, limit: float) -> float:
        if self.for_ram:
            return limit / self.cost if self.cost else 1.0
        return self.value / limit if limit else 1.0


def choose_by_profile(
    tree: Tree,
    match: Match,
    sizes: StoredSize,
    kernel: KernelModel,
    splitting: Splitting | None = None,
    *,
    riscv_code: bool = False,
) -> SplitTree:
    """The pages to store in place without a budget, and the tree to build: split or as it is.

    1. Without `splitting`: all offers that pay at RAM_PRICE (select_all()).
    2. With `splitting`: all runs of pages that pay at its prices (split_all()).

    `tinyprof plan` and `tinyprof build --profile` choose by these two rules. `riscv_code` is that
    of WriteOptions. Raises TreeError.
    """
    if splitting:
        return split_all(tree, match, sizes, splitting)
    files = candidates_in(match, sizes, kernel, riscv_code=riscv_code)
    offered = offered_by(files, MODELS[kernel])
    return SplitTree(tree, select_all(offered).pages)


def model_of(kernel: KernelModel, splitting: Splitting | None) -> Model:
    """The offers of a file for a kernel, and where it may be split."""
    if splitting:
        return split_segment_offers(splitting.prices.mapping, splitting.max_runs)
    return MODELS[kernel]


def select_all(offered: Offered) -> Selection:
    """All offers that pay."""
    return select(offered, Target())


def split_all(tree: Tree, match: Match, sizes: StoredSize, splitting: Splitting) -> SplitTree:
    """The tree with segments split for all pages that pay."""
    pages, how = pages_that_pay(match), (splitting.prices, splitting.max_runs)
    return split_tree(tree, pages, sizes, *how, match.processes)


def select(offered: Offered, target: Target) -> Selection:
    """Choose pages for a target."""
    if target.flash is None and target.ram is None:
        offered = [(path, _paying(offers, target.ram_price)) for path, offers in offered]
        offered = [(path, offers) for path, offers in offered if offers]
    groups = [[Option(offer.cost, offer.value) for offer in offers] for _, offers in offered]
    everything = sum(offers[-1].cost for _, offers in offered)
    reached = True
    missed = sum(offers.missed for _, offers in offered if isinstance(offers, Hull))
    if target.ram is not None:
        found = choose_for(groups, target.ram)
        reached = found is not None
        choice = found or choose(groups, everything)
        if found and missed and (easier := choose_for(groups, max(0, target.ram - missed))):
            choice = replace(choice, bound=easier.bound, ceiling=easier.ceiling)
    else:
        choice = choose(groups, everything if target.flash is None else target.flash)
        choice = replace(choice, bound=choice.bound + missed, ceiling=choice.ceiling + missed)
    return _selection(offered, choice, reached, target.ram is not None)


def _paying(offers: Offers, price: float) -> Offers:
    """The offers whose bytes beyond the one before are worth their price."""
    best: list[Offer] = []
    for offer in offers:
        gain, paid = (offer.value, offer.cost)
        if best:
            gain, paid = offer.value - best[-1].value, offer.cost - best[-1].cost
        if gain * price >= paid:
            best.append(offer)
    return best


def _selection(offered: Offered, choice: Choice, reached: bool, for_ram: bool) -> Selection:
    pages: dict[str, set[int]] = {}
    for (path, offers), option in zip(offered, choice.taken, strict=True):
        if option >= 0:
            pages.setdefault(path, set()).update(offers[option].pages)
    frozen = {path: frozenset(found) for path, found in sorted(pages.items())}
    return Selection(
        frozen,
        choice.cost,
        choice.value,
        choice.bound,
        choice.ceiling,
        reached,
        for_ram,
        offered,
    )
