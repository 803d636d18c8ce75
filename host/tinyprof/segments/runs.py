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
from itertools import groupby
from operator import gt

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
class Item:
    """Neighbouring pages of a segment that are chosen together: their value in place, and their
    cost in flash.

    A page with a value is an item of its own. Neighbours without value are one item. The first
    page of a segment is always an item of its own, as a cut may need it in place.
    """

    pages: range
    value: int
    cost: int


def items_of(values: Sequence[int], costs: Sequence[int]) -> list[Item]:
    """The items of a segment, by the value and the cost of each page."""
    items: list[Item] = []
    at = 0
    for alone, group in groupby(range(len(values)), key=lambda page: values[page] > 0 or not page):
        pages = list(group)
        if alone:
            items += [Item(range(page, page + 1), values[page], costs[page]) for page in pages]
        else:
            items.append(Item(range(at, at + len(pages)), 0, sum(costs[at : at + len(pages)])))
        at += len(pages)
    return items


def choose_items(
    segments: Sequence[Sequence[Item]], flash: float, cut: float, cuts_max: int
) -> RunChoice | None:
    """The best choice by the rules of choose_runs(), where each cut has the same price.

    `flash` is the price of a byte of flash, `cut` that of a cut. None where the best choice has
    more than `cuts_max` cuts. The time is proportional to the number of items.
    """
    whole, pieces = [], []
    for index, items in enumerate(segments):
        worths = [item.value - flash * item.cost for item in items]
        lead = _lead(worths)
        cut_up = _cut_up(worths, cut) if items else lead
        whole.append(lead)
        pieces.append(cut_up if not index or cut_up[0] > lead[0] else lead)
    best = pieces if sum(it[0] for it in pieces) > sum(it[0] for it in whole) else whole
    cuts = sum(it[1] for it in best)
    if cuts > cuts_max:
        return None
    pages = tuple(
        tuple(page for item in chosen for page in items[item].pages)
        for items, (_, _, chosen) in zip(segments, best, strict=True)
    )
    return RunChoice(pages, cuts, sum(it[0] for it in best))


_Pieces = tuple[float, int, Sequence[int]]
"""Worth less the price of the cuts, number of cuts, and the numbers of the chosen items."""


def _lead(worths: Sequence[float]) -> _Pieces:
    """The best leading run of a segment, or nothing."""
    best, length, worth = 0.0, 0, 0.0
    for number, it in enumerate(worths):
        worth += it
        if worth > best:
            best, length = worth, number + 1
    return best, 0, range(length)


def _cut_up(worths: Sequence[float], cut: float) -> _Pieces:
    """The best runs of a segment that has its first page in place."""
    inside, outside = worths[0], NEVER
    begins, ends = bytearray(len(worths)), bytearray(len(worths))
    for number in range(1, len(worths)):
        worth = worths[number]
        opened, going_on = outside + worth - cut, inside + worth
        if inside > outside:
            outside = inside
            ends[number] = True
        if opened > going_on:
            inside = opened
            begins[number] = True
        else:
            inside = going_on
    chosen: list[int] = []
    cuts, within = 0, inside > outside
    for number in range(len(worths) - 1, -1, -1):
        # `within`: this item is in place. Before it, its run began here, or the run before ended.
        if within:
            chosen.append(number)
            cuts += begins[number]
            within = not begins[number]
        else:
            within = bool(ends[number])
    return max(inside, outside), cuts, chosen[::-1]
