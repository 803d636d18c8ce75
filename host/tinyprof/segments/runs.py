# SPDX-License-Identifier: MIT
"""Chooses the runs of pages to map in place: the worth of each page in, the best runs out.

A stock kernel maps the leading run of each loaded segment in place. Every further run takes a cut,
and a cut is one more mapping in every process. So it may pay to bridge a gap of cold pages, and a
lonely hot page may not be worth a cut. The choice is exact, by dynamic programming over each
segment. Nothing here knows ELF.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from operator import gt
from typing import NamedTuple

NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class RunChoice:
    """The pages in place in each segment, counted from its first, and the number of cuts.

    `worth`: the worth of the pages less the price of the cuts.
    """

    pages: tuple[tuple[int, ...], ...]
    cuts: int
    worth: float


@dataclass(frozen=True, slots=True)
class _Block:
    """Neighbouring pages that all pay on their own, or that all do not.

    No best choice takes only a part of them.
    """

    pages: range
    worth: float


_Sum = tuple[float, tuple[int, ...]]
"""The worth of the segments so far together, and the number of cuts in each."""


def choose_runs(segments: Sequence[Sequence[float]], cut_prices: Sequence[float]) -> RunChoice:
    """The best choice of pages in a file's segments.

    `segments` has for each segment the worth of its pages in place: the RAM saved less the price
    of the flash, negative for a cold page. `cut_prices[n]` is the price of n cuts in the file
    together; [0] is 0. There are no more cuts than prices. All figures are in one unit, such as
    bytes of RAM.

    The rules (docs/split-segments.md tells why):

    1. A segment that is cut has its first page in place.
    2. Where any segment is cut, the first segment has its first page in place too.
    3. Of choices of equal worth, the one with fewer cuts is taken.
    """
    most = len(cut_prices) - 1
    whole = [_Segment(worths, 0) for worths in segments]
    parts = [_Segment(worths, most, begun=not index) for index, worths in enumerate(segments)]
    best = RunChoice(tuple(it.pages(0) for it in whole), 0, sum(it.worths[0] for it in whole))
    chosen: tuple[int, ...] | None = None
    for cuts, (worth, of_each) in enumerate(_sums(parts, most)):
        if cuts and worth - cut_prices[cuts] > best.worth:
            best = RunChoice((), cuts, worth - cut_prices[cuts])
            chosen = of_each
    if chosen is None:
        return best
    pages = tuple(it.pages(count) for it, count in zip(parts, chosen, strict=True))
    return RunChoice(pages, best.cuts, best.worth)


def _sums(parts: Sequence[_Segment], most: int) -> list[_Sum]:
    """The best worth of all segments for each number of cuts, with the file's first page in
    place."""
    sums: list[_Sum] = [(0.0, ())]
    for part in parts:
        sums = _combined(sums, part.worths, most)
    return sums


def _blocks(worths: Sequence[float]) -> list[_Block]:
    """The blocks of a segment, in order. The first page is a block of its own: a cut may need it
    in place."""
    blocks: list[_Block] = []
    at = 0
    for _, group in groupby(enumerate(worths), key=lambda item: (item[0] == 0, item[1] > 0)):
        values = [worth for _, worth in group]
        blocks.append(_Block(range(at, at + len(values)), sum(values)))
        at += len(values)
    return blocks


class _Segment:
    """The best runs of a segment for each number of cuts, up to the last number that can help.

    `worths[n]` is the worth with n cuts. A segment that is cut has its first page in place.
    `begun`: its first page is in place even where the segment is not cut.
    """

    def __init__(self, worths: Sequence[float], most: int, *, begun: bool = False) -> None:
        self._blocks = _blocks(worths)
        self._begins: list[list[bool]] = []
        self._ends: list[list[bool]] = []
        if not self._blocks:
            self.worths = [0.0]
            return
        count = min(most, sum(block.worth > 0 for block in self._blocks)) + 1
        inside = [self._blocks[0].worth, *[NEVER] * (count - 1)]
        outside = [NEVER] * count
        for block in self._blocks[1:]:
            opened = [NEVER, *outside[:-1]]
            # True where a cut begins a run at this block, and where a run ends before it.
            self._begins.append(list(map(gt, opened, inside)))
            self._ends.append(list(map(gt, inside, outside)))
            outside = list(map(max, outside, inside))
            inside = [worth + block.worth for worth in map(max, inside, opened)]
        self._last_inside = list(map(gt, inside, outside))
        self.worths = list(map(max, outside, inside))
        self._empty = not begun and self.worths[0] <= 0
        if self._empty:
            self.worths[0] = 0.0

    def pages(self, cuts: int) -> tuple[int, ...]:
        """The pages in place with this number of cuts, counted from the segment's first."""
        if not self._blocks or (self._empty and not cuts):
            return ()
        chosen: list[range] = []
        within = self._last_inside[cuts]
        for number in range(len(self._blocks) - 1, 0, -1):
            if not within:
                within = self._ends[number - 1][cuts]
                continue
            chosen.append(self._blocks[number].pages)
            if self._begins[number - 1][cuts]:
                within, cuts = False, cuts - 1
        if within:
            chosen.append(self._blocks[0].pages)
        return tuple(page for pages in reversed(chosen) for page in pages)


def _combined(sums: Sequence[_Sum], worths: Sequence[float], most: int) -> list[_Sum]:
    """The best sums for each number of cuts, over the segments so far and the next one."""
    count = min(most, len(sums) + len(worths) - 2) + 1
    longer: list[_Sum] = [(NEVER, ())] * count
    for cuts, (worth, chosen) in enumerate(sums):
        for more, further in enumerate(worths[: count - cuts]):
            if worth + further > longer[cuts + more][0]:
                longer[cuts + more] = (worth + further, (*chosen, more))
    return longer


@dataclass(frozen=True, slots=True)
class Items:
    """The items of a segment, in order. An item is neighbouring pages that are chosen together.

    A page with a value is an item of its own. Neighbours without value are one item. The first
    page of a segment is always an item of its own, as a cut may need it in place.

    - `starts`: the first page of each item, and the number of pages behind the last one.
    - `values`, `costs`: the value in place of each item, and its cost in flash.
    - `value_sums`, `cost_sums`: the sums of all items before each one, and of all items.
    """

    starts: Sequence[int]
    values: Sequence[int]
    costs: Sequence[int]
    value_sums: Sequence[int]
    cost_sums: Sequence[int]


def items_of(values: Sequence[int], costs: Sequence[int]) -> Items:
    """The items of a segment, by the value and the cost of each page."""
    count = len(values)
    starts = [
        page for page in range(count) if page < 2 or values[page] > 0 or values[page - 1] > 0
    ]
    ends = [*starts[1:], count]
    sums = list(accumulate(costs, initial=0))
    of_items = [sums[end] - sums[start] for start, end in zip(starts, ends, strict=False)]
    # In an item of several pages no page has a value.
    worths = [max(0, values[start]) if start else values[0] for start in starts]
    return Items(
        [*starts, count],
        worths,
        of_items,
        list(accumulate(worths, initial=0)),
        list(accumulate(of_items, initial=0)),
    )


class ItemChoice(NamedTuple):
    """The chosen items of each segment, as runs of their numbers, and the number of cuts.

    `value` and `cost` are those of the items. `worth` is the value less the prices of the flash
    and of the cuts.
    """

    segments: Sequence[Items]
    runs: tuple[Sequence[range], ...]
    cuts: int
    value: int
    cost: int
    worth: float

    @property
    def page_runs(self) -> list[list[slice]]:
        """The runs of pages in place in each segment, counted from its first."""
        return [
            [slice(items.starts[run.start], items.starts[run.stop]) for run in runs]
            for items, runs in zip(self.segments, self.runs, strict=True)
        ]

    @property
    def pages(self) -> tuple[tuple[int, ...], ...]:
        """The pages in place in each segment, counted from its first."""
        return tuple(
            tuple(page for run in runs for page in range(run.start, run.stop))
            for runs in self.page_runs
        )


def choose_items(
    segments: Sequence[Items], flash: float, cut: float, cuts_max: int
) -> ItemChoice | None:
    """The best choice by the rules of choose_runs(), where each cut has the same price.

    `flash` is the price of a byte of flash, `cut` that of a cut. None where the best choice has
    more than `cuts_max` cuts. The time is proportional to the number of items.
    """
    whole, pieces = [], []
    for index, items in enumerate(segments):
        if index and not items.value_sums[-1]:
            whole.append(NOTHING)
            pieces.append(NOTHING)
            continue
        worths = [
            value - flash * cost for value, cost in zip(items.values, items.costs, strict=True)
        ]
        lead = _priced(items, _lead(worths), flash, cut)
        cut_up = _priced(items, _cut_up(worths, cut), flash, cut) if worths else lead
        whole.append(lead)
        pieces.append(cut_up if not index or cut_up.worth > lead.worth else lead)
    best = pieces if sum(it.worth for it in pieces) > sum(it.worth for it in whole) else whole
    cuts = sum(it.cuts for it in best)
    if cuts > cuts_max:
        return None
    return ItemChoice(
        segments,
        tuple(it.runs for it in best),
        cuts,
        sum(it.value for it in best),
        sum(it.cost for it in best),
        sum(it.worth for it in best),
    )


class _Pieces(NamedTuple):
    """Runs of the numbers of a segment's items, and their figures as in ItemChoice."""

    worth: float
    value: int
    cost: int
    cuts: int
    runs: Sequence[range]


NOTHING = _Pieces(0.0, 0, 0, 0, ())
"""The choice in a segment without any value."""


def _priced(items: Items, runs: Sequence[range], flash: float, cut: float) -> _Pieces:
    value = cost = 0
    for run in runs:
        value += items.value_sums[run.stop] - items.value_sums[run.start]
        cost += items.cost_sums[run.stop] - items.cost_sums[run.start]
    # The run at the beginning of a segment takes no cut.
    cuts = max(0, len(runs) - 1)
    return _Pieces(value - flash * cost - cut * cuts, value, cost, cuts, runs)


def _lead(worths: Sequence[float]) -> list[range]:
    """The best leading run of a segment, or nothing."""
    sums = list(accumulate(worths))
    best = max(sums, default=0.0)
    return [range(sums.index(best) + 1)] if best > 0 else []


def _cut_up(worths: Sequence[float], cut: float) -> list[range]:
    """The best runs of a segment that has its first item in place.

    `ahead` is how much more the best choice up to here is worth with this item in place than
    without it. Where it is below `-cut`, it is better to begin a new run at the next item. Where
    it is above 0, it is better to end a run here than not to have begun it.
    """
    begins, ends = bytearray(len(worths)), bytearray(len(worths))
    # The first item is in place whatever it is worth.
    ahead = float("inf")
    for number, worth in enumerate(worths[1:], 1):
        if ahead > 0:
            ends[number] = 1
            ahead = worth
        elif ahead < -cut:
            begins[number] = 1
            ahead = worth - cut
        else:
            ahead += worth
    runs: list[range] = []
    end = len(worths) if ahead > 0 else ends.rfind(1)
    while (start := begins.rfind(1, 0, end)) > 0:
        runs.append(range(start, end))
        end = ends.rfind(1, 0, start)
    runs.append(range(end))
    return runs[::-1]
