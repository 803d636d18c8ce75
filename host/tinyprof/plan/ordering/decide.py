# SPDX-License-Identifier: MIT
"""Tells which functions are used: functions and the used pages of their file in, a judgement of
each function out.

Only pages that were touched through a mapping count. The rules:

1. A function without a used page is cold.
2. A function that is alone on a used page is used.
3. A function whose first page is not used was never entered, so it is cold. A `.cold` part may be
   entered anywhere, and data everywhere.
4. A function that is the last candidate on a used page, after rule 3, is used.
5. Any other function on a used page is a candidate: its page is used, by it or by a neighbour.

Rules 2 and 4 need a page whose other bytes are known. Where functions begin pages, they are
padding. Elsewhere the bytes without a symbol must be few.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice

from tinyprof.pages import PAGE_SIZE, pages_in
from tinyprof.plan.ordering.program import Function, Program
from tinyprof.profile.model import PageUse
from tinyprof.profile.temperature import (
    DEFAULT_THRESHOLDS,
    Temperature,
    Thresholds,
    temperature,
)

RECORDING_SHARE, PARTLY_SHARE, PARTLY_MIN = 0.5, 0.05, 16
"""Share of the functions that begin a page in a recording link, at least; and the share, and the
number, where only some functions were aligned. The start-up files and libgcc are not compiled by
whoever links, so it is not 1. In an ordinary link it is 1 of 256."""

PADDING = 16
"""Bytes between two functions that a compiler leaves for their alignment, at most."""

PAGES_MAX = 64
"""Used pages of one object that are looked at for its temperature. A symbol may lie about its
size."""

_COLD_PART = re.compile(r"\.cold(?:\.[0-9]+)?$")


Span = tuple[int, int]
"""The first byte of a function, and its size."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A function that is used or may be: its temperature, and the first epoch of its page."""

    function: Function
    sure: bool
    temperature: Temperature
    first: int


@dataclass(frozen=True, slots=True)
class Decision:
    """The used functions and the candidates of a program, by their place.

    - `recording_link`: functions begin pages, so that the profile knows them exactly.
    - `used`, `candidates`, `cold`: number of functions. Data are not among them.
    - `hot_bytes`: bytes of the used functions and the candidates.
    - `pages`: number of used pages of code. `bare`: those without a symbol.
    - `ordinary`: number of pages that the hot functions would lie on in the order of this link,
      without the padding of a recording link. Equal to `pages` for other links.
    """

    judgements: tuple[Judgement, ...]
    recording_link: bool
    used: int
    candidates: int
    cold: int
    hot_bytes: int
    pages: int
    bare: int
    ordinary: int

    @property
    def ordered(self) -> int:
        """Number of pages that the hot functions would lie on, side by side."""
        return pages_in(self.hot_bytes) + self.bare


def decide(
    program: Program,
    pages: Mapping[int, PageUse],
    steady: int,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
) -> Decision:
    """Judge the functions of a program by its used pages; `steady` as Profile.steady_of()."""
    mapped = {
        page: use for page, use in pages.items() if use.mapped and page < pages_in(program.size)
    }
    recording = is_recording_link(program)
    code, data = _groups(program, True), _groups(program, False)
    states = _states(code, program.size, mapped, recording)
    data_states = _states(data, program.size, mapped, False)
    classes = {page: temperature(use, steady, thresholds) for page, use in mapped.items()}
    judgements = tuple(
        _judgement(it, sure, mapped, classes)
        for groups, found in ((code, states), (data, data_states))
        for place, sure in found.items()
        for it in groups[place]
    )
    hot = list(states)
    on_page = _code_pages(program)
    on_code = sum(page in on_page for page in mapped)
    named = _covered(hot, pages_in(program.size))
    bare = sum(page in on_page and not named[page] for page in mapped)
    used = sum(states.values())
    return Decision(
        judgements,
        recording,
        used,
        len(states) - used,
        len(code) - len(states),
        _bytes_of(hot),
        on_code,
        bare,
        _ordinary(list(code), set(hot)) + bare if recording else on_code,
    )


def is_recording_link(program: Program) -> bool:
    """Whether the functions of a program begin pages."""
    starts = {it.offset for it in program.functions if it.code}
    begin = sum(start % PAGE_SIZE == 0 for start in starts)
    partly = begin >= PARTLY_MIN and begin >= PARTLY_SHARE * len(starts)
    return partly or (begin > 1 and begin >= RECORDING_SHARE * len(starts))


def _groups(program: Program, code: bool) -> dict[Span, list[Function]]:
    """The functions, or the objects, by their place. Aliases share one."""
    found: dict[Span, list[Function]] = {}
    for it in program.functions:
        if it.code is code:
            found.setdefault((it.offset, it.size), []).append(it)
    return found


def _states(
    groups: Mapping[Span, Sequence[Function]],
    size: int,
    used: Mapping[int, PageUse],
    recording: bool,
) -> dict[Span, bool]:
    """The places that are not cold: whether each is known to be used. The rules are this
    module's."""
    places, count = list(groups), pages_in(size)
    pages = range(count)
    used_before = _sums([page in used for page in pages])
    covered, names_on = _covered(places, count), _number_on(places, count)
    alone = _sums([page in used and names_on[page] == 1 for page in pages])
    left = []
    for place in places:
        first, end = place[0] // PAGE_SIZE, (place[0] + place[1] - 1) // PAGE_SIZE + 1
        if used_before[end] == used_before[first]:
            continue
        if first in used or alone[end] > alone[first] or _is_entered_anywhere(groups[place]):
            left.append((place, first, end))
    left_on = _number_on([place for place, _, _ in left], count)
    known = [
        recording or PAGE_SIZE - covered[page] <= PADDING * (names_on[page] + 1) for page in pages
    ]
    last = _sums([page in used and left_on[page] == 1 and known[page] for page in pages])
    return {place: last[end] > last[first] for place, first, end in left}


def _is_entered_anywhere(functions: Sequence[Function]) -> bool:
    return any(not it.code or _COLD_PART.search(it.name) for it in functions)


def _judgement(
    function: Function,
    sure: bool,
    used: Mapping[int, PageUse],
    classes: Mapping[int, Temperature],
) -> Judgement:
    """A function is as hot as the page on which it is entered, else as its hottest used page."""
    first = function.offset // PAGE_SIZE
    pages = [first]
    if first not in used or not function.code:
        end = (function.offset + function.size - 1) // PAGE_SIZE
        pages = list(islice((it for it in range(first, end + 1) if it in used), PAGES_MAX))
    return Judgement(
        function,
        sure,
        min((classes[page] for page in pages), key=_HOTTEST.index),
        min(used[page].any.first for page in pages),
    )


_HOTTEST = list(Temperature)


def _sums(flags: Sequence[bool]) -> list[int]:
    """The number of flags before each place, and before the end."""
    return [0, *accumulate(flags)]


def _number_on(places: Sequence[tuple[int, int]], count: int) -> list[int]:
    """The number of ranges that have bytes on each page."""
    steps = [0] * (count + 1)
    for at, size in places:
        steps[at // PAGE_SIZE] += 1
        steps[(at + size - 1) // PAGE_SIZE + 1] -= 1
    return list(accumulate(steps))[:count]


def _covered(places: Sequence[tuple[int, int]], count: int) -> list[int]:
    """The bytes of each page that lie in sorted ranges. Bytes in several ranges count once."""
    covered = [0] * count
    done = 0
    for at, size in places:
        start, end = max(at, done), at + size
        done = max(done, end)
        while start < end:
            page = start // PAGE_SIZE
            step = min(end, (page + 1) * PAGE_SIZE)
            covered[page] += step - start
            start = step
    return covered


def _bytes_of(places: Sequence[tuple[int, int]]) -> int:
    """The bytes of sorted ranges, each aligned as a linker aligns functions."""
    total = done = 0
    for at, size in places:
        total += _aligned(max(0, at + size - max(at, done)))
        done = max(done, at + size)
    return total


def _aligned(size: int) -> int:
    return -(-size // 4) * 4


def _code_pages(program: Program) -> set[int]:
    """The pages with executable bytes."""
    return {
        page
        for start, end in program.code[:64]
        for page in range(start // PAGE_SIZE, pages_in(end))
    }


def _ordinary(places: Sequence[tuple[int, int]], hot: set[tuple[int, int]]) -> int:
    """The number of pages with bytes of hot functions, if all functions stood without padding."""
    at, count, counted_to = 0, 0, -1
    for place in sorted(places):
        end = at + _aligned(place[1])
        if place in hot:
            last = (end - 1) // PAGE_SIZE
            count += last - max(at // PAGE_SIZE, counted_to + 1) + 1
            counted_to = last
        at = end
    return count
