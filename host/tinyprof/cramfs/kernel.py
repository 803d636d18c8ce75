# SPDX-License-Identifier: MIT
"""Judges pages: the pages wanted of one file in, the pages worth storing in place out. Tells too
which pages of a finished image a kernel maps.

Each model follows cramfs_physmem_mmap() and cramfs_read_folio() of a kernel. It gives a reason for
each page that is left out. A page that no kernel would map from flash only makes an image larger.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from tinyprof.cramfs.programs import EM_RISCV, Part, machine_of, mapped_parts
from tinyprof.pages import PAGE_SIZE, pages_in

KernelModel = Literal["patched", "mainline", "nommu"]
"""`patched` has tinyprof's fault handler (docs/kernel.md). `mainline` is a stock kernel, and
`nommu` is a stock kernel without an MMU."""

KERNEL_MODELS: tuple[KernelModel, ...] = ("patched", "mainline", "nommu")

KERNEL_WORDS: Mapping[KernelModel, str] = {
    "patched": "a patched kernel",
    "mainline": "a stock kernel",
    "nommu": "a kernel without an MMU",
}
"""The words for each model in a sentence."""

MEMORY_WORDS: Mapping[KernelModel, str] = {
    "patched": "page cache",
    "mainline": "page cache",
    "nommu": "copies in RAM",
}
"""The memory that pages take on each kernel where they are not in place. Without an MMU a mapping
is copied to RAM."""

BEYOND = "beyond the end of the file"
NO_CODE_FROM_FLASH = "a RISC-V kernel that maps code from flash crashes (flush_icache_pte)"
READS_ZEROS = (
    "a whole last page stored in place reads as zeros on a stock kernel (cramfs_read_folio)"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The pages of one file that go in place, and the reason for each other page that was
    wanted."""

    in_place: frozenset[int]
    refused: Mapping[int, str]


def judge(
    kernel: KernelModel,
    head: bytes,
    size: int,
    wanted: Collection[int],
    *,
    riscv_code: bool = False,
) -> Verdict:
    """Decide over the pages `wanted` of a file of `size` bytes that begins with `head`
    (programs.head_of()). `riscv_code`: see maps_no_code()."""
    pages = pages_in(size)
    refused = {page: BEYOND for page in wanted if not 0 <= page < pages}
    legal = set(wanted) - refused.keys()
    if maps_no_code(kernel, head, riscv_code=riscv_code):
        code = {
            page
            for part in mapped_parts(head, size) or ()
            if part.executable
            for page in part.pages
        }
        refused.update((page, NO_CODE_FROM_FLASH) for page in legal & code)
        legal -= code
    if kernel == "patched":
        return Verdict(frozenset(legal), refused)
    if pages - 1 in legal and size % PAGE_SIZE == 0:
        refused[pages - 1] = READS_ZEROS
        legal.discard(pages - 1)
    parts = mapped_parts(head, size)
    if parts is None:
        parts = (Part(0, pages, False, False),)
    readable = [part for part in parts if not part.writable]
    if kernel == "mainline":
        useful, reasons = _leading_runs(readable, legal)
    else:
        whole_last = -1 if size % PAGE_SIZE else pages - 1
        useful, reasons = _whole_parts(readable, legal, whole_last)
    for page in legal - useful:
        refused[page] = reasons.get(page, "no read-only mapping of a program shows it")
    return Verdict(frozenset(useful), refused)


def mapped_pages(
    kernel: KernelModel,
    head: bytes,
    size: int,
    places: Mapping[int, int],
    *,
    riscv_code: bool = False,
) -> frozenset[int]:
    """The pages that a kernel maps from flash, of a file of `size` bytes that begins with `head`.

    `places` has the byte of the image at which each page in place stands. A stock kernel maps
    pages only as far as they stand behind one another there (cramfs_get_block_range()). The rules
    are those of judge(), but for a whole last page: it is mapped, though read() gives zeros.
    """
    parts = mapped_parts(head, size) or (Part(0, pages_in(size), False, False),)
    if maps_no_code(kernel, head, riscv_code=riscv_code):
        code = {page for part in parts if part.executable for page in part.pages}
        places = {page: at for page, at in places.items() if page not in code}
    if kernel == "patched":
        return frozenset(places)
    found: set[int] = set()
    for part in _merged([part for part in parts if not part.writable], places):
        run = _neighbours(part, places)
        if kernel == "mainline" or len(run) == len(part.pages):
            found.update(run)
    return frozenset(found)


def _neighbours(part: Part, places: Mapping[int, int]) -> range:
    """The leading pages of a part that stand behind one another in the image."""
    start = places.get(part.first, 0)
    end = part.first
    while end < part.end and places.get(end) == start + (end - part.first) * PAGE_SIZE:
        end += 1
    return range(part.first, end)


def maps_no_code(kernel: KernelModel, head: bytes, *, riscv_code: bool = False) -> bool:
    """Whether a program that begins with `head` is for a machine whose kernel must not map its
    code from flash.

    On RISC-V, flush_icache_pte() marks the struct page of all code that is mapped. Flash has no
    struct page, so the kernel oopses or changes other RAM. Seen on 6.1 and 6.12
    (tests/target/test_riscv64.py). `riscv_code`: this kernel leaves such pages out (patch 0007 of
    docs/kernel.md).
    """
    return kernel != "nommu" and not riscv_code and machine_of(head) == EM_RISCV


def _leading_runs(parts: Iterable[Part], legal: set[int]) -> tuple[set[int], dict[int, str]]:
    """The pages that a stock kernel maps: of each mapping the run of blocks that it begins with
    (cramfs_get_block_range())."""
    useful: set[int] = set()
    reasons: dict[int, str] = {}
    for part in _merged(parts, legal):
        gap = next((page for page in part.pages if page not in legal), part.end)
        useful.update(range(part.first, gap))
        reason = (
            f"a stock kernel maps only up to page {gap}, the first of its mapping that is "
            "not in place"
        )
        reasons.update((page, reason) for page in range(gap, part.end))
    return useful, reasons


def _merged(parts: Iterable[Part], legal: Container[int]) -> list[Part]:
    """The mappings as a kernel has them.

    1. A mapping that begins where an equal one ended becomes part of that one.
    2. A mapping whose first page is in place stays alone: vma_merge() leaves it out (VM_SPECIAL).
    """
    merged: list[Part] = []
    for part in parts:
        last = merged[-1] if merged else None
        if last and last.goes_on_in(part) and last.first not in legal:
            merged[-1] = replace(last, end=part.end)
        else:
            merged.append(part)
    return merged


def _whole_parts(
    parts: Iterable[Part], legal: set[int], whole_last: int
) -> tuple[set[int], dict[int, str]]:
    """The pages that a kernel without an MMU maps: a mapping in one stretch of flash, or none of
    it (cramfs_physmem_get_unmapped_area()). `whole_last`: the file's last page if it is a whole
    one, else −1."""
    useful: set[int] = set()
    reasons: dict[int, str] = {}
    for part in parts:
        if legal.issuperset(part.pages):
            useful.update(part.pages)
            continue
        reason = (
            f"without an MMU pages {part.first} to {part.end - 1} are mapped in place together "
            "or not at all"
        )
        if whole_last in part.pages and legal.issuperset({*part.pages} - {whole_last}):
            reason = f"{READS_ZEROS}; one byte more at the file's end would put it in place"
        reasons.update((page, reason) for page in part.pages)
    return useful, reasons
