# SPDX-License-Identifier: MIT
"""Files that claim much cost little: steps and memory are bounded by a small multiple of them."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest

from support.cost import peak_memory, steps
from tinyprof.rootfs.elf_names import read_names
from tinyprof.segments.elf import Reason, SplitError, read_elf
from tinyprof.segments.proof import prove
from tinyprof.segments.split import Run, original_of, split

SIZE = 1 << 20


def head(segments: int, sections: int = 0, at: int = 0) -> bytes:
    fields = (3, 62, 1, 0, 64, at, 0, 64, 56, segments, 64, sections, 0)
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<2HI3QI6H", *fields)


def segment(vaddr: int, kind: int = 1, offset: int = 0) -> bytes:
    size = SIZE - offset
    return struct.pack("<2I6Q", kind, 5, offset, vaddr, vaddr, size, size, 4096)


def section() -> bytes:
    """A section over the whole file, whose name has no end."""
    return struct.pack("<2I4Q2I2Q", 1, 1, 0, 0, 0, SIZE, 0, 0, 1, 0)


def overlapping(count: int) -> bytes:
    table = b"".join(segment(number * 2 * SIZE) for number in range(count))
    return (head(count) + table).ljust(SIZE, b"x")


def sections(count: int) -> bytes:
    return (head(1, count, 120) + segment(0) + section() * count).ljust(SIZE, b"x")


FILES = {
    "73 overlapping segments": overlapping(73),
    "18,000 overlapping segments": overlapping(18_000),
    "4,000 sections": sections(4_000),
    "16,000 sections": sections(16_000),
    "a dynamic table of a megabyte": (head(2) + segment(0) + segment(0, 2, 4096)).ljust(
        SIZE, b"x"
    ),
}


def use(data: bytes) -> None:
    with suppress(SplitError):
        split(data, [Run(0, 0), Run(5, 5)])
    with suppress(SplitError):
        prove(data, data)
    original_of(data)
    names = read_names(data)
    for page in range(SIZE // 4096):
        names.functions_on(page)
        names.sections_on(page)


@pytest.mark.parametrize("name", FILES)
def test_a_file_costs_no_more_than_a_few_times_its_size(name: str) -> None:
    data = FILES[name]
    assert peak_memory(lambda: use(data)) < (64 << 20) + 8 * len(data)
    assert steps(lambda: use(data)) < 4 * len(data)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("18,000 overlapping segments", "18000 program headers; a kernel takes at most 73"),
        ("16,000 sections", "16000 sections; at most 4096 are read"),
    ],
)
def test_a_limit_is_named_where_it_is_hit(name: str, said: str) -> None:
    with pytest.raises(SplitError, match=said) as refused:
        read_elf(FILES[name])
    assert refused.value.reason is Reason.ODD_HEADERS
