# SPDX-License-Identifier: MIT
"""A page: its size, its id, the ways to touch it, runs of pages, and the image that it belongs to.

Every room speaks of pages, so this module imports none of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

PAGE_SIZE = 4096
"""Bytes. CramFS, tracer and profile know no other size."""

PAGE_ID_LIMIT = 1 << 27
"""Page ids are below this number. An id is the word address of a page's block pointer: its byte
offset in the image, divided by 4."""

PROCESSES_MAX = 0xFFFF
"""Processes. The kernel's tracer counts no more processes that map one file."""

Content = tuple[str, int]
"""The SHA-256 of a file, in hexadecimal digits, and its size in bytes."""


class Kind(IntEnum):
    """How a page was touched. The values are the bit numbers TINYPROF_* of the kernel's header."""

    EXEC = 0
    READ = 1
    WRITE = 2
    FILE = 3


@dataclass(frozen=True, slots=True)
class Fsid:
    """An image's identity, from its superblock.

    `crc` is the CRC-32 of the image's bytes, `blocks` the number of its data blocks, `files` the
    number of its nodes.
    """

    crc: int
    edition: int
    blocks: int
    files: int

    def __str__(self) -> str:
        return f"{self.crc:08x}/{self.edition}/{self.blocks}/{self.files}"


def pages_in(size: int) -> int:
    """The number of pages that `size` bytes need; a begun page counts."""
    return -(-size // PAGE_SIZE)


def page_runs(pages: Iterable[int]) -> list[tuple[int, int]]:
    """The runs of neighbours among these pages: the first and the last page of each."""
    runs: list[tuple[int, int]] = []
    for page in sorted(set(pages)):
        if runs and page == runs[-1][1] + 1:
            runs[-1] = runs[-1][0], page
        else:
            runs.append((page, page))
    return runs


def page_ranges(pages: Iterable[int]) -> str:
    """Pages as people write them: 0-3, 7."""
    return ", ".join(
        str(first) if first == last else f"{first}-{last}" for first, last in page_runs(pages)
    )
