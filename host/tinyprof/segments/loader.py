# SPDX-License-Identifier: MIT
"""Loads an ELF file on paper: a description in, its memory out.

This follows the kernel's elf_load() and ld.so's _dl_map_segments() for pages of 4 KiB. A segment
is mapped in whole pages of the file, a later segment over an earlier one. The bss is zero. Nothing
is relocated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tinyprof.pages import PAGE_SIZE
from tinyprof.segments.elf import Elf, Segment, page_ceil, page_floor


class MappedPage(NamedTuple):
    """A page of memory that shows a page of the file.

    `flags` are PF_R, PF_W and PF_X. `offset` is the page's first byte in the file. The page shows
    `length` bytes of it; the bytes behind them are zero.
    """

    flags: int
    offset: int
    length: int

    def bytes_in(self, data: bytes) -> bytes:
        """The page's bytes, of a file with this content."""
        return data[self.offset : self.offset + self.length].ljust(PAGE_SIZE, b"\0")


@dataclass(frozen=True, slots=True)
class Memory:
    """The mapped pages by address, and the stretches of zeros as (start, end, flags).

    Addresses are those of the file.
    """

    pages: Mapping[int, MappedPage]
    zeros: frozenset[tuple[int, int, int]]


def memory_of(elf: Elf) -> Memory:
    """The memory of a loaded file.

    A stretch of zeros may be as long as the address space, so it has no pages.
    """
    pages: dict[int, MappedPage] = {}
    zeros: set[tuple[int, int, int]] = set()
    for load in elf.loads:
        if load.filesz:
            _map_file(pages, load)
        if load.memsz > load.filesz:
            start = load.vaddr + load.filesz
            _clear_last(pages, load, start)
            end = page_ceil(load.vaddr + load.memsz)
            if page_ceil(start) < end:
                zeros.add((page_ceil(start), end, load.flags))
    return Memory(pages, frozenset(zeros))


def _map_file(pages: dict[int, MappedPage], load: Segment) -> None:
    shift = load.vaddr - load.offset
    for page in load.pages:
        offset = page * PAGE_SIZE
        pages[offset + shift] = MappedPage(load.flags, offset, PAGE_SIZE)


def _clear_last(pages: dict[int, MappedPage], load: Segment, start: int) -> None:
    """Clear the page behind the segment's last byte, as the kernel's padzero() does.

    The kernel does so only where the page can be written to.
    """
    last = pages.get(page_floor(start))
    if start % PAGE_SIZE and last and load.writable:
        length = min(last.length, start % PAGE_SIZE)
        pages[page_floor(start)] = MappedPage(load.flags, last.offset, length)
