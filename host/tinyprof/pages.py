# SPDX-License-Identifier: MIT
"""What a page is: its size, its id, the ways to touch it, runs of pages, the image it is of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

PAGE_ID_LIMIT = 1 << 27


class Kind(IntEnum):
    """How a page was touched (the kernel's TINYPROF_* bit numbers)."""

    EXEC = 0
    READ = 1
    WRITE = 2
    FILE = 3


PROCESSES_MAX = 0xFFFF
"""A target counts no more that map a file."""


Content = tuple[str, int]
"""What a file is known by: SHA-256 and size."""


def page_ranges(pages: Iterable[int]) -> str:
    """Pages as people write them: 0-3, 7."""
    return ", ".join(
        str(first) if first == last else f"{first}-{last}" for first, last in page_runs(pages)
    )


def page_runs(pages: Iterable[int]) -> list[tuple[int, int]]:
    """The runs that these pages form: the first and the last page of each."""
    runs: list[tuple[int, int]] = []
    for page in sorted(set(pages)):
        if runs and page == runs[-1][1] + 1:
            runs[-1] = runs[-1][0], page
        else:
            runs.append((page, page))
    return runs


PAGE_SIZE = 4096


@dataclass(frozen=True, slots=True)
class Fsid:
    """What the superblock calls an image: CRC-32 of its bytes, edition, blocks of data, number of
    nodes."""

    crc: int
    edition: int
    blocks: int
    files: int

    def __str__(self) -> str:
        return f"{self.crc:08x}/{self.edition}/{self.blocks}/{self.files}"
