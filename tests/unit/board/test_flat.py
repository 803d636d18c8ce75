# SPDX-License-Identifier: MIT
"""bFLT of ELF: its header, and the words that a loader relocates."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from qemu_board.errors import BoardError
from qemu_board.flat import flat_program
from tinyprof.cramfs.programs import mapped_parts

GCC = "arm-linux-gnueabihf-gcc"
SCRIPT = Path(__file__).resolve().parents[3] / "agent/flat.ld"
CODE = ("-mcpu=cortex-m3", "-mthumb", "-mfloat-abi=soft", "-Os", "-ffreestanding", "-w")
PIC = ("-fpic", "-msingle-pic-base", "-mpic-register=r10", "-mno-pic-data-is-text-relative")
LINK = ("-nostdlib", "-static", "-no-pie", "-Wl,--emit-relocs,--build-id=none", "-T", str(SCRIPT))
SOURCE = """
static const char *volatile words[] = { "one", "two" };
static volatile int zeros[100];
volatile int five = 5;
__attribute__((used)) void _start(void)
{
    for (volatile int i = 0; i < 2; i++)
        zeros[i] = five + *words[i];
}
"""

pytestmark = pytest.mark.skipif(not shutil.which(GCC), reason=f"no {GCC}")


def linked(folder: Path, source: str, *flags: str) -> bytes:
    (folder / "program.c").write_text(source)
    command = [GCC, *CODE, *flags, *LINK, "-o", str(folder / "program"), "program.c"]
    subprocess.run(command, cwd=folder, check=True)
    return (folder / "program").read_bytes()


def test_a_program_has_its_text_behind_the_header_and_its_data_behind_that(tmp_path: Path) -> None:
    flat = flat_program(linked(tmp_path, SOURCE, *PIC), stack=8192)
    magic, *numbers = struct.unpack_from(">4s9I", flat)
    version, entry, data, data_end, bss_end, stack, relocations, count, flags = numbers
    assert (magic, version, stack, flags) == (b"bFLT", 4, 8192, 2)
    assert (entry - 65, data % 32) == (0, 0), "the entry is a Thumb function at the text's begin"
    assert bss_end - data_end == 400
    assert (relocations, len(flat)) == (data_end, data_end + 4 * count)
    assert mapped_parts(flat[:4096], len(flat)) is not None


def test_the_table_of_addresses_ends_with_minus_one(tmp_path: Path) -> None:
    flat = flat_program(linked(tmp_path, SOURCE, *PIC))
    (data,) = struct.unpack_from(">I", flat, 12)
    table = flat[data : flat.index(b"\xff" * 4, data)]
    assert len(table) % 4 == 0
    assert any(table)


def test_just_the_addresses_in_the_data_are_relocated(tmp_path: Path) -> None:
    flat = flat_program(linked(tmp_path, SOURCE, *PIC))
    start, count = struct.unpack_from(">2I", flat, 28)
    places = struct.unpack_from(f">{count}I", flat, start)
    found = []
    for place in places:
        (address,) = struct.unpack_from("<I", flat, 64 + place)
        end = flat.index(b"\0", 64 + address)
        found.append(flat[64 + address : end])
    assert found == [b"one", b"two"]


@pytest.mark.parametrize(
    ("flags", "fault"),
    [
        (("-fno-pic",), "text section has an address in it"),
        (("-fpic",), "text section has a distance to the data in it"),
        (("-fpie",), "text section has a distance to the data in it"),
    ],
)
def test_a_text_that_knows_where_the_data_is_is_refused(
    flags: tuple[str, ...], fault: str, tmp_path: Path
) -> None:
    with pytest.raises(BoardError, match=fault):
        flat_program(linked(tmp_path, SOURCE, *flags))


def test_another_file_is_refused() -> None:
    for data in (b"", b"#!/bin/sh\n", b"\x7fELF\x02\x01" + bytes(60)):
        with pytest.raises(BoardError, match="no little-endian ELF program"):
            flat_program(data)
