# SPDX-License-Identifier: MIT
"""bFLT, the format of programs without an MMU (linux/flat.h): an ELF program in, the file out.

The ELF program is linked with agent/flat.ld and --emit-relocs. So its text begins at address 0,
its data behind the text, and it still says which words of its data are addresses. The kernel
relocates these, and the global offset table that the data begins with (binfmt_flat.c,
load_flat_file()). The text is never relocated, so that it can stay in flash.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from qemu_board.errors import BoardError

HEADER_SIZE = 64
"""Bytes of struct flat_hdr."""

VERSION = 4
GOT_PIC = 2
"""FLAT_FLAG_GOTPIC: the data begins with a global offset table that ends with -1."""

STACK = 16 << 10
"""Bytes of stack, beside those of arguments and environment."""

SHF_ALLOC = 2
SHT_NOBITS = 8
SHT_REL = 9
WORD_ADDRESSES = (2, 38)
"""R_ARM_ABS32 and R_ARM_TARGET1: a word is an address."""

ADDRESSES = (*WORD_ADDRESSES, 43, 44, 47, 48)
"""And R_ARM_MOVW_ABS_NC, R_ARM_MOVT_ABS, and both in Thumb: an instruction has half an address."""

DISTANCES = (3, 25, 45, 46, 49, 50)
"""R_ARM_REL32, R_ARM_BASE_PREL, and the four for halves of a distance in an instruction."""

SECTIONS = (".text", ".data", ".bss")


@dataclass(frozen=True, slots=True)
class _Section:
    name: str
    kind: int
    flags: int
    address: int
    data: bytes
    size: int
    symbols: int
    target: int


def flat_program(elf: bytes, stack: int = STACK) -> bytes:
    """The bFLT file of a little-endian ELF program of 32 bits. Raises BoardError for one that is
    not linked for it."""
    if elf[:6] != b"\x7fELF\x01\x01":
        raise BoardError("this is no little-endian ELF program of 32 bits")
    sections = _sections(elf)
    found = {it.name: it for it in sections if it.flags & SHF_ALLOC and it.size}
    if others := found.keys() - set(SECTIONS):
        raise BoardError(
            f"sections that bFLT has no place for: {', '.join(sorted(others))}",
            "link the program with agent/flat.ld",
        )
    empty = _Section("", 0, 0, 0, b"", 0, 0, 0)
    text, data, bss = (found.get(name, empty) for name in SECTIONS)
    if text.address or not text.size or text.size != data.address:
        raise BoardError("text and data are not where agent/flat.ld puts them")
    relocations = _relocations(sections, data)
    (entry,) = struct.unpack_from("<I", elf, 24)
    data_at = HEADER_SIZE + text.size
    data_end = data_at + data.size
    bss_end = HEADER_SIZE + max(data.address + data.size, bss.address + bss.size)
    numbers = (VERSION, HEADER_SIZE + entry, data_at, data_end, bss_end, stack)
    header = struct.pack(">4s6I", b"bFLT", *numbers)
    header += struct.pack(">4I", data_end, len(relocations), GOT_PIC, 0)
    tail = struct.pack(f">{len(relocations)}I", *relocations)
    return header.ljust(HEADER_SIZE, b"\0") + text.data + data.data + tail


def _sections(elf: bytes) -> list[_Section]:
    (at,) = struct.unpack_from("<I", elf, 32)
    size, count, names_in = struct.unpack_from("<3H", elf, 46)
    rows = [struct.unpack_from("<10I", elf, at + number * size) for number in range(count)]
    names = elf[rows[names_in][4] :]
    return [
        _Section(
            names[name : names.index(b"\0", name)].decode(),
            kind,
            flags,
            address,
            b"" if kind == SHT_NOBITS else elf[offset : offset + length],
            length,
            link,
            info,
        )
        for name, kind, flags, address, offset, length, link, info, _, _ in rows
    ]


def _relocations(sections: list[_Section], data: _Section) -> list[int]:
    """The addresses of words that are addresses.

    1. Those of the global offset table are not among them: ld makes its relocations relative to
       the table.
    2. An address in the text cannot be relocated in flash.
    3. Nor can the text know how far it is from the data.
    """
    found = []
    for section in sections:
        if section.kind != SHT_REL:
            continue
        target = sections[section.target]
        for at in range(0, section.size, 8):
            offset, info = struct.unpack_from("<2I", section.data, at)
            kind = info & 0xFF
            symbol = struct.unpack_from("<4xI", sections[section.symbols].data, (info >> 8) * 16)
            if target is data and kind in WORD_ADDRESSES:
                found.append(offset)
            elif kind in ADDRESSES:
                raise _unfit(target, f"an address in it, at {offset:#x}")
            elif kind in DISTANCES and target is not data and symbol[0] >= data.address:
                raise _unfit(target, f"a distance to the data in it, at {offset:#x}")
    return sorted(found)


def _unfit(section: _Section, fault: str) -> BoardError:
    return BoardError(
        f"the {section.name} section has {fault}", "compile it with -fpic -msingle-pic-base"
    )
