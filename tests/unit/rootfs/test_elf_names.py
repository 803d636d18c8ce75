# SPDX-License-Identifier: MIT
"""Names of an ELF file's bytes: as pyelftools has them, and in bounded time of whatever claims to
be one."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from support.debian_files import debian_files
from support.elf_cases import Shape, link
from tinyprof.cramfs.elf import SectionHeader, name_at
from tinyprof.pages import PAGE_SIZE
from tinyprof.rootfs.elf_names import (
    NAME_MAX,
    NO_NAMES,
    PLACES_MAX,
    SECTIONS_MAX,
    SYMBOLS_MAX,
    read_names,
)
from tinyprof.tables.rows import names_text

SEED = 20261124
FILE_SIZE = 4 << 20
ENDS = (b"E1\0", b"E2\0")


@pytest.mark.parametrize(
    ("architecture", "folder"),
    [
        ("armhf", "lib/arm-linux-gnueabihf"),
        ("amd64", "lib/x86_64-linux-gnu"),
        ("amd64", "usr/mips-linux-gnu/lib"),
        ("amd64", "usr/s390x-linux-gnu/lib"),
    ],
    ids=["little32", "little64", "big32", "big64"],
)
def test_sections_and_functions_lie_where_another_reader_finds_them(
    architecture: str, folder: str
) -> None:
    library = debian_files(architecture) / folder / "libc.so.6"
    data = library.read_bytes()
    names = read_names(data)
    elf = ELFFile(io.BytesIO(data))
    with_bytes = {
        (section.name, section["sh_offset"], section["sh_size"])
        for section in elf.iter_sections()
        if section["sh_type"] not in ("SHT_NULL", "SHT_NOBITS") and section["sh_size"]
    }
    assert {(it.name, it.offset, it.size) for it in names.sections} == with_bytes
    (malloc,) = (it for it in names.functions if it.name == "malloc")
    table = elf.get_section_by_name(".dynsym")
    assert isinstance(table, SymbolTableSection)
    (symbol,) = [symbol for symbol in table.iter_symbols() if symbol.name == "malloc"]
    (load,) = (
        segment
        for segment in elf.iter_segments("PT_LOAD")
        if 0 <= symbol["st_value"] - segment["p_vaddr"] < segment["p_filesz"]
    )
    thumb = symbol["st_value"] & 1 if elf["e_machine"] == "EM_ARM" else 0
    assert malloc.offset == symbol["st_value"] - thumb - load["p_vaddr"] + load["p_offset"]
    assert malloc.size == symbol["st_size"]
    assert ".text" in names.sections_on(malloc.offset // PAGE_SIZE)
    assert "malloc" in names.functions_on(malloc.offset // PAGE_SIZE)


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"\x7fELF" + bytes(60), b"#!/bin/sh\n" * 9])
def test_what_is_no_elf_has_no_names(data: bytes) -> None:
    assert read_names(data) == NO_NAMES


def test_mutated_programs_never_raise_and_name_only_what_they_have() -> None:
    rng = random.Random(SEED)
    program = Path("/bin/true").read_bytes()
    for _ in range(300):
        mutated = bytearray(program[: rng.choice([len(program), rng.randrange(len(program))])])
        for _ in range(rng.randrange(1, 30)):
            mutated[
                rng.choice([rng.randrange(64), rng.randrange(len(mutated))]) % len(mutated)
            ] = rng.randrange(256)
        names = read_names(bytes(mutated), bytes(mutated))
        for it in (*names.sections, *names.functions):
            assert 0 <= it.offset <= it.offset + it.size <= len(mutated)


def test_long_names_that_differ_at_their_ends_stay_apart() -> None:
    strings = b"".join(b"_ZN" + b"x" * length + end for length in (251, 252, 5000) for end in ENDS)
    table = SectionHeader(0, 3, 0, 0, 0, len(strings), 0, 0, 1, 0)
    starts = [0, *(at + 1 for at, it in enumerate(strings[:-1]) if not it)]
    names = [name_at(strings, table, at) for at in starts]
    assert names[:2] == ["_ZN" + "x" * 251 + "E1", "_ZN" + "x" * 251 + "E2"]
    assert names[2] != names[3]
    assert [len(name) for name in names] == [256] * 6
    assert all("~" in name for name in names[2:])


def hostile() -> bytes:
    """Every section is a symbol table over the whole file, and every name is as long as the
    file."""
    section = struct.pack("<10I", 1, 2, 0, 0, 0, 0xFFFFFFFF, 3, 0, 0, 16)
    symbol = struct.pack("<3I2BH", 1, 0x1000, 16, 2, 0, 1)
    segment = struct.pack("<8I", 1, 0, 0, 0, FILE_SIZE, FILE_SIZE, 5, 4096)
    head = b"\x7fELF\x01\x01\x01" + bytes(9)
    head += struct.pack("<2H5I6H", 3, 40, 1, 0, 52, 84, 0, 52, 32, 1, 40, 0, 3)
    body = head + segment + section * SECTIONS_MAX
    return body + symbol * ((FILE_SIZE - len(body)) // len(symbol))


def test_tables_that_claim_everything_are_read_up_to_a_limit() -> None:
    names = read_names(hostile())
    assert len(names.functions) <= SYMBOLS_MAX
    assert len(names.sections) <= SECTIONS_MAX
    assert len(names.functions_on(0)) + len(names.sections_on(0)) <= 2 * PLACES_MAX
    assert all(len(it.name) <= NAME_MAX for it in (*names.sections, *names.functions))


def test_an_elf_file_without_section_headers_is_still_one() -> None:
    names = read_names(link(Shape(sections=False)))
    assert (names.is_elf, names.sections, names.functions) == (True, (), ())
    assert names_text(names, 0) == "no section headers"
    assert names_text(read_names(b"#!/bin/sh\n"), 0) == "no ELF file"
