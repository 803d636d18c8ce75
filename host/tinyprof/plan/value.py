# SPDX-License-Identifier: MIT
"""The value and the cost of a page in place: its use and its stored size in, bytes of RAM and of
flash out.

1. A page that is in the page cache wherever it is stored has no value. On the patched kernel there
   is no such page: it reads and copies blocks in place straight from flash.
2. Any other page has the value of the page cache that it would take, times the share of the steady
   state in which it was mapped. On the patched kernel any use counts.
3. Without an MMU each process that maps a page has a copy of its own, unless the page is in place
   (do_mmap_private()). So the page has the value of the copies that the steady state holds on
   average.

Every command that chooses pages to store in place asks here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tinyprof.cramfs.kernel import KernelModel
from tinyprof.cramfs.programs import head_of
from tinyprof.pages import PAGE_SIZE
from tinyprof.profile.mappings import MappingUse
from tinyprof.profile.model import PageUse
from tinyprof.rootfs.match import Match

PLACEMENT_COST = 4
"""Bytes of flash, at most, that a page in place takes beside its own: the block behind it then
carries its own size in two bytes and begins on a word (cramfs.writing.layout)."""

ONCE_SHARE = 1 / 64
"""The share that counts for a page that the steady state never used. It takes RAM until it is
dropped."""


def pays(use: PageUse) -> bool:
    """Whether storing the page in place saves RAM on a stock kernel.

    1. A page that was never mapped does not pay.
    2. A page that read() or a private copy used does not pay either: these bring it into the page
       cache wherever it is stored.
    3. If only start-up used it so and the steady state maps it, it pays. It is evicted under
       memory pressure, and later returns by mapping.
    """
    cached, mapped = use.cached, use.mapped
    return mapped is not None and (cached is None or bool(mapped.steady and not cached.steady))


def pages_that_pay(match: Match) -> dict[str, list[int]]:
    """All pages of a tree that pay, by path, wherever they are stored now."""
    pages = {
        file.node.path: sorted(filter(lambda page: pays(file.uses[page]), file.uses))
        for file in match.files
    }
    return {path: found for path, found in pages.items() if found}


@dataclass(frozen=True, slots=True)
class Copies:
    """Copies of a page, without an MMU: the most at once, and the steady state's mean."""

    most: int
    mean: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file with pages that may go in place.

    - `size`: bytes.
    - `head`: its first bytes, as many as mapped_parts() needs.
    - `stored`: the bytes that each page takes compressed.
    - `uses`: its used pages.
    - `steady`: number of epochs of the steady state in which the uses are counted.
    - `processes`: the number of processes that map it at once; None where it is not known.
    - `kernel`: the kernel that maps it.
    - `mappings`: its mappings, where a source saw whole mappings.
    """

    path: str
    size: int
    head: bytes
    stored: Sequence[int]
    uses: Mapping[int, PageUse]
    steady: int
    processes: int | None = None
    kernel: KernelModel = "mainline"
    mappings: Sequence[MappingUse] = ()

    @property
    def from_flash(self) -> bool:
        """Whether the kernel reads and copies blocks in place straight from flash
        (cramfs_xip_read_iter()), so that every used page pays."""
        return self.kernel == "patched"

    def copies(self, page: int) -> Copies | None:
        """The copies of a page that is not in place. None: the page cache has it once.

        Where no source saw the mappings, each process that maps the file has a copy.
        """
        use = self.uses.get(page)
        if self.kernel != "nommu" or use is None or use.mapped is None:
            return None
        held = [it for it in self.mappings if it.page <= page < it.page + it.pages]
        if held:
            steady = sum(it.held_steady for it in held)
            return Copies(sum(it.most for it in held), steady / max(1, self.steady))
        processes = self.processes or 1
        share = min(1.0, use.mapped.steady / self.steady) if self.steady else 0.0
        return Copies(processes, processes * share)

    def value(self, page: int) -> int:
        """The RAM that the page saves in place, in bytes; 0 where it does not pay."""
        use = self.uses.get(page)
        if copies := self.copies(page):
            return round(PAGE_SIZE * max(copies.mean, ONCE_SHARE))
        if use is None or not (self.from_flash or pays(use)):
            return 0
        counted = use.any if self.from_flash or use.mapped is None else use.mapped
        share = counted.steady / self.steady if self.steady else 0.0
        return round(PAGE_SIZE * min(1.0, max(share, ONCE_SHARE)))

    def cost(self, page: int) -> int:
        """The flash that the page costs in place, in bytes, at most."""
        return max(1, PAGE_SIZE - self.stored[page] + PLACEMENT_COST)


def candidates_in(
    match: Match, stored_size: Callable[[bytes], int], kernel: KernelModel = "mainline"
) -> list[Candidate]:
    """The profiled files of a tree. `stored_size` gives the bytes that a page takes compressed.

    Raises TreeError for a file that cannot be read.
    """
    return [
        Candidate(
            file.node.path,
            file.node.size,
            head_of(file.node),
            [min(PAGE_SIZE, stored_size(page)) for page in file.node.chunks(PAGE_SIZE)],
            file.uses,
            file.steady,
            file.processes,
            kernel,
            file.mappings,
        )
        for file in match.files
    ]
