# SPDX-License-Identifier: MIT
"""Describes an ELF file for the splitter: bytes in, a frozen description out.

A file is untrusted. A file is refused with a reason where its headers contradict one another, and
where this project does not understand them. Nothing here decides which segments to split.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, replace
from enum import Enum
from functools import lru_cache
from typing import Literal

from tinyprof.cramfs.elf import (
    DF_1_PIE,
    DF_TEXTREL,
    DT_FLAGS,
    DT_FLAGS_1,
    DT_NEEDED,
    DT_NULL,
    DT_TEXTREL,
    ELF_MAGIC,
    ET_DYN,
    ET_EXEC,
    PF_W,
    PT_DYNAMIC,
    PT_INTERP,
    PT_LOAD,
    SECTIONS_MAX,
    SHT_NOBITS,
    SHT_NULL,
    TABLE_MAX,
    Header,
    HeaderLayout,
    SectionHeader,
    SegmentHeader,
    name_at,
    read_header,
    section_names,
    section_table,
)
from tinyprof.errors import TinyprofError
from tinyprof.pages import PAGE_SIZE, pages_in

APPENDED_SIGNATURE = b"~Module signature appended~\n"
"""The end of a file that the kernel's scripts/sign-file signed. IMA's appended signatures end
like this too."""

SIGNATURE_SECTIONS = frozenset(
    {"signature", ".signature", ".sig", ".elfsig", ".pkcs7", ".note.fdo.integrity"}
)
"""Names of sections with a signature or a checksum over the file, as bsign, elfsign and
libgcrypt's FIPS check make them."""


class Reason(Enum):
    """Why a file is left whole."""

    NOT_ELF = "no ELF file"
    NOT_LOADABLE = "no program or shared library"
    TRUNCATED = "cut short"
    ODD_HEADERS = "odd headers"
    TEXT_RELOCATIONS = "text relocations"
    SIGNED = "signed"
    TABLE_TOO_LONG = "too many runs"
    NO_PLACE = "no place for the program headers"
    OUTSIDE = "run outside"
    NOT_SPLIT = "not split"
    UNPROVED = "not proved"
    ARCHITECTURE = "not on this architecture"


class SplitError(TinyprofError):
    """A file that is left whole, and the reason."""

    def __init__(self, reason: Reason, detail: str, hint: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}", hint)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True, order=True)
class Extent:
    """A range of bytes or addresses; `end` is not included."""

    start: int
    end: int

    def overlaps(self, other: Extent) -> bool:
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Segment:
    """A program header. The fields have the names of elf.h without p_."""

    type: int
    flags: int
    offset: int
    vaddr: int
    paddr: int
    filesz: int
    memsz: int
    align: int

    @property
    def loads(self) -> bool:
        return self.type == PT_LOAD

    @property
    def writable(self) -> bool:
        return bool(self.flags & PF_W)

    @property
    def in_file(self) -> Extent:
        return Extent(self.offset, self.offset + self.filesz)

    @property
    def in_memory(self) -> Extent:
        """The addresses of the pages that the segment occupies."""
        return Extent(page_floor(self.vaddr), page_ceil(self.vaddr + self.memsz))

    @property
    def pages(self) -> range:
        """The pages of the file that a loader maps for the segment."""
        return range(self.offset // PAGE_SIZE, pages_in(self.offset + self.filesz))

    def part(self, start: int, end: int) -> Segment:
        """The part between two file offsets. The bss stays with the part that ends the segment."""
        shift = start - self.offset
        last = end == self.offset + self.filesz
        memsz = self.memsz - shift if last else end - start
        return replace(
            self,
            offset=start,
            vaddr=self.vaddr + shift,
            paddr=self.paddr + shift,
            filesz=end - start,
            memsz=memsz,
        )


@dataclass(frozen=True, slots=True)
class Section:
    """A section: its name, its header, and its bytes in the file."""

    name: str
    header: SectionHeader
    in_file: Extent


@dataclass(frozen=True, slots=True)
class Elf:
    """A program or library.

    `phoff` is the offset of its program headers. `used` are the bytes that headers, sections and
    segments own, as extents that do not overlap, sorted. `needs`: it names libraries to load.
    """

    data: bytes
    layout: HeaderLayout
    entry: int
    phoff: int
    segments: tuple[Segment, ...]
    sections: tuple[Section, ...]
    used: tuple[Extent, ...]
    needs: bool
    pie: bool

    @property
    def bits(self) -> Literal[32, 64]:
        return 64 if self.layout.wide else 32

    @property
    def loads(self) -> tuple[Segment, ...]:
        return tuple(segment for segment in self.segments if segment.loads)

    @property
    def phentsize(self) -> int:
        return self.layout.segment.size

    @property
    def has_interpreter(self) -> bool:
        return any(segment.type == PT_INTERP for segment in self.segments)

    @property
    def may_be_loader(self) -> bool:
        """Whether a kernel may load it as the interpreter of another program.

        ld.so and musl's libc are such files.
        """
        dynamic = any(segment.type == PT_DYNAMIC for segment in self.segments)
        return (
            bool(self.entry) and dynamic and not (self.has_interpreter or self.needs or self.pie)
        )


def page_floor(value: int) -> int:
    return value & -PAGE_SIZE


def page_ceil(value: int) -> int:
    return pages_in(value) * PAGE_SIZE


@lru_cache(maxsize=2)
def read_elf(data: bytes) -> Elf:
    """Describe a file.

    Raises SplitError for a file that no loader would take, and for one that is not understood. The
    last descriptions are kept, as splitting and proving read the same file several times.
    """
    if not data.startswith(ELF_MAGIC):
        raise SplitError(Reason.NOT_ELF, "it does not begin with ELF's magic number")
    found = read_header(data)
    if found is None:
        raise SplitError(Reason.ODD_HEADERS, "the ELF header is of no known kind, or cut short")
    elf = _described(data, *found)
    _refuse_signed(elf)
    _refuse_odd(elf)
    return elf


def _described(data: bytes, layout: HeaderLayout, header: Header) -> Elf:
    if header.type not in (ET_EXEC, ET_DYN):
        raise SplitError(Reason.NOT_LOADABLE, f"its type (e_type) is {header.type}")
    table = _segment_table(data, layout, header)
    segments = tuple(Segment(*fields) for fields in layout.segments(data[table.start : table.end]))
    sections, section_headers = _sections(data, layout, header)
    dynamic = _dynamic(data, segments, layout)
    if DT_TEXTREL in dynamic or dynamic.get(DT_FLAGS, 0) & DF_TEXTREL:
        raise SplitError(Reason.TEXT_RELOCATIONS, "its code is written to when it is loaded")
    used = [Extent(0, header.ehsize), table, section_headers]
    used += [section.in_file for section in sections]
    used += [segment.in_file for segment in segments]
    return Elf(
        data,
        layout,
        header.entry,
        header.phoff,
        segments,
        sections,
        tuple(_joined(used)),
        DT_NEEDED in dynamic,
        bool(dynamic.get(DT_FLAGS_1, 0) & DF_1_PIE),
    )


def _segment_table(data: bytes, layout: HeaderLayout, header: Header) -> Extent:
    """Where the program headers are."""
    if header.ehsize != layout.ehsize:
        raise SplitError(Reason.ODD_HEADERS, f"an ELF header of {header.ehsize} bytes")
    size = layout.segment.size
    if header.phentsize != size or not header.phnum:
        raise SplitError(
            Reason.ODD_HEADERS, f"{header.phnum} program headers of {header.phentsize} bytes"
        )
    if header.phnum * size > TABLE_MAX:
        raise SplitError(
            Reason.ODD_HEADERS,
            f"{header.phnum} program headers; a kernel takes at most {TABLE_MAX // size}",
        )
    table = Extent(header.phoff, header.phoff + header.phnum * size)
    _refuse_beyond(data, table, "the program headers")
    return table


def _sections(
    data: bytes, layout: HeaderLayout, header: Header
) -> tuple[tuple[Section, ...], Extent]:
    """The sections, and the bytes of their headers; no bytes where the file has none."""
    size = layout.section.size
    if not header.shoff or not header.shnum:
        return (), Extent(0, 0)
    if header.shentsize != size:
        raise SplitError(Reason.ODD_HEADERS, f"section headers of {header.shentsize} bytes")
    start, count = section_table(data, layout, header)
    if count > SECTIONS_MAX:
        raise SplitError(Reason.ODD_HEADERS, f"{count} sections; at most {SECTIONS_MAX} are read")
    table = Extent(start, start + count * size)
    _refuse_beyond(data, table, "the section headers")
    if table.start < header.ehsize:
        raise SplitError(Reason.ODD_HEADERS, "the section headers overlap the ELF header")
    headers = list(layout.sections(data[table.start : table.end]))
    strings = section_names(header, headers)
    sections = []
    for index, found in enumerate(headers):
        has_bytes = found.type not in (SHT_NOBITS, SHT_NULL)
        extent = Extent(found.offset, found.offset + found.size * has_bytes)
        if has_bytes:
            _refuse_beyond(data, extent, f"section {index}")
        sections.append(Section(name_at(data, strings, found.name), found, extent))
    return tuple(sections), table


def _dynamic(data: bytes, segments: Iterable[Segment], layout: HeaderLayout) -> dict[int, int]:
    """The values of the dynamic table by their tags; of a tag that comes twice the last value."""
    tables = [segment for segment in segments if segment.type == PT_DYNAMIC]
    if len(tables) > 1:
        raise SplitError(Reason.ODD_HEADERS, f"{len(tables)} dynamic tables")
    tags: dict[int, int] = {}
    for segment in tables:
        _refuse_beyond(data, segment.in_file, "the dynamic table")
        table = data[segment.offset : segment.offset + segment.filesz]
        for tag, value in layout.dynamic_entries(table):
            if tag == DT_NULL:
                break
            tags[tag] = value
    return tags


def _joined(extents: Iterable[Extent]) -> list[Extent]:
    """The same bytes as extents that neither overlap nor touch, sorted."""
    found: list[Extent] = []
    for extent in sorted(extents):
        if extent.start >= extent.end:
            continue
        if found and extent.start <= found[-1].end:
            found[-1] = Extent(found[-1].start, max(found[-1].end, extent.end))
        else:
            found.append(extent)
    return found


def _refuse_beyond(data: bytes, extent: Extent, part: str) -> None:
    if extent.end > len(data):
        raise SplitError(
            Reason.TRUNCATED,
            f"{part} would end at byte {extent.end} of {len(data)}",
            "copy the file again",
        )


def _refuse_signed(elf: Elf) -> None:
    """Refuse a file with a signature, which would be wrong after any change of its bytes."""
    found = "a signature is appended" if elf.data.endswith(APPENDED_SIGNATURE) else ""
    for section in elf.sections:
        if section.name in SIGNATURE_SECTIONS:
            found = found or f"section {section.name}"
    if found:
        raise SplitError(Reason.SIGNED, found, "split the file before signing it")


def _refuse_odd(elf: Elf) -> None:
    """Refuse headers on which loaders disagree."""
    if not elf.loads:
        raise SplitError(Reason.NOT_LOADABLE, "nothing of it is loaded")
    for index, segment in enumerate(elf.segments):
        _refuse_beyond(elf.data, segment.in_file, f"segment {index}")
    before = 0
    for index, segment in enumerate(elf.loads):
        where = f"loaded segment {index}"
        if (segment.vaddr - segment.offset) % PAGE_SIZE:
            raise SplitError(
                Reason.ODD_HEADERS,
                f"{where} is not aligned to pages: its address and its offset differ",
            )
        highest = max(segment.vaddr, segment.paddr) + segment.memsz
        if segment.filesz > segment.memsz or highest > 1 << elf.bits:
            raise SplitError(Reason.ODD_HEADERS, f"{where} has impossible sizes")
        if segment.vaddr < before:
            raise SplitError(Reason.ODD_HEADERS, f"{where} begins below the end of the one before")
        before = segment.vaddr + segment.memsz


def pack_segments(elf: Elf, segments: Sequence[Segment]) -> bytes:
    """A program header table in the file's class and byte order."""
    return b"".join(
        elf.layout.pack_segment(SegmentHeader(*astuple(segment))) for segment in segments
    )
