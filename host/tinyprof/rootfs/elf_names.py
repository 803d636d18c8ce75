# SPDX-License-Identifier: MIT
"""The names that an ELF file gives to its bytes: a file in, its sections and functions by their
place out.

A file is untrusted. Of broken tables, and of tables longer than any real one, the part that makes
sense counts. The limits below bound the time and the memory that a file can cost, whatever it says
of its own size.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

from tinyprof.cramfs.elf import (
    EM_ARM,
    NAME_MAX,
    PT_LOAD,
    SECTIONS_MAX,
    SHN_UNDEF,
    SHT_DYNSYM,
    SHT_NOBITS,
    SHT_NULL,
    SHT_SYMTAB,
    STT_FUNC,
    STT_GNU_IFUNC,
    STT_OBJECT,
    ElfSymbol,
    Header,
    HeaderLayout,
    SectionHeader,
    name_at,
    read_header,
    section_names,
    section_table,
)
from tinyprof.pages import PAGE_SIZE
from tinyprof.profile.model import NamedRange

__all__ = [
    "NAME_MAX",
    "NO_NAMES",
    "PLACES_MAX",
    "SECTIONS_MAX",
    "SYMBOLS_MAX",
    "Names",
    "read_names",
]

SYMBOLS_MAX = 500_000
"""Symbols of all tables of one file together. The largest kernels have some 200,000."""

NAME_CHARACTERS_MAX = 32_000_000
"""Characters of all symbols' names of one file together. Names may overlap in the file, so they
could take NAME_MAX times its size in memory."""

PLACES_MAX = 512
"""Names that are looked at for one page, at most. Real symbols hardly overlap and most have more
than 8 bytes."""


@dataclass(frozen=True)
class Names:
    """The sections that have bytes in the file, and the functions and objects.

    Both are sorted by their place. `is_elf`: the file is an ELF file, with or without names.
    """

    sections: tuple[NamedRange, ...] = ()
    functions: tuple[NamedRange, ...] = ()
    is_elf: bool = False

    def sections_on(self, page: int) -> Sequence[str]:
        """The sections that have bytes on a page of the file, by their place."""
        return self._sections.on(page)

    def functions_on(self, page: int) -> Sequence[str]:
        """The functions and objects that have bytes on a page of the file, by their place."""
        return self._functions.on(page)

    def function_ranges_on(self, page: int) -> Sequence[NamedRange]:
        """The same, with their places and sizes."""
        return self._functions.ranges_on(page)

    @cached_property
    def _sections(self) -> _Places:
        return _Places(self.sections)

    @cached_property
    def _functions(self) -> _Places:
        return _Places(self.functions)


NO_NAMES = Names()


class _Places:
    """Finds the named ranges that overlap a page. The ranges are sorted by their offset."""

    def __init__(self, ranges: Sequence[NamedRange]) -> None:
        self._ranges = ranges
        self._starts = [it.offset for it in ranges]
        # The greatest end so far: where that is no further than a page, no range before is either.
        self._ends = list(accumulate((it.offset + it.size for it in ranges), max))

    def on(self, page: int) -> list[str]:
        """The names on a page, by their place."""
        return [it.name for it in self.ranges_on(page)]

    def ranges_on(self, page: int) -> list[NamedRange]:
        """The ranges on a page, of the last PLACES_MAX that begin before its end."""
        start, end = page * PAGE_SIZE, (page + 1) * PAGE_SIZE
        found: list[NamedRange] = []
        last = bisect_left(self._starts, end)
        for number in range(last - 1, max(-1, last - 1 - PLACES_MAX), -1):
            if self._ends[number] <= start:
                break
            it = self._ranges[number]
            if it.size and it.offset + it.size > start:
                found.append(it)
        return found[::-1]


class _Load(NamedTuple):
    """A loaded segment: bytes of the file from `offset` on are at `vaddr`."""

    vaddr: int
    offset: int
    size: int


def read_names(data: bytes, debug: bytes = b"") -> Names:
    """The names in a file and in its separate debug file, if there is one.

    A file that is no ELF file has none.
    """
    found = read_header(data)
    if found is None:
        return NO_NAMES
    layout, header = found
    loads, thumb = _loads(data, layout, header), header.machine == EM_ARM
    functions = set(_functions(data, loads, thumb, len(data)))
    functions.update(_functions(debug, loads, thumb, len(data)))
    sections = _sections(data, layout, header)
    strings = section_names(header, sections)
    named = (
        NamedRange(name, it.offset, it.size)
        for it in sections
        if _has_bytes(data, it) and (name := name_at(data, strings, it.name))
    )
    return Names(_sorted(named), _sorted(functions), True)


def _sorted(symbols: Iterable[NamedRange]) -> tuple[NamedRange, ...]:
    return tuple(sorted(symbols, key=lambda symbol: (symbol.offset, symbol.size, symbol.name)))


def _loads(data: bytes, layout: HeaderLayout, header: Header) -> list[_Load]:
    """The loaded segments, sorted by their addresses."""
    table = data[header.phoff : header.phoff + layout.segment.size * header.phnum]
    return sorted(
        _Load(segment.vaddr, segment.offset, segment.filesz)
        for segment in layout.segments(table)
        if segment.type == PT_LOAD
    )


def _sections(data: bytes, layout: HeaderLayout, header: Header) -> list[SectionHeader]:
    """The section headers, at most SECTIONS_MAX."""
    at, count = section_table(data, layout, header)
    table = data[at : at + layout.section.size * min(count, SECTIONS_MAX)]
    return list(layout.sections(table))


def _has_bytes(data: bytes, section: SectionHeader) -> bool:
    inside = section.offset + section.size <= len(data)
    return section.type not in (SHT_NULL, SHT_NOBITS) and bool(section.size) and inside


def _functions(
    data: bytes, loads: Sequence[_Load], thumb: bool, limit: int
) -> Iterator[NamedRange]:
    """The functions and objects in the symbol tables of `data`.

    Their places are those in a file of `limit` bytes that is loaded as `loads` says.
    """
    found = read_header(data)
    if found is None:
        return
    layout, header = found
    addresses = [load.vaddr for load in loads]
    characters = NAME_CHARACTERS_MAX
    for strings, symbol in _symbols(data, layout, _sections(data, layout, header)):
        kind = symbol.info & 15
        if kind not in (STT_OBJECT, STT_FUNC, STT_GNU_IFUNC):
            continue
        if not symbol.size or symbol.shndx == SHN_UNDEF:
            continue
        # On ARM bit 0 of a function's address says that it is Thumb code.
        address = symbol.value & ~1 if thumb and kind != STT_OBJECT else symbol.value
        load = loads[at] if (at := bisect_right(addresses, address) - 1) >= 0 else None
        if load is None or address >= load.vaddr + load.size:
            continue
        offset = address - load.vaddr + load.offset
        if offset + symbol.size <= limit and (name := name_at(data, strings, symbol.name)):
            characters -= len(name)
            if characters < 0:
                return
            yield NamedRange(name, offset, symbol.size)


def _symbols(
    data: bytes, layout: HeaderLayout, sections: Sequence[SectionHeader]
) -> Iterator[tuple[SectionHeader, ElfSymbol]]:
    """The symbols of all tables, at most SYMBOLS_MAX, each with the section of its name."""
    left, size = SYMBOLS_MAX, layout.symbol.size
    for section in sections:
        if section.type not in (SHT_SYMTAB, SHT_DYNSYM) or section.link >= len(sections):
            continue
        count = min(left, section.size // size, max(0, len(data) - section.offset) // size)
        left -= count
        table = data[section.offset : section.offset + count * size]
        for symbol in layout.symbols(table):
            yield sections[section.link], symbol
