# SPDX-License-Identifier: MIT
"""Finds a place for a longer program header table: a file and a number of headers in, a place out.

The table must be mapped, since ld.so, unwinders and debuggers read it from memory. The kernel
reads it from the file too, so a page that only the table needs takes a page of the page cache. The
best place is therefore unused space in a page that is read anyway: where the code ends and the
writable data begins. Only zeros that nobody owns are taken.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from tinyprof.cramfs.elf import PT_GNU_RELRO, TABLE_MAX
from tinyprof.pages import PAGE_SIZE
from tinyprof.segments.elf import (
    Elf,
    Extent,
    Reason,
    Segment,
    SplitError,
    page_ceil,
    page_floor,
)

RECORD_SIZE = 32
"""Bytes of the record behind the table (split.RECORD and its CRC-32), which undo() reads."""

TABLE_ALIGN = 8
"""Bytes."""

HOLE_MAX = 256 * PAGE_SIZE
"""Bytes of zeros by which a file may grow, so that a program's table stands above its bss."""


@dataclass(frozen=True, slots=True)
class TablePlace:
    """The table's place in the file and in memory.

    `segment` is the number of the loaded segment that grows to hold it; None where the table gets
    a segment of its own. `cached_anyway`: the page is in the page cache without the table too,
    because writable data begins in it.
    """

    offset: int
    vaddr: int
    segment: int | None
    cached_anyway: bool = False


def place_table(elf: Elf, count: int) -> TablePlace:
    """The cheapest place for `count` program headers.

    Where only a segment of its own is left, the place has room for the header of that one too.
    Raises SplitError where no kernel takes so long a table, and where there is no place.
    """
    if (count + 1) * elf.phentsize > TABLE_MAX:
        most = TABLE_MAX // elf.phentsize - 1
        raise SplitError(
            Reason.TABLE_TOO_LONG, f"it would have {count} program headers of at most {most}"
        )
    size = count * elf.phentsize + RECORD_SIZE
    inside = sorted(_inside(elf, size), key=lambda place: not place.cached_anyway)
    return inside[0] if inside else _above(elf, size + elf.phentsize)


def _inside(elf: Elf, size: int) -> Iterator[TablePlace]:
    """Places in the unused space behind read-only segments, and before writable ones."""
    loads = elf.loads
    written = [extent for load in loads if load.writable for extent in [_file_pages(load)]]
    for index, load in enumerate(loads):
        if load.writable:
            space, end_first = _space_before(elf, load), True
        else:
            space, end_first = _space_behind(elf, index), False
        offset = _fit(elf, space, size, end_first)
        if offset is None:
            continue
        vaddr = load.vaddr - load.offset + offset
        if not elf.entry or vaddr - offset == loads[0].vaddr - loads[0].offset:
            table = Extent(offset, offset + size)
            yield TablePlace(
                offset, vaddr, index, any(table.overlaps(extent) for extent in written)
            )


def _file_pages(load: Segment) -> Extent:
    return Extent(page_floor(load.offset), page_ceil(load.offset + load.filesz))


def _space_behind(elf: Elf, index: int) -> Extent:
    """The bytes behind a segment up to the next segment or owned byte, in the file and in
    memory."""
    load = elf.loads[index]
    start = load.offset + load.filesz
    if load.memsz != load.filesz or not load.filesz:
        return Extent(start, start)
    above = [other.in_memory.start for other in elf.loads[index + 1 :]]
    room = (min(above) if above else page_ceil(load.vaddr + load.filesz)) - load.vaddr
    end = min(load.offset + room, len(elf.data))
    following = bisect_right(elf.used, start, key=lambda extent: extent.end)
    if following < len(elf.used):
        end = min(end, elf.used[following].start)
    return Extent(start, end)


def _space_before(elf: Elf, load: Segment) -> Extent:
    """The free bytes before a segment in its first page, if RELRO makes that page read-only."""
    relro = any(
        other.type == PT_GNU_RELRO
        and other.vaddr == load.vaddr
        and page_floor(other.vaddr + other.memsz) > page_floor(load.vaddr)
        for other in elf.segments
    )
    below = max(
        (other.vaddr + other.memsz for other in elf.loads if other.vaddr < load.vaddr), default=0
    )
    if not relro or below > page_floor(load.vaddr):
        return Extent(load.offset, load.offset)
    start = page_floor(load.offset)
    before = bisect_left(elf.used, load.offset, key=lambda extent: extent.start)
    if before:
        start = max(start, elf.used[before - 1].end)
    return Extent(start, load.offset)


def _fit(elf: Elf, space: Extent, size: int, end_first: bool) -> int | None:
    """Where a table fits into a space, in one page of the file and on zeros only."""
    if end_first:
        offset = (space.end - size) & -TABLE_ALIGN
    else:
        offset = _in_one_page(-(-space.start // TABLE_ALIGN) * TABLE_ALIGN, size)
    fits = space.start <= offset and offset + size <= space.end
    return offset if fits and not any(elf.data[offset : offset + size]) else None


def _in_one_page(offset: int, size: int) -> int:
    """The first offset from `offset` on at which a table of `size` bytes lies in one page."""
    return page_ceil(offset) if offset % PAGE_SIZE + size > PAGE_SIZE else offset


def _above(elf: Elf, size: int) -> TablePlace:
    """A place behind the end of the file, in a segment of its own above all others.

    Kernels before 5.18, and ld.so for its own headers, compute the table's address as the first
    segment's address plus e_phoff. So for every file with an entry point the offset has to follow
    the address.
    """
    last = elf.loads[-1]
    if elf.may_be_loader and last.memsz > last.filesz:
        # load_elf_interp() lets the bss begin at the end of the topmost segment.
        raise SplitError(Reason.NO_PLACE, "a program interpreter's bss must stay on top")
    if any(elf.data[elf.used[-1].end :]):
        raise SplitError(Reason.NO_PLACE, "other data is appended to the file")
    end = -(-len(elf.data) // TABLE_ALIGN) * TABLE_ALIGN
    top = max(load.in_memory.end for load in elf.loads)
    if elf.entry:
        first = elf.loads[0]
        distance = first.vaddr - first.offset
        offset = _in_one_page(max(end, top - distance), size)
        vaddr = offset + distance
    else:
        offset = _in_one_page(end, size)
        vaddr = top + offset % PAGE_SIZE
    if offset - len(elf.data) > HOLE_MAX:
        grown = offset - len(elf.data)
        raise SplitError(Reason.NO_PLACE, f"its bss would make the file grow by {grown} bytes")
    if vaddr + size > 1 << elf.bits:
        raise SplitError(Reason.NO_PLACE, "the address space ends above its last segment")
    return TablePlace(offset, vaddr, None)
