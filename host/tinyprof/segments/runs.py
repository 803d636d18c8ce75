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


@dataclass(frozen=True, slots=True)
class _State:
    """The best worth of the blocks so far, and the blocks in place, as a chain from the last one
    back."""

    worth: float = NEVER
    chosen: tuple[_Block, object] | None = None

    def with_block(self, block: _Block) -> _State:
        return _State(self.worth + block.worth, (block, self.chosen))


_Sum = tuple[float, tuple[_State, ...]]
"""The worth of the segments so far together, and the state of each."""


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
    whole = [_by_cuts(_blocks(worths), 0)[0] for worths in segments]
    best = RunChoice(tuple(map(_pages_of, whole)), 0, sum(state.worth for state in whole))
    for cuts, (worth, states) in enumerate(_sums(segments, most)):
        if cuts and worth - cut_prices[cuts] > best.worth:
            best = RunChoice(tuple(map(_pages_of, states)), cuts, worth - cut_prices[cuts])
    return best


def _sums(segments: Sequence[Sequence[float]], most: int) -> list[_Sum]:
    """The best worth of all segments for each number of cuts, with the file's first page in
    place."""
    sums: list[_Sum] = [(0.0, ())]
    for index, worths in enumerate(segments):
        sums = _combined(sums, _by_cuts(_blocks(worths), most, begun=index == 0), most)
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


def _by_cuts(blocks: Sequence[_Block], most: int, *, begun: bool = False) -> list[_State]:
    """The best state of a segment for each number of cuts, up to the last number that can help.

    `begun`: its first page is in place even where the segment is not cut.
    """
    if not blocks:
        return [_State(0.0)]
    runs = sum(block.worth > 0 for block in blocks)
    count = min(most, runs) + 1
    first, *rest = blocks
    in_place = [_State()] * count
    in_place[0] = _State(0.0).with_block(first)
    cold = [_State()] * count
    for block in rest:
        opened = [_State(), *(state.with_block(block) for state in cold[:-1])]
        extended = [state.with_block(block) for state in in_place]
        cold = [_better(one, other) for one, other in zip(cold, in_place, strict=True)]
        in_place = [_better(one, other) for one, other in zip(extended, opened, strict=True)]
    states = [_better(one, other) for one, other in zip(cold, in_place, strict=True)]
    if not begun:
        states[0] = _better(_State(0.0), states[0])
    return states


def _better(one: _State, other: _State) -> _State:
    """The one that is worth more; the first if they are worth the same."""
    return other if other.worth > one.worth else one


def _combined(sums: Sequence[_Sum], states: Sequence[_State], most: int) -> list[_Sum]:
    """The best sums for each number of cuts, over the segments so far and the next one."""
    count = min(most, len(sums) + len(states) - 2) + 1
    longer: list[_Sum] = [(NEVER, ())] * count
    for cuts, (worth, chosen) in enumerate(sums):
        for more, state in enumerate(states[: count - cuts]):
            if worth + state.worth > longer[cuts + more][0]:
                longer[cuts + more] = (worth + state.worth, (*chosen, state))
    return longer


def _pages_of(state: _State) -> tuple[int, ...]:
    pages: list[int] = []
    link: object = state.chosen
    while isinstance(link, tuple):
        block, link = link
        pages.extend(block.pages)
    return tuple(sorted(pages))
