# SPDX-License-Identifier: MIT
"""How many pages a linker order could save at most: the symbols and the used pages of a file in,
a bound out.

At least one function or object was used on each used page. If it was the smallest part of one on
every page, the used bytes are the fewest. They fill this many pages when they lie side by side. A
page without a symbol stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tinyprof.pages import PAGE_SIZE, pages_in
from tinyprof.profile.model import FileUse, NamedRange, PageUse, Profile
from tinyprof.rootfs.landmarks import LANDMARK
from tinyprof.rootfs.match import FoundFile, Match

SymbolsOf = Callable[[FileUse], Sequence[NamedRange]]


@dataclass(frozen=True, slots=True)
class Bound:
    """The mapped pages of a file that are used, and the fewest that an order could leave."""

    path: str
    used: int
    least: int

    @property
    def saved(self) -> int:
        """The most pages that could be had."""
        return self.used - self.least


def bounds(profile: Profile, symbols_of: SymbolsOf = lambda file: file.symbols) -> list[Bound]:
    """The files with symbols, by the pages that could be had."""
    found = [it for file in profile.files if (it := bound_of(file, symbols_of(file)))]
    return sorted(found, key=lambda it: (-it.saved, -it.used, it.path))


def bound_of(file: FileUse, symbols: Iterable[NamedRange]) -> Bound | None:
    """The bound of a file with these symbols. None: none of it was mapped, or it has none."""
    named = [it for it in symbols if not it.name.startswith(LANDMARK)]
    pages = {page for page, use in file.pages.items() if use.mapped}
    return Bound(file.path, len(pages), least_pages(named, pages)) if named and pages else None


def least_pages(symbols: Iterable[NamedRange], pages: set[int]) -> int:
    """The fewest pages on which the used functions could lie."""
    smallest: dict[int, int] = {}

    def note(page: int, size: int) -> None:
        if page in pages and 0 < size < smallest.get(page, PAGE_SIZE + 1):
            smallest[page] = size

    for it in symbols:
        end = it.offset + it.size
        first, last = it.offset // PAGE_SIZE, (end - 1) // PAGE_SIZE
        note(first, min(end, (first + 1) * PAGE_SIZE) - it.offset)
        note(last, end - max(it.offset, last * PAGE_SIZE))
    # Between its ends a function fills its pages. A page without a symbol counts whole too.
    whole = len(pages - smallest.keys())
    return whole + pages_in(sum(smallest.values()))


def as_if_ordered(match: Match, left: Mapping[str, int]) -> Match:
    """The files of a tree as they would be used if programs were ordered: each program in `left`
    keeps that many of its mapped pages, the hottest.

    A page that was also read or written stays: an order of functions does not change that.
    """
    files = [
        replace(file, uses=_densest(file, left[file.node.path]))
        if file.node.path in left
        else file
        for file in match.files
    ]
    return replace(match, files=tuple(files))


def _densest(file: FoundFile, left: int) -> dict[int, PageUse]:
    code = [page for page, use in file.uses.items() if use.mapped and not use.cached]
    stays = sum(bool(use.mapped and use.cached) for use in file.uses.values())
    code.sort(key=lambda page: (-file.uses[page].any.steady, page))
    gone = set(code[max(0, left - stays) :])
    return {page: use for page, use in file.uses.items() if page not in gone}
