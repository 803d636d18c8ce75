# SPDX-License-Identifier: MIT
"""What the splitter has to know of an ELF file: bytes in, a frozen description out, and headers
packed again.

Files are untrusted: what contradicts itself, or what this project does not understand, is refused
with a reason. Nothing here decides what to split.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

from tinyprof.cramfs.programs import ELF_MAGIC
from tinyprof.errors import TinyprofError
from tinyprof.pages import PAGE_SIZE

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile


PF_X, PF_W, PF_R = 1, 2, 4

APPENDED_SIGNATURE = b"~Module signature appended~\n"
"""What the kernel's scripts/sign-file leaves at the end of a file, IMA's appended signatures
included."""

SIGNATURE_SECTIONS = frozenset(
    {"signature", ".signature", ".sig", ".elfsig", ".pkcs7", ".note.fdo.integrity"}
)
"""Sections that hold a signature or a checksum over the file: bsign, elfsign, libgcrypt's FIPS
check."""

PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_PHDR, PT_GNU_RELRO = 1, 2, 3, 6, 0x6474E552
DT_NULL, DT_NEEDED, DT_TEXTREL, DT_FLAGS, DT_FLAGS_1 = 0, 1, 22, 30, 0x6FFFFFFB
DF_TEXTREL, DF_1_PIE = 4, 0x08000000


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
    """A file that is not split, and why."""

    def __init__(self, reason: Reason, detail: str, hint: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}", hint)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Extent:
    """A range of bytes or addresses, `end` not included."""

    start: int
    end: int

    def overlaps(self, other: Extent) -> bool:
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Segment:
    """One program header, its fields under their own names without the p_."""

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
        """The pages that it occupies, in bytes."""
        return Extent(page_floor(self.vaddr), page_ceil(self.vaddr + self.memsz))

    @property
    def pages(self) -> range:
        """The pages of the file that a loader maps for it."""
        return range(self.offset // PAGE_SIZE, page_ceil(self.offset + self.filesz) // PAGE_SIZE)

    def part(self, start: int, end: int) -> Segment:
        """The part between two of its file offsets; what it has beyond the file stays with its
        last byte."""
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
    """One section header as far as a reader of the file can tell, and the bytes that are its
    own."""

    name: str
    header: tuple[tuple[str, Any], ...]
    in_file: Extent


@dataclass(frozen=True, slots=True)
class Elf:
    """A program or library: `phoff` is where its program headers are, `used` what bytes have an
    owner."""

    data: bytes
    bits: Literal[32, 64]
    order: Literal["little", "big"]
    entry: int
    phoff: int
    segments: tuple[Segment, ...]
    sections: tuple[Section, ...]
    used: tuple[Extent, ...]
    needs: bool
    pie: bool

    @property
    def loads(self) -> tuple[Segment, ...]:
        return tuple(segment for segment in self.segments if segment.loads)

    @property
    def phentsize(self) -> int:
        return 32 if self.bits == 32 else 56

    @property
    def has_interpreter(self) -> bool:
        return any(segment.type == PT_INTERP for segment in self.segments)

    @property
    def may_be_loader(self) -> bool:
        """Whether a kernel may load it as another program's interpreter: ld.so and musl's libc."""
        dynamic = any(segment.type == PT_DYNAMIC for segment in self.segments)
        return (
            bool(self.entry) and dynamic and not (self.has_interpreter or self.needs or self.pie)
        )


def page_floor(value: int) -> int:
    return value & -PAGE_SIZE


def page_ceil(value: int) -> int:
    return -(-value // PAGE_SIZE) * PAGE_SIZE


def read_elf(data: bytes) -> Elf:
    """Describe a file. Raises SplitError for what no loader would take, and for what we do not
    understand."""
    if not data.startswith(ELF_MAGIC):
        raise SplitError(Reason.NOT_ELF, "it does not begin with ELF's magic number")
    try:
        elf = _described(data)
    except SplitError:
        raise
    # pyelftools promises ELFError; contradictory headers make it raise whatever its parts do.
    except Exception as error:
        raise SplitError(
            Reason.ODD_HEADERS, f"they cannot be read ({type(error).__name__})"
        ) from None
    _refuse_odd(elf)
    return elf


def _described(data: bytes) -> Elf:
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415 - takes longer than most commands

    file = ELFFile(io.BytesIO(data))
    header: Mapping[str, Any] = file.header
    if header["e_type"] not in ("ET_EXEC", "ET_DYN"):
        raise SplitError(Reason.NOT_LOADABLE, f"its type is {header['e_type']}")
    bits: Literal[32, 64] = 32 if file.elfclass == 32 else 64
    entry_size = 32 if bits == 32 else 56
    count = header["e_phnum"]
    if header["e_ehsize"] != (52 if bits == 32 else 64):
        raise SplitError(Reason.ODD_HEADERS, f"an ELF header of {header['e_ehsize']} bytes")
    if header["e_phentsize"] != entry_size or not 0 < count < 0xFFFF:
        raise SplitError(
            Reason.ODD_HEADERS, f"{count} program headers of {header['e_phentsize']} bytes"
        )
    table = Extent(header["e_phoff"], header["e_phoff"] + count * entry_size)
    _refuse_beyond(data, table, "the program headers")
    order: Literal["little", "big"] = "little" if file.little_endian else "big"
    segments = tuple(_segments(data[table.start : table.end], bits, order))
    sections, section_table = _sections(data, file)
    dynamic = _dynamic(data, segments, bits, order)
    flags = dynamic.get(DT_FLAGS, 0)
    if DT_TEXTREL in dynamic or flags & DF_TEXTREL:
        raise SplitError(Reason.TEXT_RELOCATIONS, "its code is written to when it is loaded")
    used = [Extent(0, header["e_ehsize"]), table, *section_table]
    used += [section.in_file for section in sections]
    used += [segment.in_file for segment in segments]
    return Elf(
        data,
        bits,
        order,
        header["e_entry"],
        header["e_phoff"],
        segments,
        sections,
        tuple(extent for extent in used if extent.start < extent.end),
        DT_NEEDED in dynamic,
        bool(dynamic.get(DT_FLAGS_1, 0) & DF_1_PIE),
    )


def _layout(bits: int, order: str) -> tuple[struct.Struct, tuple[str, ...]]:
    """How a program header stands in the file, and its fields in that order."""
    prefix = "<" if order == "little" else ">"
    if bits == 32:
        fields = ("type", "offset", "vaddr", "paddr", "filesz", "memsz", "flags", "align")
        return struct.Struct(prefix + "8I"), fields
    fields = ("type", "flags", "offset", "vaddr", "paddr", "filesz", "memsz", "align")
    return struct.Struct(prefix + "2I6Q"), fields


def _segments(table: bytes, bits: int, order: str) -> Iterator[Segment]:
    layout, fields = _layout(bits, order)
    for values in layout.iter_unpack(table):
        yield Segment(**dict(zip(fields, values, strict=True)))


def _sections(data: bytes, file: ELFFile) -> tuple[tuple[Section, ...], list[Extent]]:
    """The sections, and where their headers are; neither where the file has none."""
    if not file.header["e_shoff"] or not file.header["e_shnum"]:
        return (), []
    count = file.num_sections()
    size = file.header["e_shentsize"]
    if size != (40 if file.elfclass == 32 else 64):
        raise SplitError(Reason.ODD_HEADERS, f"section headers of {size} bytes")
    table = Extent(file.header["e_shoff"], file.header["e_shoff"] + count * size)
    _refuse_beyond(data, table, "the section headers")
    if table.start < file.header["e_ehsize"]:
        raise SplitError(Reason.ODD_HEADERS, "the section headers overlap the ELF header")
    sections = []
    for index in range(count):
        section = file.get_section(index)
        header = section.header
        has_bytes = header["sh_type"] not in ("SHT_NOBITS", "SHT_NULL")
        extent = Extent(header["sh_offset"], header["sh_offset"] + header["sh_size"] * has_bytes)
        if has_bytes:
            _refuse_beyond(data, extent, f"section {index}")
        sections.append(Section(section.name, tuple(header.items()), extent))
    return tuple(sections), [table]


def _dynamic(
    data: bytes, segments: tuple[Segment, ...], bits: int, order: Literal["little", "big"]
) -> dict[int, int]:
    """Tags and values of the dynamic table; the last value of a tag that comes more than once."""
    tags: dict[int, int] = {}
    entry = struct.Struct(("<" if order == "little" else ">") + ("II" if bits == 32 else "QQ"))
    for segment in segments:
        if segment.type == PT_DYNAMIC:
            _refuse_beyond(data, segment.in_file, "the dynamic table")
            table = data[
                segment.offset : segment.offset + segment.filesz - segment.filesz % entry.size
            ]
            for tag, value in entry.iter_unpack(table):
                if tag == DT_NULL:
                    break
                tags[tag] = value
    return tags


def _refuse_beyond(data: bytes, extent: Extent, what: str) -> None:
    if extent.end > len(data):
        raise SplitError(
            Reason.TRUNCATED,
            f"{what} would end at byte {extent.end} of {len(data)}",
            "copy the file again",
        )


def _refuse_odd(elf: Elf) -> None:
    """Refuse what loaders disagree on, and what would be wrong after a change of the file's
    bytes."""
    if elf.data.endswith(APPENDED_SIGNATURE):
        raise SplitError(
            Reason.SIGNED, "a signature is appended", "split the file before signing it"
        )
    for section in elf.sections:
        if section.name in SIGNATURE_SECTIONS:
            raise SplitError(
                Reason.SIGNED, f"section {section.name}", "split the file before signing it"
            )
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
    layout, fields = _layout(elf.bits, elf.order)
    return b"".join(
        layout.pack(*(getattr(segment, name) for name in fields)) for segment in segments
    )


def with_table(elf: Elf, data: bytearray, phoff: int, phnum: int) -> None:
    """Point the header in `data` at a program header table; e_phoff and e_phnum are all that
    changes."""
    prefix = "<" if elf.order == "little" else ">"
    at, kind, count_at = (28, "I", 44) if elf.bits == 32 else (32, "Q", 56)
    struct.pack_into(prefix + kind, data, at, phoff)
    struct.pack_into(prefix + "H", data, count_at, phnum)
