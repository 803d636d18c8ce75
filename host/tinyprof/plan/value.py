# SPDX-License-Identifier: MIT
"""The value and the cost of a page in place: its use and its stored size in, bytes of RAM and of
flash out.

1. A page that is in the page cache wherever it is stored has no value. On the patched kernel there
   is no such page: it reads and copies blocks in place straight from flash.
2. Any other page has the value of the page cache that it would take, times the share of the steady
   state in which it was mapped. On the patched kernel any use counts.
3. Without an MMU a mapping that is not in place is copied to RAM when the first process maps it.
   The copy goes with the last one (do_mmap_private()). Processes share a copy that none of them
   may write to (VM_MAYSHARE). So any mapped page has the value of its copy, whatever else used it,
   times the share of the steady state in which it was mapped.

Every command that chooses pages to store in place asks here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tinyprof.cramfs.kernel import KernelModel
from tinyprof.cramfs.programs import head_of
from tinyprof.pages import PAGE_SIZE
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
class Candidate:
    """A file with pages that may go in place.

    - `size`: bytes.
    - `head`: its first bytes, as many as mapped_parts() needs.
    - `stored`: the bytes that each page takes compressed.
    - `uses`: its used pages.
    - `steady`: number of epochs of the steady state in which the uses are counted.
    - `processes`: the number of processes that map it at once; None where it is not known.
    - `kernel`: the kernel that maps it.
    - `riscv_code`: the kernel can map code of RISC-V programs too (cramfs.kernel.maps_no_code()).
    """

    path: str
    size: int
    head: bytes
    stored: Sequence[int]
    uses: Mapping[int, PageUse]
    steady: int
    processes: int | None = None
    kernel: KernelModel = "mainline"
    riscv_code: bool = False

    @property
    def from_flash(self) -> bool:
        """Whether the kernel reads and copies blocks in place straight from flash
        (cramfs_xip_read_iter()), so that every used page pays."""
        return self.kernel == "patched"

    def is_copied(self, page: int) -> bool:
        """Whether the page has a copy of its own in RAM, beside the page cache."""
        use = self.uses.get(page)
        return self.kernel == "nommu" and use is not None and use.mapped is not None

    def value(self, page: int) -> int:
        """The RAM that the page saves in place, in bytes; 0 where it does not pay."""
        use = self.uses.get(page)
        if use is None or not (self.from_flash or self.is_copied(page) or pays(use)):
            return 0
        counted = use.any if self.from_flash or use.mapped is None else use.mapped
        share = counted.steady / self.steady if self.steady else 0.0
        return round(PAGE_SIZE * min(1.0, max(share, ONCE_SHARE)))

    def cost(self, page: int) -> int:
        """The flash that the page costs in place, in bytes, at most."""
        return max(1, PAGE_SIZE - self.stored[page] + PLACEMENT_COST)


def candidates_in(
    match: Match,
    stored_size: Callable[[bytes], int],
    kernel: KernelModel = "mainline",
    *,
    riscv_code: bool = False,
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
            riscv_code,
        )
        for file in match.files
    ]
