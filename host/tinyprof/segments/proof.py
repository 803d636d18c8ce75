# SPDX-License-Identifier: MIT
"""Proves that a split file equals its original: the bytes of both in, a list of differences out.

The split file is read anew and loaded on paper (loader.py), so a mistake of the splitter shows
here. The list has every difference that a program, a loader, or a reader of sections and symbols
could notice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tinyprof.cramfs.elf import PT_PHDR
from tinyprof.pages import PAGE_SIZE
from tinyprof.segments.elf import (
    Elf,
    Extent,
    Segment,
    SplitError,
    page_ceil,
    page_floor,
    read_elf,
)
from tinyprof.segments.loader import MappedPage, Memory, memory_of
from tinyprof.segments.split import undo
from tinyprof.segments.table import RECORD_SIZE


@dataclass(frozen=True, slots=True)
class Proof:
    """The number of pages of memory and of sections compared, and every difference, as text.

    `mappings`: loaded segments that the split file has more than its original.
    """

    pages: int
    sections: int
    mappings: int
    differences: tuple[str, ...]


def prove(original: bytes, data: bytes) -> Proof:
    """Compare a split file with its original. Raises SplitError where one cannot be read."""
    before, after = read_elf(original), read_elf(data)
    table = Extent(after.phoff, after.phoff + len(after.segments) * after.phentsize + RECORD_SIZE)
    # Two fields of the ELF header tell where the table is. All other bytes have to be the same.
    unmarked = bytearray(data)
    after.layout.point_to_table(unmarked, before.phoff, len(before.segments))
    after_unmarked = replace(after, data=bytes(unmarked))
    memory = memory_of(before)
    differences = [
        *_undo_differs(original, data),
        *_bytes_differ(before, after_unmarked, table),
        *_memory_differs(before, memory, after_unmarked, table),
        *_sections_differ(before, after_unmarked, table),
        *_segments_differ(before, after, table),
    ]
    mappings = len(after.loads) - len(before.loads)
    return Proof(len(memory.pages), len(before.sections), mappings, tuple(differences))


def _undo_differs(original: bytes, data: bytes) -> Iterator[str]:
    try:
        if undo(data) != original:
            yield "undoing the split does not give the original"
    except SplitError as error:
        yield f"the split cannot be undone: {error}"


def _bytes_differ(before: Elf, after: Elf, table: Extent) -> Iterator[str]:
    """Compare the bytes of the file. The new table may stand only on zeros that nobody owns."""
    for extent in before.used:
        if extent.overlaps(table):
            yield f"the table lies on bytes {extent.start:#x} to {extent.end:#x}, which are in use"
    rest = bytearray(after.data[: len(before.data)])
    end = min(table.end, len(rest))
    if table.start < end:
        rest[table.start : end] = before.data[table.start : end]
    if bytes(rest) != before.data:
        yield "bytes of the file other than its program headers have changed"
    if any(after.data[len(before.data) : max(table.start, len(before.data))]):
        yield "there is more than the table behind the original's end"


def _memory_differs(before: Elf, memory: Memory, after: Elf, table: Extent) -> Iterator[str]:
    other = memory_of(after)
    if memory.zeros != other.zeros:
        yield "the bss is another"
    for address, page in memory.pages.items():
        now = other.pages.get(address)
        if now is None:
            yield f"address {address:#x} is no longer mapped"
        elif now.flags != page.flags:
            yield f"address {address:#x} has flags {now.flags:#x} instead of {page.flags:#x}"
        elif now.offset != page.offset:
            yield f"address {address:#x} shows another page of the file"
        elif _shows_other_bytes(now, after, page, before, table):
            yield f"the page at address {address:#x} has other bytes"
    for address in other.pages.keys() - memory.pages.keys():
        offset = other.pages[address].offset
        if not Extent(offset, offset + PAGE_SIZE).overlaps(table):
            yield f"address {address:#x} is mapped, and was not"


def _shows_other_bytes(
    now: MappedPage, after: Elf, page: MappedPage, before: Elf, table: Extent
) -> bool:
    """Whether two mappings of one page of the file show other bytes outside the table."""
    if now == page and not Extent(page.offset, page.offset + PAGE_SIZE).overlaps(table):
        # _bytes_differ() compares all bytes of the file outside the table.
        return False
    return _outside(now, after, table) != _outside(page, before, table)


def _outside(page: MappedPage, elf: Elf, table: Extent) -> bytes:
    """A page's bytes without those that the table may take."""
    start, end = (min(max(edge - page.offset, 0), PAGE_SIZE) for edge in (table.start, table.end))
    data = page.bytes_in(elf.data)
    return data[:start] + data[end:]


def _sections_differ(before: Elf, after: Elf, table: Extent) -> Iterator[str]:
    """Compare the header of every section, and its bytes where the table may lie on them.

    Symbols, notes and unwind tables are bytes of sections. _bytes_differ() compares all bytes
    outside of the table.
    """
    if len(before.sections) != len(after.sections):
        yield f"there are {len(after.sections)} sections instead of {len(before.sections)}"
        return
    for old, new in zip(before.sections, after.sections, strict=True):
        if old != new:
            yield f"section {old.name} has another header"
        else:
            here = slice(
                max(old.in_file.start, table.start),
                max(table.start, min(old.in_file.end, table.end, len(before.data))),
            )
            if before.data[here] != after.data[here]:
                yield f"section {old.name} has other bytes"


def _segments_differ(before: Elf, after: Elf, table: Extent) -> Iterator[str]:
    """Compare the other program headers, and hold the loaded ones to the rules of loaders."""
    kept = [
        segment for segment in before.segments if not segment.loads and segment.type != PT_PHDR
    ]
    if kept != [
        segment for segment in after.segments if not segment.loads and segment.type != PT_PHDR
    ]:
        yield "program headers other than PT_LOAD and PT_PHDR have changed"
    holders = [
        load for load in after.loads if load.offset <= after.phoff < load.offset + load.filesz
    ]
    if len(holders) != 1 or holders[0].offset + holders[0].filesz < table.end:
        yield "no one loaded segment holds the program headers"
        return
    address = after.phoff - holders[0].offset + holders[0].vaddr
    first = after.loads[0]
    if before.entry and address != after.phoff - first.offset + first.vaddr:
        yield "the program headers are not where kernels before 5.18 look for them"
    if _phdrs(after) != [_moved(it, after.phoff, address, after) for it in _phdrs(before)]:
        yield "PT_PHDR does not tell where the program headers are"
    if page_ceil(table.end) - page_floor(table.start) > PAGE_SIZE:
        yield "the program headers cross the end of a page"
    if before.may_be_loader and before.loads[-1].memsz > before.loads[-1].filesz:
        top = after.loads[-1]
        if top.in_memory.end != before.loads[-1].in_memory.end:
            yield "a program interpreter's bss is not on top"


def _phdrs(elf: Elf) -> list[Segment]:
    return [segment for segment in elf.segments if segment.type == PT_PHDR]


def _moved(segment: Segment, offset: int, vaddr: int, elf: Elf) -> Segment:
    """PT_PHDR as it has to be for a table at `offset` and `vaddr`."""
    size = len(elf.segments) * elf.phentsize
    return replace(segment, offset=offset, vaddr=vaddr, paddr=vaddr, filesz=size, memsz=size)
