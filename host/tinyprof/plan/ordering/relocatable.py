# SPDX-License-Identifier: MIT
"""Prepares the recording link: object files in, the same with sections that begin pages out.

A linker puts a section at a multiple of its alignment. So where each function has a section of its
own (-ffunction-sections), a larger alignment in the section headers lets each function begin a
page. Nothing else in the object changes, and no byte moves.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tinyprof.cramfs.elf import Header, HeaderLayout, SectionHeader, read_header, section_table
from tinyprof.pages import PAGE_SIZE, pages_in
from tinyprof.plan.ordering.program import SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, OrderingError

ET_REL, SHT_PROGBITS = 1, 1
SHF_MERGE = 0x10
ARCHIVE, THIN_ARCHIVE = b"!<arch>\n", b"!<thin>\n"
MEMBER_HEAD = 60
"""Bytes of the head of an archive's member (struct ar_hdr)."""

CODE, DATA = ".text.", ".rodata."

Chosen = Callable[[str], bool]
"""Whether an input section is to begin a page, by its name."""


@dataclass(frozen=True, slots=True)
class Aligned:
    """An object file or an archive after the alignment.

    - `sections`: number of sections that begin pages now; `size`: bytes of the pages they take.
    - `objects`: number of objects. `plain`: those of them whose functions share one section.
    """

    data: bytes
    sections: int
    size: int
    objects: int
    plain: int


def align_functions(
    data: bytes, chosen: Chosen = lambda section: True, *, with_data: bool = False
) -> Aligned:
    """Let each chosen function of an object or an archive begin a page; `with_data`: read-only
    objects too. Raises OrderingError for any other file."""
    result = bytearray(data)
    sections = size = objects = plain = 0
    for start, end in _objects(data):
        found = read_header(data[start:end])
        if found is None or found[1].type != ET_REL:
            if start:
                # An archive has a table of symbols, and may have members of any kind.
                continue
            raise OrderingError("no object file and no archive", "give what the linker is given")
        objects += 1
        code, own = False, False
        for at, name, section in _sections(data[start:end], *found):
            is_code = bool(section.flags & SHF_EXECINSTR)
            code = code or is_code
            own = own or (is_code and name.startswith(CODE))
            if not _is_single(name, section, with_data) or not chosen(name):
                continue
            word, place = ("Q", 48) if found[0].wide else ("I", 32)
            wanted = max(PAGE_SIZE, section.addralign)
            struct.pack_into(found[0].prefix + word, result, start + at + place, wanted)
            sections += 1
            size += pages_in(section.size) * PAGE_SIZE
        plain += code and not own
    return Aligned(bytes(result), sections, size, objects, plain)


def _objects(data: bytes) -> Iterator[tuple[int, int]]:
    """Where the objects in a file begin and end: those of an archive, or the file itself."""
    if data.startswith(THIN_ARCHIVE):
        raise OrderingError("a thin archive has no objects in it", "give its objects")
    if not data.startswith(ARCHIVE):
        yield 0, len(data)
        return
    at = len(ARCHIVE)
    while at + MEMBER_HEAD <= len(data):
        digits = data[at + 48 : at + 58].strip()
        if data[at + 58 : at + MEMBER_HEAD] != b"`\n" or not digits.isdigit():
            raise OrderingError("a broken archive", "build it again")
        start = at + MEMBER_HEAD
        end = start + int(digits)
        if end > len(data):
            raise OrderingError("an archive that is cut short", "build it again")
        yield start, end
        at = end + end % 2


def _sections(
    data: bytes, layout: HeaderLayout, header: Header
) -> Iterator[tuple[int, str, SectionHeader]]:
    """The sections with bytes that a program loads: where the header stands, name and header.

    Objects of one C file may have more than SECTIONS_MAX sections.
    """
    first, count = section_table(data, layout, header)
    size = layout.section.size
    count = min(count, max(0, len(data) - first) // size)
    sections = list(layout.sections(data[first : first + count * size]))
    number = sections[0].link if sections and header.shstrndx == 0xFFFF else header.shstrndx
    if number >= len(sections):
        return
    strings = sections[number]
    names = data[strings.offset : strings.offset + strings.size]
    for place, it in enumerate(sections):
        if it.type == SHT_PROGBITS and it.flags & SHF_ALLOC and it.size:
            end = names.find(b"\0", it.name)
            name = names[it.name : max(end, it.name)].decode("utf-8", "surrogateescape")
            yield first + place * size, name, it


def _is_single(name: str, section: SectionHeader, with_data: bool) -> bool:
    """Whether a section holds a single function, or, `with_data`, a single read-only object."""
    if section.flags & SHF_EXECINSTR:
        return name.startswith(CODE)
    return with_data and name.startswith(DATA) and not section.flags & (SHF_WRITE | SHF_MERGE)
