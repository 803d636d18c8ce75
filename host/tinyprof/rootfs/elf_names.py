# SPDX-License-Identifier: MIT
"""The names that an ELF file gives to its bytes: a file in, its sections and functions by their
place out.

A file is untrusted. Of tables that are broken, or longer than any real one, what makes sense
counts, and the time that they take is bounded by the limits below, whatever they say of their own
size.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import NamedTuple

from tinyprof.cramfs.programs import ELF_MAGIC, PT_LOAD
from tinyprof.pages import PAGE_SIZE
from tinyprof.profile.model import NamedRange

SECTIONS_MAX = 4096
SYMBOLS_MAX = 500_000
"""Of all symbol tables of one file together; the largest kernels have some 200,000."""

PLACES_MAX = 1_000_000
"""Pages of all symbols of one file, counted for each: real ones hardly overlap."""

NAME_MAX = 256
"""Bytes of a name; what C++ makes of templates may be longer, and nobody reads it."""

SHT_NULL, SHT_SYMTAB, SHT_NOBITS, SHT_DYNSYM = 0, 2, 8, 11
STT_OBJECT, STT_FUNC, STT_GNU_IFUNC = 1, 2, 10
SHN_UNDEF, SHN_XINDEX = 0, 0xFFFF
EM_ARM = 40
BROKEN = (struct.error, KeyError, IndexError)


@dataclass(frozen=True)
class Names:
    """Sections that have bytes in the file, and functions and objects, both sorted by their
    place."""

    sections: tuple[NamedRange, ...] = ()
    functions: tuple[NamedRange, ...] = ()

    def sections_on(self, page: int) -> Sequence[str]:
        """The sections that have bytes on a page of the file."""
        return self._sections.get(page, ())

    def functions_on(self, page: int) -> Sequence[str]:
        """The functions and objects that have bytes on a page of the file."""
        return self._functions.get(page, ())

    @cached_property
    def _sections(self) -> Mapping[int, Sequence[str]]:
        return _by_page(self.sections)

    @cached_property
    def _functions(self) -> Mapping[int, Sequence[str]]:
        return _by_page(self.functions)


NO_NAMES = Names()


def _by_page(symbols: Iterable[NamedRange]) -> Mapping[int, Sequence[str]]:
    found: dict[int, list[str]] = {}
    places = (
        (page, symbol.name)
        for symbol in symbols
        for page in range(
            symbol.offset // PAGE_SIZE, -(-(symbol.offset + symbol.size) // PAGE_SIZE)
        )
    )
    for page, name in islice(places, PLACES_MAX):
        found.setdefault(page, []).append(name)
    return found


class _Section(NamedTuple):
    """A section header (Elf32_Shdr, Elf64_Shdr) as far as it is of use here."""

    name: int
    type: int
    offset: int
    size: int
    link: int


class _Load(NamedTuple):
    """A loaded segment: bytes of the file from `offset` on are at `vaddr`."""

    vaddr: int
    offset: int
    size: int


class _Layout(NamedTuple):
    """How the tables of a class and byte order are laid out."""

    wide: bool
    head: struct.Struct
    section: struct.Struct
    segment: struct.Struct
    symbol: struct.Struct


def _layout(data: bytes) -> _Layout:
    """Raises KeyError or IndexError for neither class and neither byte order."""
    order, wide = {1: "<", 2: ">"}[data[5]], {1: False, 2: True}[data[4]]
    tables = (
        ("2HI3QI6H", "2I4Q2I2Q", "2I6Q", "I2BH2Q") if wide else ("2H5I6H", "10I", "8I", "3I2BH")
    )
    return _Layout(wide, *(struct.Struct(order + table) for table in tables))


def read_names(data: bytes, debug: bytes = b"") -> Names:
    """The names in a file, and in its separate debug file, if there is one. No ELF file has
    none."""
    try:
        loads, thumb = _loads(data)
        sections = list(_sections(data))
    except BROKEN:
        return NO_NAMES
    found: set[NamedRange] = set()
    for source in (data, debug):
        with suppress(*BROKEN):
            found.update(_functions(source, loads, thumb, len(data)))
    table = _names_table(data, sections)
    named = (
        NamedRange(name, it.offset, it.size)
        for it in sections
        if _has_bytes(data, it) and (name := _name(data, table, it.name))
    )
    return Names(_sorted(named), _sorted(found))


def _sorted(symbols: Iterable[NamedRange]) -> tuple[NamedRange, ...]:
    return tuple(sorted(symbols, key=lambda symbol: (symbol.offset, symbol.size, symbol.name)))


def _head(data: bytes, layout: _Layout) -> tuple[int, ...]:
    """The ELF header's fields from e_type on."""
    return layout.head.unpack_from(data, 16)


def _loads(data: bytes) -> tuple[list[_Load], bool]:
    """The loaded segments by their addresses, and whether code may be Thumb."""
    if not data.startswith(ELF_MAGIC):
        raise IndexError
    layout = _layout(data)
    head = _head(data, layout)
    at, count = head[4], head[9]
    table = data[at : at + layout.segment.size * count]
    whole = table[: len(table) - len(table) % layout.segment.size]
    loads = []
    for fields in layout.segment.iter_unpack(whole):
        if fields[0] == PT_LOAD:
            # p_flags stands in another place in each class.
            offset, vaddr, _, size = fields[2:6] if layout.wide else fields[1:5]
            loads.append(_Load(vaddr, offset, size))
    return sorted(loads), head[1] == EM_ARM


def _sections(data: bytes) -> Iterator[_Section]:
    layout = _layout(data)
    head = _head(data, layout)
    at, count, size = head[5], head[11], layout.section.size
    if not at or head[10] != size:
        return
    if not count and at + size <= len(data):
        # Too many for 16 bits: section 0 has the number in place of its size.
        count = layout.section.unpack_from(data, at)[5]
    table = data[at : at + size * min(count, SECTIONS_MAX)]
    for fields in layout.section.iter_unpack(table[: len(table) - len(table) % size]):
        yield _Section(fields[0], fields[1], fields[4], fields[5], fields[6])


def _has_bytes(data: bytes, section: _Section) -> bool:
    inside = section.offset + section.size <= len(data)
    return section.type not in (SHT_NULL, SHT_NOBITS) and bool(section.size) and inside


def _names_table(data: bytes, sections: Sequence[_Section]) -> _Section | None:
    """The section with the sections' names."""
    if not sections:
        return None
    number = _head(data, _layout(data))[12]
    number = sections[0].link if number == SHN_XINDEX else number
    return sections[number] if number < len(sections) else None


def _name(data: bytes, table: _Section | None, at: int) -> str:
    if table is None or at >= table.size or table.offset + at >= len(data):
        return ""
    start = table.offset + at
    end = data.find(b"\0", start, start + NAME_MAX)
    raw = data[start : end if end >= 0 else start + NAME_MAX]
    return raw.decode("utf-8", "surrogateescape")


def _functions(
    data: bytes, loads: Sequence[_Load], thumb: bool, limit: int
) -> Iterator[NamedRange]:
    """What the symbol tables name, by its place in a file of `limit` bytes that is loaded so."""
    if not data.startswith(ELF_MAGIC):
        return
    sections, layout, left = list(_sections(data)), _layout(data), SYMBOLS_MAX
    addresses = [load.vaddr for load in loads]
    for section in sections:
        if section.type not in (SHT_SYMTAB, SHT_DYNSYM) or section.link >= len(sections):
            continue
        size = layout.symbol.size
        count = min(left, section.size // size, max(0, len(data) - section.offset) // size)
        left -= count
        strings = sections[section.link]
        for fields in layout.symbol.iter_unpack(
            data[section.offset : section.offset + count * size]
        ):
            if layout.wide:
                name, info, _, index, value, length = fields
            else:
                name, value, length, info, _, index = fields
            kind = info & 15
            if (
                kind not in (STT_OBJECT, STT_FUNC, STT_GNU_IFUNC)
                or not length
                or index == SHN_UNDEF
            ):
                continue
            # On ARM bit 0 of a function's address says that it is Thumb code.
            address = value & ~1 if thumb and kind != STT_OBJECT else value
            load = loads[at] if (at := bisect_right(addresses, address) - 1) >= 0 else None
            if load is None or address >= load.vaddr + load.size:
                continue
            offset = address - load.vaddr + load.offset
            if offset + length <= limit and (text := _name(data, strings, name)):
                yield NamedRange(text, offset, length)
