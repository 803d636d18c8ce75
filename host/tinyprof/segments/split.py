# SPDX-License-Identifier: MIT
"""Splits an ELF file's loaded segments: bytes and runs of pages in, bytes with other program
headers out.

A stock kernel maps only the leading run of pages of each loaded segment in place. So each run
becomes the beginning of a segment: a piece is a run with the cold pages behind it. Addresses,
offsets, sections and every byte that has an owner stay as they are. A record behind the new table
has all that undo() needs.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from tinyprof.cramfs.elf import EHDR_MAX, PF_R, PT_LOAD, PT_PHDR, read_header
from tinyprof.pages import PAGE_SIZE, page_runs
from tinyprof.segments.elf import Elf, Reason, Segment, SplitError, pack_segments, read_elf
from tinyprof.segments.table import RECORD_SIZE, TablePlace, place_table

MAGIC = b"tpsplit1"
RECORD = struct.Struct("<8sQQI")
"""A magic number, then the original's size, e_phoff and e_phnum. A CRC-32 of these follows. The
record is little endian in every file."""

TABLE_SEGMENT_ALIGN = PAGE_SIZE

EHDR_SIZE = EHDR_MAX
"""Bytes of a file that looks_split() needs. Linkers put the program headers right behind them."""


@dataclass(frozen=True, slots=True, order=True)
class Run:
    """A run of a file's pages that is to be mapped in place, by number; `last` is included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Split:
    """A split file. `leading` are pages that must be in place besides the runs. `mappings` are the
    loaded segments that it has more than before. `table` is None where nothing had to change."""

    elf: bytes
    leading: tuple[int, ...]
    mappings: int
    table: TablePlace | None


@dataclass(frozen=True, slots=True)
class _Record:
    """The original's size, e_phoff and e_phnum."""

    size: int
    phoff: int
    phnum: int


def runs_of(pages: Iterable[int]) -> tuple[Run, ...]:
    """The runs that these pages form."""
    return tuple(Run(first, last) for first, last in page_runs(pages))


def split(data: bytes, runs: Sequence[Run]) -> Split:
    """Let each run begin a segment of its own. A file that is split already is split anew, from
    its original.

    Raises SplitError for a file that must be left whole, and for a run that has pages outside the
    loaded, read-only segments.
    """
    elf = read_elf(original_of(data))
    _refuse_outside(elf, runs)
    merged = runs_of(page for run in runs for page in range(run.first, run.last + 1))
    cuts = _cuts(elf, merged)
    if not any(cuts):
        return Split(elf.data, (), 0, None)
    count = len(elf.segments) + sum(len(cut) for cut in cuts)
    place = place_table(elf, count)
    pieces = _pieces(elf, cuts, place)
    size = len(pieces) * elf.phentsize + RECORD_SIZE
    table = pack_segments(elf, [_placed(segment, place, size) for segment in pieces])
    out = bytearray(elf.data)
    out.extend(bytes(max(0, place.offset + size - len(out))))
    out[place.offset : place.offset + size] = table + _record(elf)
    elf.layout.point_to_table(out, place.offset, len(pieces))
    leading = {load.pages[0] for load, cut in zip(elf.loads, cuts, strict=True) if cut}
    # ld.so first maps the whole library with the rights of the first segment. The pieces that it
    # maps over that must not merge with the rest of it (docs/split-segments.md).
    leading.add(elf.loads[0].pages[0])
    leading -= {page for run in merged for page in range(run.first, run.last + 1)}
    return Split(
        bytes(out), tuple(sorted(leading)), sum(map(len, cuts)) + (place.segment is None), place
    )


def splittable(elf: Elf) -> list[range]:
    """The file's pages in each loaded segment that can be split: those that are not writable."""
    return [load.pages for load in elf.loads if not load.writable and load.filesz]


def looks_split(head: bytes) -> bool:
    """Whether a file that begins with these EHDR_SIZE bytes may have been split; undo() tells."""
    found = read_header(head) if len(head) >= EHDR_SIZE else None
    if found is None:
        return False
    layout, header = found
    return header.phoff > layout.ehsize


def original_of(data: bytes) -> bytes:
    """The original of a split file; any other file's own bytes."""
    try:
        return undo(data)
    except SplitError:
        return data


def undo(data: bytes) -> bytes:
    """The original of a split file, byte for byte. Raises SplitError for a file that is not
    split."""
    elf = read_elf(data)
    end = elf.phoff + len(elf.segments) * elf.phentsize
    record = _read_record(data[end : end + RECORD_SIZE])
    if record is None or not _possible(record, elf):
        raise SplitError(Reason.NOT_SPLIT, "there is no record behind its program headers")
    out = bytearray(data)
    out[elf.phoff : end + RECORD_SIZE] = bytes(end + RECORD_SIZE - elf.phoff)
    elf.layout.point_to_table(out, record.phoff, record.phnum)
    return bytes(out[: record.size])


def _record(elf: Elf) -> bytes:
    record = RECORD.pack(MAGIC, len(elf.data), elf.phoff, len(elf.segments))
    return record + zlib.crc32(record).to_bytes(4, "little")


def _read_record(data: bytes) -> _Record | None:
    if len(data) < RECORD_SIZE or not data.startswith(MAGIC):
        return None
    if zlib.crc32(data[: RECORD.size]).to_bytes(4, "little") != data[RECORD.size : RECORD_SIZE]:
        return None
    return _Record(*RECORD.unpack_from(data)[1:])


def _possible(record: _Record, elf: Elf) -> bool:
    """Whether the original that the record describes fits into this file; a record may be
    forged."""
    end = record.phoff + record.phnum * elf.phentsize
    return 0 < record.phnum <= len(elf.segments) and end <= record.size <= len(elf.data)


def _refuse_outside(elf: Elf, runs: Sequence[Run]) -> None:
    owned = {page for pages in splittable(elf) for page in pages}
    for run in runs:
        page = run.first
        while page in owned and page <= run.last:
            page += 1
        if page <= run.last:
            where = f"page {page} is in no loaded segment that is read-only"
            raise SplitError(
                Reason.OUTSIDE, where, "see `readelf -lW`; a page is 4096 bytes of the file"
            )


def _cuts(elf: Elf, runs: Sequence[Run]) -> list[list[int]]:
    """The pages that begin a further piece, for each loaded segment."""
    cuts = []
    for load in elf.loads:
        starts = [max(run.first, load.pages.start) for run in runs if _meet(run, load)]
        cuts.append([start for start in starts if start != load.pages.start])
    return cuts


def _meet(run: Run, load: Segment) -> bool:
    return not load.writable and run.first < load.pages.stop and run.last >= load.pages.start


def _pieces(elf: Elf, cuts: Sequence[Sequence[int]], place: TablePlace) -> list[Segment]:
    """All segments in order. The loaded ones are cut. The one that holds the table has grown, or
    is new."""
    out: list[Segment] = []
    loads = zip(elf.loads, cuts, range(len(cuts)), strict=True)
    size = RECORD_SIZE + elf.phentsize * (
        len(elf.segments) + sum(map(len, cuts)) + (place.segment is None)
    )
    for segment in elf.segments:
        if not segment.loads:
            out.append(segment)
            continue
        load, cut, index = next(loads)
        edges = [load.offset, *(page * PAGE_SIZE for page in cut), load.offset + load.filesz]
        parts = [load.part(start, end) for start, end in pairwise(edges)]
        if place.segment == index:
            parts = _grown(parts, place, size)
        out += parts
        if place.segment is None and index == len(cuts) - 1:
            align = TABLE_SEGMENT_ALIGN
            out.append(
                Segment(PT_LOAD, PF_R, place.offset, place.vaddr, place.vaddr, size, size, align)
            )
    return out


def _grown(parts: list[Segment], place: TablePlace, size: int) -> list[Segment]:
    """The pieces of the segment that holds the table: the first or the last reaches to it."""
    first, last = parts[0], parts[-1]
    if place.offset < first.offset:
        down = first.offset - place.offset
        grown = replace(
            first,
            offset=first.offset - down,
            vaddr=first.vaddr - down,
            paddr=max(first.paddr - down, 0),
            filesz=first.filesz + down,
            memsz=first.memsz + down,
        )
        return [grown, *parts[1:]]
    length = place.offset + size - last.offset
    return [*parts[:-1], replace(last, filesz=length, memsz=length)]


def _placed(segment: Segment, place: TablePlace, size: int) -> Segment:
    """The segment; a PT_PHDR with the table's new place, without the record behind it."""
    if segment.type != PT_PHDR:
        return segment
    length, at = size - RECORD_SIZE, place.vaddr
    return replace(segment, offset=place.offset, vaddr=at, paddr=at, filesz=length, memsz=length)
