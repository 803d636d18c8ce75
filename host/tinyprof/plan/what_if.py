# SPDX-License-Identifier: MIT
"""The RAM that flash would buy: a profile and an image's stored sizes in, a curve out.

It answers at once, for a screen and a report. planner.py is exact, but builds images and so needs
the tree. Costs are the bytes that pages take one by one, so they are exact but for the placement.
A stock kernel maps pages by the segments of programs, which an image's index does not have. For
its curve the files must be at hand.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from typing import NamedTuple

from tinyprof.capture.index import StoredSizes
from tinyprof.cramfs.kernel import KernelModel
from tinyprof.pages import pages_in
from tinyprof.plan.knapsack import Option, rising
from tinyprof.plan.offers import (
    Model,
    Offer,
    any_page,
    leading_runs,
    split_segment_offers,
    whole_parts,
)
from tinyprof.plan.value import Candidate
from tinyprof.profile.model import FileUse, Profile
from tinyprof.segments.split_tree import Prices

HeadOf = Callable[[FileUse], bytes | None]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kind of kernel: its name, its rule in words and as a model, and the options of `tinyprof
    build` for it."""

    name: str
    what: str
    model: Model
    build: str

    @property
    def maps_any_page(self) -> bool:
        """Whether pages may be chosen one by one, so that nothing but the profile is needed."""
        return self.model is any_page


KERNELS = (
    Kernel("patched", "maps any page", any_page, ""),
    Kernel("mainline", "maps the leading run of each segment", leading_runs, " --kernel mainline"),
    Kernel(
        "split",
        "maps runs of split segments",
        split_segment_offers(Prices().mapping),
        " --split-segments",
    ),
    Kernel("nommu", "maps whole segments or nothing", whole_parts, " --kernel nommu"),
)
NOTHING = Offer((), 0, 0)


class Step(NamedTuple):
    """One step up the curve, with its further cost and saving in bytes.

    `pages` are all pages of `path` that the group then has in place; `more` of them are new.
    """

    cost: int
    saves: int
    path: str
    pages: Sequence[int]
    more: int
    group: int


@dataclass(frozen=True, slots=True)
class Point:
    """A point of the curve: the number of pages in place, their cost in bytes of flash, and the
    bytes of page cache that they save in the steady state."""

    pages: int
    cost: int
    saves: int


def candidates_of(profile: Profile, stored: StoredSizes) -> list[Candidate]:
    """The profile's files, in their order.

    The pages of a file without stored sizes count as stored in no bytes, so their cost is an upper
    bound.
    """
    return [
        Candidate(
            file.path,
            file.size,
            b"",
            stored.get((file.sha256, file.size)) or _zeros(pages_in(file.size)),
            file.pages,
            profile.steady_of(file),
            file.processes,
        )
        for file in profile.files
    ]


@cache
def _zeros(count: int) -> Sequence[int]:
    """As many zeros, in a byte each: a small profile may name many large files."""
    return bytes(count)


class WhatIf:
    """The curve of all pages with a value, the most RAM for their flash first.

    `exact`: the stored sizes of all files are known; else costs are upper bounds. `unknown`:
    number of files left out, as nothing tells how they are mapped.
    """

    def __init__(self, steps: Sequence[Step], *, exact: bool = True, unknown: int = 0) -> None:
        self.exact = exact
        self.unknown = unknown
        self._steps = steps
        self._costs = list(accumulate(step.cost for step in steps))
        self._saves = list(accumulate(step.saves for step in steps))
        self._counts = list(accumulate(step.more for step in steps))

    @property
    def everything(self) -> Point:
        """All pages with a value."""
        return self._point(len(self._steps))

    def within(self, budget: int) -> Point:
        """The best pages whose cost together is at most `budget` bytes of flash."""
        return self._point(bisect_right(self._costs, budget))

    def saving(self, share: float) -> Point:
        """The cheapest point that saves this share of the saving of all pages."""
        return self._point(
            min(len(self._steps), bisect_left(self._saves, share * self.everything.saves) + 1)
        )

    def pages_within(self, budget: int) -> dict[str, frozenset[int]]:
        """The pages of within(budget), by path."""
        taken = {step.group: step for step in self._steps[: bisect_right(self._costs, budget)]}
        found: dict[str, set[int]] = {}
        for step in taken.values():
            found.setdefault(step.path, set()).update(step.pages)
        return {path: frozenset(pages) for path, pages in found.items()}

    def points(self, steps: int) -> list[Point]:
        """The curve from nothing to everything, at even steps of flash."""
        most = self.everything.cost
        return [self.within(most * step // steps) for step in range(steps + 1)]

    def _point(self, steps: int) -> Point:
        if not steps:
            return Point(0, 0, 0)
        return Point(self._counts[steps - 1], self._costs[steps - 1], self._saves[steps - 1])


def what_if(profile: Profile, stored: StoredSizes) -> WhatIf:
    """The curve of a profile for a kernel that maps any page."""
    offers = [
        (value, file.cost(page), file.path, page)
        for file in candidates_of(profile, stored)
        for page in file.uses
        if (value := file.value(page))
    ]
    offers.sort(key=lambda offer: (-offer[0] / offer[1], offer[2], offer[3]))
    steps = [
        Step(cost, value, path, (page,), 1, n)
        for n, (value, cost, path, page) in enumerate(offers)
    ]
    return WhatIf(steps, exact=_is_exact(profile, stored))


def what_if_mapped_by(
    kernel: Kernel, profile: Profile, stored: StoredSizes, head_of: HeadOf
) -> WhatIf:
    """The curve of a profile for any kernel.

    The programs' headers tell which pages a kernel maps together. `head_of` gives the first bytes
    of a file; None where it is not at hand. For a kernel that maps any page they matter only on
    machines that cannot run code from flash.
    """
    heads = [head_of(file) for file in profile.files]
    known = [
        replace(candidate, head=head or b"", kernel=_model_of(kernel))
        for candidate, head in zip(candidates_of(profile, stored), heads, strict=True)
        if head is not None or kernel.maps_any_page
    ]
    groups = [(file.path, offers) for file in known for offers in kernel.model(file)]
    options = [[Option(offer.cost, offer.value) for offer in offers] for _, offers in groups]
    taken: dict[int, Offer] = {}
    steps = []
    for group, option in rising(options):
        path, offers = groups[group]
        offer, before = offers[option], taken.get(group, NOTHING)
        cost, value = offer.cost - before.cost, offer.value - before.value
        steps.append(
            Step(cost, value, path, offer.pages, len(offer.pages) - len(before.pages), group)
        )
        taken[group] = offer
    return WhatIf(steps, exact=_is_exact(profile, stored), unknown=len(heads) - len(known))


def _model_of(kernel: Kernel) -> KernelModel:
    """The kernel by which pages are valued: a screen's figures are those of a stock one, if it has
    an MMU."""
    return "nommu" if kernel.model is whole_parts else "mainline"


def _is_exact(profile: Profile, stored: StoredSizes) -> bool:
    return all((file.sha256, file.size) in stored for file in profile.files)
