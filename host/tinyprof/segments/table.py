# SPDX-License-Identifier: MIT
"""Where a longer program header table can stand: a file in, a place for a number of headers out.

The table must be mapped, since ld.so, unwinders and debuggers read it from memory, and it is read
from the file too, so a page that it alone needs is one more of the page cache. The best place is
therefore unused space in a page that is read anyway: where the code ends and the writable data
begins. Only zeros that belong to nobody are taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinyprof.pages import PAGE_SIZE
from tinyprof.segments.elf import (
    PT_GNU_RELRO,
    Elf,
    Extent,
    Reason,
    Segment,
    SplitError,
    page_ceil,
    page_floor,
)

TABLE_MAX = PAGE_SIZE
"""load_elf_phdrs() of the kernel takes no table longer than ELF_MIN_ALIGN."""

RECORD_SIZE = 32
"""Behind the table stands what --undo needs to know, see record.py."""

TABLE_ALIGN = 8
HOLE_MAX = 256 * PAGE_SIZE
"""How far a file may grow, in zeros, so that a program's table stands above its bss."""


@dataclass(frozen=True, slots=True)
class TablePlace:
    """Where the table goes in the file and in memory, and the loaded segment that grows to hold
    it.

    `segment` is None where the table gets a segment of its own. `cached_anyway` tells that the
    page is in the page cache without the table, because writable data begins in it.
    """

    offset: int
    vaddr: int
    segment: int | None
    cached_anyway: bool = False


def place_table(elf: Elf, count: int) -> TablePlace:
    """The cheapest place for `count` program headers, or for one more in a segment of its own.

    Raises SplitError where the kernel takes no table as long, or where there is no place.
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
    """Bytes behind a segment that it could grow over before it meets the next, in the file or in
    memory."""
    load = elf.loads[index]
    start = load.offset + load.filesz
    if load.memsz != load.filesz or not load.filesz:
        return Extent(start, start)
    above = [other.in_memory.start for other in elf.loads[index + 1 :]]
    room = (min(above) if above else page_ceil(load.vaddr + load.filesz)) - load.vaddr
    owned = [extent.start for extent in elf.used if extent.end > start]
    return Extent(start, min(load.offset + room, len(elf.data), *owned, len(elf.data)))


def _space_before(elf: Elf, load: Segment) -> Extent:
    """Bytes before a segment in its first page, if that is read-only once the program runs."""
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
    owned = [extent.end for extent in elf.used if extent.start < load.offset]
    return Extent(max(page_floor(load.offset), *owned, 0), load.offset)


def _fit(elf: Elf, space: Extent, size: int, end_first: bool) -> int | None:
    """Where a table fits into a space, in one page of the file and on zeros only."""
    if end_first:
        offset = (space.end - size) & -TABLE_ALIGN
    else:
        offset = _in_one_page(-(-space.start // TABLE_ALIGN) * TABLE_ALIGN, size)
    fits = space.start <= offset and offset + size <= space.end
    return offset if fits and not any(elf.data[offset : offset + size]) else None


def _in_one_page(offset: int, size: int) -> int:
    """The first offset from this one on where a table does not cross the end of a page."""
    return page_ceil(offset) if offset % PAGE_SIZE + size > PAGE_SIZE else offset


def _above(elf: Elf, size: int) -> TablePlace:
    """A place of its own behind the end of the file, mapped above all else.

    Kernels before 5.18, and ld.so for itself, take the table's address for the first segment's
    plus e_phoff, so for whatever a kernel may start the offset has to follow the address.
    """
    last = elf.loads[-1]
    if elf.may_be_loader and last.memsz > last.filesz:
        # load_elf_interp() takes the end of the topmost segment for the beginning of the bss.
        raise SplitError(Reason.NO_PLACE, "a program interpreter's bss must stay on top")
    if any(elf.data[max(extent.end for extent in elf.used) :]):
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
