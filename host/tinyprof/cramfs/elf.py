# SPDX-License-Identifier: MIT
"""The headers of an ELF file: bytes in, their fields out, for both classes and both byte orders.

The layouts and the names of the fields are those of elf.h, without its prefixes. Every part of
tinyprof that reads ELF decodes it here. Nothing here judges what the fields say.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from tinyprof.cramfs.streams import crc32

ELF_MAGIC = b"\x7fELF"
ET_EXEC, ET_DYN = 2, 3
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_PHDR, PT_GNU_RELRO = 1, 2, 3, 6, 0x6474E552
PF_X, PF_W, PF_R = 1, 2, 4
SHT_NULL, SHT_SYMTAB, SHT_NOBITS, SHT_DYNSYM = 0, 2, 8, 11
SHN_UNDEF, SHN_XINDEX = 0, 0xFFFF
STT_OBJECT, STT_FUNC, STT_GNU_IFUNC = 1, 2, 10
DT_NULL, DT_NEEDED, DT_TEXTREL, DT_FLAGS, DT_FLAGS_1 = 0, 1, 22, 30, 0x6FFFFFFB
DF_TEXTREL, DF_1_PIE = 4, 0x08000000
EM_ARM = 40

TABLE_MAX = 4096
"""Bytes of program headers. The kernel's load_elf_phdrs() takes no more (ELF_MIN_ALIGN)."""

SECTIONS_MAX = 4096
"""Section headers. Linked programs have some 30. A file with more is not understood."""

NAME_MAX = 256
"""Bytes of a section's or symbol's name that are kept. C++ and Rust have longer names."""

NAME_READ_MAX = 4096
"""Bytes of a name that are read. Names may overlap in a file, so that each could be as long as the
file."""

IDENT_SIZE = 16
"""Bytes of e_ident. The other fields of the ELF header follow it."""

EHDR_MAX = 64
"""Bytes of the longer ELF header, Elf64_Ehdr."""


class SegmentHeader(NamedTuple):
    """A program header, Elf32_Phdr or Elf64_Phdr."""

    type: int
    flags: int
    offset: int
    vaddr: int
    paddr: int
    filesz: int
    memsz: int
    align: int


class SectionHeader(NamedTuple):
    """A section header, Elf32_Shdr or Elf64_Shdr."""

    name: int
    type: int
    flags: int
    addr: int
    offset: int
    size: int
    link: int
    info: int
    addralign: int
    entsize: int


class ElfSymbol(NamedTuple):
    """A symbol, Elf32_Sym or Elf64_Sym."""

    name: int
    value: int
    size: int
    info: int
    other: int
    shndx: int


class Header(NamedTuple):
    """The ELF header from e_type on, Elf32_Ehdr or Elf64_Ehdr."""

    type: int
    machine: int
    version: int
    entry: int
    phoff: int
    shoff: int
    flags: int
    ehsize: int
    phentsize: int
    phnum: int
    shentsize: int
    shnum: int
    shstrndx: int


@dataclass(frozen=True, slots=True)
class HeaderLayout:
    """How the structures of one class and one byte order are packed."""

    wide: bool
    prefix: str
    header: struct.Struct
    segment: struct.Struct
    section: struct.Struct
    symbol: struct.Struct
    dynamic: struct.Struct

    @property
    def ehsize(self) -> int:
        """Bytes of the ELF header."""
        return IDENT_SIZE + self.header.size

    def segments(self, table: bytes) -> Iterator[SegmentHeader]:
        """The program headers in a table; bytes behind the last whole one are ignored."""
        for fields in self.segment.iter_unpack(_whole(table, self.segment)):
            yield self._segment(fields)

    def segment_at(self, data: bytes, at: int) -> SegmentHeader:
        """The program header that begins at byte `at`. Raises struct.error beyond the end."""
        return self._segment(self.segment.unpack_from(data, at))

    def _segment(self, fields: tuple[int, ...]) -> SegmentHeader:
        if self.wide:
            return SegmentHeader(*fields)
        # In Elf32_Phdr p_flags is the last field but one.
        kind, offset, vaddr, paddr, filesz, memsz, flags, align = fields
        return SegmentHeader(kind, flags, offset, vaddr, paddr, filesz, memsz, align)

    def pack_segment(self, segment: SegmentHeader) -> bytes:
        """A program header's bytes."""
        if self.wide:
            return self.segment.pack(*segment)
        return self.segment.pack(segment.type, *segment[2:7], segment.flags, segment.align)

    def sections(self, table: bytes) -> Iterator[SectionHeader]:
        """The section headers in a table; bytes behind the last whole one are ignored."""
        for fields in self.section.iter_unpack(_whole(table, self.section)):
            yield SectionHeader(*fields)

    def symbols(self, table: bytes) -> Iterator[ElfSymbol]:
        """The symbols in a table; bytes behind the last whole one are ignored."""
        for fields in self.symbol.iter_unpack(_whole(table, self.symbol)):
            if self.wide:
                name, info, other, shndx, value, size = fields
                yield ElfSymbol(name, value, size, info, other, shndx)
            else:
                yield ElfSymbol(*fields)

    def dynamic_entries(self, table: bytes) -> Iterator[tuple[int, int]]:
        """The tags and values in a dynamic table; bytes behind the last whole one are ignored."""
        entries = self.dynamic.iter_unpack(_whole(table, self.dynamic))
        return cast("Iterator[tuple[int, int]]", entries)

    def point_to_table(self, data: bytearray, phoff: int, phnum: int) -> None:
        """Set e_phoff and e_phnum in a file's bytes, and nothing else."""
        struct.pack_into(self.prefix + ("Q" if self.wide else "I"), data, PHOFF[self.wide], phoff)
        struct.pack_into(self.prefix + "H", data, PHNUM[self.wide], phnum)


PHOFF, PHNUM = {False: 28, True: 32}, {False: 44, True: 56}
"""The bytes at which e_phoff and e_phnum stand, by whether the class is 64 bit."""


def _whole(table: bytes, entry: struct.Struct) -> bytes:
    extra = len(table) % entry.size
    return table[:-extra] if extra else table


def _layout(wide: bool, prefix: str) -> HeaderLayout:
    narrow_tables = ("2H5I6H", "8I", "10I", "3I2BH", "2I")
    wide_tables = ("2HI3QI6H", "2I6Q", "2I4Q2I2Q", "I2BH2Q", "2Q")
    tables = wide_tables if wide else narrow_tables
    return HeaderLayout(wide, prefix, *(struct.Struct(prefix + table) for table in tables))


_LAYOUTS = {
    bytes([size, order]): _layout(wide, prefix)
    for size, wide in ((1, False), (2, True))
    for order, prefix in ((1, "<"), (2, ">"))
}
"""By the bytes EI_CLASS and EI_DATA of e_ident."""


def layout_of(head: bytes) -> HeaderLayout | None:
    """The layout of the file that begins with `head`; None if it is no ELF file, or of a class or
    byte order that elf.h does not know."""
    return _LAYOUTS.get(head[4:6]) if head.startswith(ELF_MAGIC) else None


def read_header(head: bytes) -> tuple[HeaderLayout, Header] | None:
    """The layout and the ELF header of the file that begins with `head` (EHDR_MAX bytes of it are
    enough); None if it is no ELF file, or ends within its header."""
    layout = layout_of(head)
    if layout is None or len(head) < layout.ehsize:
        return None
    return layout, Header(*layout.header.unpack_from(head, IDENT_SIZE))


def name_at(data: bytes, strings: SectionHeader | None, at: int) -> str:
    """The name that begins `at` bytes into a string table; empty outside it.

    A name of more than NAME_MAX bytes ends in its checksum. Names of templates begin alike and
    differ at their ends, and a function is found again by its name.
    """
    if strings is None or at >= strings.size or strings.offset + at >= len(data):
        return ""
    start = strings.offset + at
    end = data.find(b"\0", start, start + NAME_READ_MAX)
    raw = data[start : end if end >= 0 else start + NAME_READ_MAX]
    if len(raw) > NAME_MAX:
        checksum = b"~%08x" % crc32(raw)
        raw = raw[: NAME_MAX - len(checksum)] + checksum
    return raw.decode("utf-8", "surrogateescape")


def section_table(data: bytes, layout: HeaderLayout, header: Header) -> tuple[int, int]:
    """Where the section headers begin, and their number; (0, 0) where the file has none.

    The file decides both, so either may lie beyond its end.
    """
    size = layout.section.size
    if not header.shoff or header.shentsize != size:
        return 0, 0
    count = header.shnum
    if not count and header.shoff + size <= len(data):
        # Too many for 16 bits: the size of section 0 is the number.
        count = SectionHeader(*layout.section.unpack_from(data, header.shoff)).size
    return (header.shoff, count) if count else (0, 0)


def section_names(header: Header, sections: Sequence[SectionHeader]) -> SectionHeader | None:
    """The string table with the sections' names."""
    if not sections:
        return None
    number = sections[0].link if header.shstrndx == SHN_XINDEX else header.shstrndx
    return sections[number] if number < len(sections) else None
