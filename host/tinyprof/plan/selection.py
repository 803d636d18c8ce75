# SPDX-License-Identifier: MIT
"""The choice among all files' offers: they and a target in; the pages chosen and their worth out.

Costs are what pages take by themselves, so this is about sums of them, and plan.py about images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tinyprof.plan.knapsack import Choice, Option, choose, choose_for
from tinyprof.plan.offers import Hull, Offer, Offered, Offers

RAM_PRICE = 64
"""Without a budget an option is taken if a byte of RAM is worth at least this many bytes of
flash."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for: at most so many bytes of flash for pages in place, or at least so many of
    RAM saved.

    Neither: everything that pays at `ram_price` bytes of flash for a byte of RAM.
    """

    flash: int | None = None
    ram: int | None = None
    ram_price: float = RAM_PRICE


@dataclass(frozen=True, slots=True)
class Selection:
    """What was chosen: pages by path, and their offers' costs and values.

    `bound`: the fractional optimum, where parts of offers could be had; `ceiling`: what no choice
    of offers can exceed. Where RAM was asked for, both are costs that none can stay below. Not
    `reached`: all pages together save less RAM than was asked for; then everything is chosen.
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
        """What it reaches of the fractional optimum, 1 being all."""
        return self._of(self.bound)

    @property
    def of_best(self) -> float:
        """What it reaches of the best choice of offers, at least: 1 where none is better."""
        return self._of(self.ceiling)

    def _of(self, limit: float) -> float:
        if self.for_ram:
            return limit / self.cost if self.cost else 1.0
        return self.value / limit if limit else 1.0


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
    """The offers up to the last whose every byte beyond the one before is worth its price."""
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
