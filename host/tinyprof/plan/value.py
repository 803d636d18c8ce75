# SPDX-License-Identifier: MIT
"""What a page in place is worth and costs: its use and its stored size in, bytes of RAM and of
flash out.

It is worth the page cache that it would otherwise take, times the share of the steady state in
which it was in use, and nothing if it is in the page cache wherever it is stored. Every command
that asks which pages to store in place asks here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tinyprof.cramfs.programs import head_of
from tinyprof.pages import PAGE_SIZE
from tinyprof.profile.model import PageUse
from tinyprof.rootfs.match import Match

PLACEMENT_COST = 4
"""What a page in place adds beside its own bytes, at most: the block behind it then carries its
own size, two bytes, and begins on a word (layout.Layout)."""

ONCE_SHARE = 1 / 64
"""What a page that the steady state never used is worth: it takes RAM until it is dropped."""


def pays(use: PageUse) -> bool:
    """Whether storing the page in place saves RAM: it was mapped, and is not in the page cache
    anyway.

    read() and a private copy bring a page into the page cache wherever it is stored. If only
    start-up did so and the steady state maps it, it comes back by mapping alone once memory was
    needed.
    """
    cached, mapped = use.cached, use.mapped
    return mapped is not None and (cached is None or bool(mapped.steady and not cached.steady))


def pages_that_pay(match: Match) -> dict[str, list[int]]:
    """All of them by path, wherever they are now."""
    pages = {
        file.node.path: sorted(filter(lambda page: pays(file.uses[page]), file.uses))
        for file in match.files
    }
    return {path: found for path, found in pages.items() if found}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file of the tree of which pages may go in place.

    `head` is its first page. `stored[i]` is what page i takes when it is compressed, in bytes;
    `uses` are its used pages, `steady` the epochs of the steady state that they are counted in.
    `processes`: how many map it at once; None where that is not known.
    """

    path: str
    size: int
    head: bytes
    stored: Sequence[int]
    uses: Mapping[int, PageUse]
    steady: int
    processes: int | None = None

    def value(self, page: int) -> int:
        """What the page is worth in place, in bytes of RAM; 0 where it would be in the page cache
        anyway."""
        use = self.uses.get(page)
        if use is None or use.mapped is None or not pays(use):
            return 0
        share = use.mapped.steady / self.steady if self.steady else 0.0
        return round(PAGE_SIZE * min(1.0, max(share, ONCE_SHARE)))

    def cost(self, page: int) -> int:
        """What the page costs in place, in bytes of flash, at most."""
        return max(1, PAGE_SIZE - self.stored[page] + PLACEMENT_COST)


def candidates_in(match: Match, stored_size: Callable[[bytes], int]) -> list[Candidate]:
    """The profiled files of a tree; `stored_size` says what a page takes compressed. Raises
    TreeError."""
    return [
        Candidate(
            file.node.path,
            file.node.size,
            head_of(file.node),
            [min(PAGE_SIZE, stored_size(page)) for page in file.node.chunks(PAGE_SIZE)],
            file.uses,
            file.steady,
            file.processes,
        )
        for file in match.files
    ]
