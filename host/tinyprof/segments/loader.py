# SPDX-License-Identifier: MIT
"""What a loader makes of an ELF file: a description in, its memory out.

Follows the kernel's elf_load() and ld.so's _dl_map_segments() for 4 KiB pages: whole pages of the
file are mapped where a segment lies, later segments over earlier ones, and the bss is zero.
Nothing is relocated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tinyprof.pages import PAGE_SIZE
from tinyprof.segments.elf import Elf, Segment, page_ceil, page_floor


@dataclass(frozen=True, slots=True)
class MappedPage:
    """A page of memory that shows one of the file: its flags (PF_R, PF_W, PF_X), its bytes, its
    place."""

    flags: int
    data: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Pages by address, and stretches of zeros with their flags; addresses as in the file."""

    pages: Mapping[int, MappedPage]
    zeros: frozenset[tuple[int, int, int]]


def memory_of(elf: Elf) -> Memory:
    """What is mapped. A stretch of zeros may be as long as the address space, so it is never
    spelled out."""
    pages: dict[int, MappedPage] = {}
    zeros: set[tuple[int, int, int]] = set()
    for load in elf.loads:
        if load.filesz:
            _map_file(pages, elf.data, load)
        if load.memsz > load.filesz:
            start = load.vaddr + load.filesz
            _clear_last(pages, load, start)
            end = page_ceil(load.vaddr + load.memsz)
            if page_ceil(start) < end:
                zeros.add((page_ceil(start), end, load.flags))
    return Memory(pages, frozenset(zeros))


def _map_file(pages: dict[int, MappedPage], data: bytes, load: Segment) -> None:
    shift = load.vaddr - load.offset
    for page in load.pages:
        offset = page * PAGE_SIZE
        content = data[offset : offset + PAGE_SIZE].ljust(PAGE_SIZE, b"\0")
        pages[offset + shift] = MappedPage(load.flags, content, offset)


def _clear_last(pages: dict[int, MappedPage], load: Segment, start: int) -> None:
    """padzero(): the rest of the page behind the file's last byte, where it can be written to."""
    last = pages.get(page_floor(start))
    if start % PAGE_SIZE and last and load.writable:
        kept = last.data[: start % PAGE_SIZE].ljust(PAGE_SIZE, b"\0")
        pages[page_floor(start)] = MappedPage(load.flags, kept, last.offset)
