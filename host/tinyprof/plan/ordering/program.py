# SPDX-License-Identifier: MIT
"""The functions and the read-only data of a program: its bytes, its debug file and its linker map
in, named ranges of the file out.

All three are untrusted. A symbol that cannot be true is left out and counted.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tinyprof.cramfs.elf import (
    EM_ARM,
    PT_LOAD,
    SECTIONS_MAX,
    SHT_DYNSYM,
    SHT_NOBITS,
    SHT_SYMTAB,
    STT_FUNC,
    STT_GNU_IFUNC,
    STT_OBJECT,
    Header,
    HeaderLayout,
    SectionHeader,
    read_header,
    section_table,
)
from tinyprof.errors import TinyprofError
from tinyprof.rootfs.elf_names import NAME_CHARACTERS_MAX, SYMBOLS_MAX

SHT_NOTE = 7
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR = 1, 2, 4
NT_GNU_BUILD_ID = 3

NOTE_MAX = 256
"""Bytes of a note that are read. A build id has 20, or 32."""

LONGEST_NAME = 16_384
"""Bytes of a symbol's name. A longer name is left out: a linker would not know a shortened one."""


class OrderingError(TinyprofError):
    """Names that do not belong to a program, or that cannot be read."""


class Function(NamedTuple):
    """A function or an object: its place in the file, its name, and whether it is code.

    `section` is its input section where a linker map told it.
    """

    offset: int
    size: int
    name: str
    code: bool
    section: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """A program's functions and objects, sorted by their place.

    `code` are the stretches of the file with executable sections, as first byte and end. `unsized`
    and `outside` count the symbols that were left out: of no size, and not in the file.
    """

    size: int
    functions: tuple[Function, ...]
    code: tuple[tuple[int, int], ...]
    unsized: int = 0
    outside: int = 0


class Piece(NamedTuple):
    """A function or an object as a linker map has it: its address in place of its offset."""

    address: int
    size: int
    name: str
    section: str


class _Elf(NamedTuple):
    data: bytes
    layout: HeaderLayout
    header: Header
    sections: Sequence[SectionHeader]


class _Load(NamedTuple):
    vaddr: int
    size: int
    offset: int


def read_program(data: bytes, debug: bytes = b"", pieces: Sequence[Piece] = ()) -> Program | None:
    """The functions of a program, of its separate debug file, and of its linker map.

    None: it is no ELF file. Raises OrderingError for a debug file of another build, and for a map
    of another link.
    """
    elf = _opened(data)
    if elf is None:
        return None
    tables = [elf]
    if debug:
        separate = _opened(debug)
        _check_build(elf, separate)
        tables += [separate] if separate else []
    loads = _loads(elf)
    reading = _Reading(len(data), loads, elf.header.machine == EM_ARM)
    if pieces:
        functions = set(reading.of_map(pieces, elf.sections))
        if not functions:
            raise OrderingError(
                "its linker map is of another link: none of its sections lies in the program",
                "give the map that was written when this program was linked",
            )
    else:
        functions = {it for table in tables for it in reading.of_symbols(table)}
    ranges = [
        (it.offset, it.offset + it.size)
        for it in elf.sections
        if it.flags & SHF_EXECINSTR and it.type != SHT_NOBITS and it.offset + it.size <= len(data)
    ]
    return Program(
        len(data), tuple(sorted(functions)), tuple(ranges), reading.unsized, reading.outside
    )


def build_id(data: bytes) -> str:
    """The build id of an ELF file in hexadecimal digits; empty where it has none."""
    elf = _opened(data)
    return _build_id(elf) if elf else ""


def _opened(data: bytes) -> _Elf | None:
    found = read_header(data)
    if found is None:
        return None
    layout, header = found
    at, count = section_table(data, layout, header)
    table = data[at : at + layout.section.size * min(count, SECTIONS_MAX)]
    return _Elf(data, layout, header, list(layout.sections(table)))


def _loads(elf: _Elf) -> list[_Load]:
    at = elf.header.phoff
    table = elf.data[at : at + elf.layout.segment.size * elf.header.phnum]
    return sorted(
        _Load(it.vaddr, it.filesz, it.offset)
        for it in elf.layout.segments(table)
        if it.type == PT_LOAD
    )


def _build_id(elf: _Elf) -> str:
    words = struct.Struct(elf.layout.prefix + "3I")
    for section in elf.sections:
        note = elf.data[section.offset : section.offset + min(section.size, NOTE_MAX)]
        if section.type != SHT_NOTE or len(note) < words.size + 4:
            continue
        _, size, kind = words.unpack_from(note)
        if kind == NT_GNU_BUILD_ID and note[12:16] == b"GNU\0":
            return note[16 : 16 + size].hex()
    return ""


def _check_build(elf: _Elf, debug: _Elf | None) -> None:
    """Raises OrderingError unless the debug file is of this very build."""
    if debug is None:
        raise OrderingError("its debug file is no ELF file", "give the debug file of this build")
    own, other = _build_id(elf), _build_id(debug)
    if own != other:
        raise OrderingError(
            f"its debug file is of another build: build id {other[:16] or 'none'}, not "
            f"{own[:16] or 'none'}",
            "give the debug file of this build",
        )
    # Without ids, the places of the code tell builds apart.
    if not own and _code_places(elf) != _code_places(debug):
        raise OrderingError(
            "its debug file is of another build: its code lies elsewhere",
            "give the debug file of this build",
        )


def _code_places(elf: _Elf) -> list[tuple[int, int]]:
    return [(it.addr, it.size) for it in elf.sections if it.flags & SHF_EXECINSTR]


class _Reading:
    """Turns addresses into places of the file, and counts those that are none."""

    def __init__(self, size: int, loads: Sequence[_Load], arm: bool) -> None:
        self.unsized = self.outside = 0
        self._size, self._loads, self._arm = size, loads, arm
        self._addresses = [load.vaddr for load in loads]

    def of_symbols(self, elf: _Elf) -> Iterator[Function]:
        """The functions and read-only objects in the symbol tables of a file."""
        left, characters = SYMBOLS_MAX, NAME_CHARACTERS_MAX
        kinds = [_kind_of(section) for section in elf.sections]
        for table in elf.sections:
            if table.type not in (SHT_SYMTAB, SHT_DYNSYM) or table.link >= len(elf.sections):
                continue
            strings = elf.sections[table.link]
            names = elf.data[strings.offset : strings.offset + strings.size]
            entry = elf.layout.symbol.size
            count = min(left, table.size // entry)
            left -= count
            for symbol in elf.layout.symbols(
                elf.data[table.offset : table.offset + count * entry]
            ):
                kind = symbol.info & 15
                code = kinds[symbol.shndx] if 0 < symbol.shndx < len(kinds) else None
                if kind not in (STT_FUNC, STT_OBJECT, STT_GNU_IFUNC) or code is None:
                    continue
                if not symbol.size:
                    self.unsized += 1
                    continue
                # On ARM bit 0 of a function's address says that it is Thumb code.
                thumb = self._arm and kind != STT_OBJECT
                place = self._place(symbol.value & ~1 if thumb else symbol.value, symbol.size)
                name = _name_at(names, symbol.name)
                if place is None:
                    self.outside += 1
                elif name:
                    characters -= len(name)
                    if characters < 0:
                        return
                    yield Function(place, symbol.size, name, code)

    def of_map(
        self, pieces: Iterable[Piece], sections: Sequence[SectionHeader]
    ) -> Iterator[Function]:
        """The pieces of a linker map that lie in the file's code and read-only data."""
        known = sorted(
            (it.addr, it.size, code)
            for it in sections
            if it.addr and (code := _kind_of(it)) is not None
        )
        starts = [addr for addr, _, _ in known]
        for piece in pieces:
            at = bisect_right(starts, piece.address) - 1
            if at < 0 or piece.address + piece.size > known[at][0] + known[at][1]:
                self.outside += 1
                continue
            place = self._place(piece.address, piece.size)
            if place is not None:
                yield Function(place, piece.size, piece.name, known[at][2], piece.section)

    def _place(self, address: int, size: int) -> int | None:
        """The byte of the file at an address; None if the whole range is not in the file."""
        at = bisect_right(self._addresses, address) - 1
        if at < 0:
            return None
        load = self._loads[at]
        inside = address + size <= load.vaddr + load.size
        place = address - load.vaddr + load.offset
        return place if inside and place + size <= self._size else None


def _kind_of(section: SectionHeader) -> bool | None:
    """Whether a section is code; None for one that is neither code nor read-only data."""
    if not section.flags & SHF_ALLOC or section.flags & SHF_WRITE:
        return None
    return bool(section.flags & SHF_EXECINSTR)


def _name_at(names: bytes, at: int) -> str:
    """The name at a place of a string table, without the version that a linker puts behind @."""
    end = names.find(b"\0", at, at + LONGEST_NAME)
    name = names[at:end].decode("utf-8", "surrogateescape") if end > at else ""
    return name.partition("@")[0]
