# SPDX-License-Identifier: MIT
"""Where an ELF file's functions and objects lie: bytes in, symbols by their place in the file out.

`.symtab` and `.dynsym` count, and those of a separate debug file. A file is untrusted: one that is no ELF, or
a broken one, has no symbols.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from elftools.common.exceptions import ELFError, ELFParseError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from tinyprof.cramfs import PAGE_SIZE
from tinyprof.profile import FileUse, Profile, Symbol

ELF_MAGIC = b"\x7fELF"
NEAR_PAGES = 4
"""Symbols so far from a used page are kept too, to place what has no symbol of its own."""

_KINDS = ("STT_FUNC", "STT_OBJECT", "STT_GNU_IFUNC")


def read_symbols(data: bytes, debug: bytes = b"") -> tuple[Symbol, ...]:
    """The symbols of a file, sorted by their place; `debug` is its separate debug file, if there is one."""
    if not data.startswith(ELF_MAGIC):
        return ()
    found: set[Symbol] = set()
    try:
        elf = ELFFile(io.BytesIO(data))
        loads = [
            (segment["p_vaddr"], segment["p_offset"], segment["p_filesz"])
            for segment in elf.iter_segments()
            if segment["p_type"] == "PT_LOAD"
        ]
        thumb = elf["e_machine"] == "EM_ARM"
        for source in filter(None, (data, debug)):
            found.update(_placed(ELFFile(io.BytesIO(source)), loads, thumb, len(data)))
    except (ELFError, ELFParseError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        pass
    return tuple(sorted(found, key=lambda symbol: (symbol.offset, symbol.size, symbol.name)))


def _placed(elf: ELFFile, loads: Iterable[tuple[int, int, int]], thumb: bool, limit: int) -> Iterator[Symbol]:
    for section in elf.iter_sections():
        if not isinstance(section, SymbolTableSection):
            continue
        for symbol in section.iter_symbols():
            kind, size = symbol["st_info"]["type"], symbol["st_size"]
            if kind not in _KINDS or not size or symbol["st_shndx"] == "SHN_UNDEF" or not symbol.name:
                continue
            # On ARM bit 0 of a function's address says that it is Thumb code.
            address = symbol["st_value"] & ~1 if thumb and kind != "STT_OBJECT" else symbol["st_value"]
            for start, offset, length in loads:
                at = address - start + offset
                if start <= address < start + length and at + size <= limit:
                    yield Symbol(symbol.name, at, size)


def with_symbols(profile: Profile, contents: Mapping[str, tuple[bytes, bytes]]) -> Profile:
    """The profile with the symbols near used pages; `contents` has file and debug file by SHA-256."""
    files = tuple(
        replace(file, symbols=_near(read_symbols(*contents[file.sha256]), file))
        if file.sha256 in contents
        else file
        for file in profile.files
    )
    return replace(profile, files=files)


def _near(symbols: Iterable[Symbol], file: FileUse) -> tuple[Symbol, ...]:
    near = {page + step for page in file.pages for step in range(-NEAR_PAGES, NEAR_PAGES + 1)}
    return tuple(
        symbol
        for symbol in symbols
        if any(
            page in near
            for page in range(symbol.offset // PAGE_SIZE, (symbol.offset + symbol.size - 1) // PAGE_SIZE + 1)
        )
    )
