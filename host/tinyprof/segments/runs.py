# SPDX-License-Identifier: MIT
"""Which runs of pages to map in place: what each page is worth in, the runs that are worth most
together out.

A stock kernel maps the leading run of each loaded segment in place, and every further run takes a
cut, which is one more mapping in every process. So a gap of cold pages may be worth bridging, and
a lonely hot page may not be worth a cut. The choice is exact, by a dynamic programme over each
segment. Nothing here knows ELF.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class RunChoice:
    """The pages in place in each segment, by their place in it, and the number of cuts that this
    takes."""

    pages: tuple[tuple[int, ...], ...]
    cuts: int
    worth: float


@dataclass(frozen=True, slots=True)
class _Block:
    """Pages that no best choice tells apart: all that pay on their own, or all that do not, in a
    row."""

    pages: range
    worth: float


@dataclass(frozen=True, slots=True)
class _State:
    """The most that the blocks so far are worth, and those in place, as a chain from the last one
    back."""

    worth: float = NEVER
    chosen: tuple[_Block, object] | None = None

    def with_block(self, block: _Block) -> _State:
        return _State(self.worth + block.worth, (block, self.chosen))


_Sum = tuple[float, tuple[_State, ...]]
"""What the segments so far are worth together, and the state of each."""


def choose_runs(segments: Sequence[Sequence[float]], cut_prices: Sequence[float]) -> RunChoice:
    """The best choice of pages in a file's segments.

    `segments` holds for each segment what its pages are worth in place: the RAM saved less the
    price of the flash, negative for a cold page. `cut_prices[n]` is the price of n cuts in the
    file altogether, [0] being 0; there are no more cuts than it has prices for. All in one
    currency, such as bytes of RAM.

    A segment that is cut has its first page in place, and so has the first segment where any is
    cut, or pieces would merge: see docs/split-segments.md. Of equal choices it is the one with
    fewer cuts.
    """
    most = len(cut_prices) - 1
    whole = [_by_cuts(_blocks(worths), 0)[0] for worths in segments]
    best = RunChoice(tuple(map(_pages_of, whole)), 0, sum(state.worth for state in whole))
    for cuts, (worth, states) in enumerate(_sums(segments, most)):
        if cuts and worth - cut_prices[cuts] > best.worth:
            best = RunChoice(tuple(map(_pages_of, states)), cuts, worth - cut_prices[cuts])
    return best


def _sums(segments: Sequence[Sequence[float]], most: int) -> list[_Sum]:
    """For each number of cuts the most that all segments are worth, the first page being in
    place."""
    sums: list[_Sum] = [(0.0, ())]
    for index, worths in enumerate(segments):
        sums = _combined(sums, _by_cuts(_blocks(worths), most, begun=index == 0), most)
    return sums


def _blocks(worths: Sequence[float]) -> list[_Block]:
    """The pages in a row that pay, those that do not, and the first on its own: a cut may want
    it."""
    blocks: list[_Block] = []
    at = 0
    for _, group in groupby(enumerate(worths), key=lambda item: (item[0] == 0, item[1] > 0)):
        values = [worth for _, worth in group]
        blocks.append(_Block(range(at, at + len(values)), sum(values)))
        at += len(values)
    return blocks


def _by_cuts(blocks: Sequence[_Block], most: int, *, begun: bool = False) -> list[_State]:
    """The best state of a segment for each number of cuts, up to the last number that can help.

    `begun` asks for its first page in place even where it is not cut.
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
    """The best sums for each number of cuts, over the segments so far and one more."""
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
