# SPDX-License-Identifier: MIT
"""Measures what an image spends its bytes on: an image in, bytes by kind out, each byte counted
once."""

from __future__ import annotations

from dataclasses import dataclass

from tinyprof.cramfs.format import EntryKind
from tinyprof.cramfs.reading.reader import Image
from tinyprof.pages import PAGE_SIZE


@dataclass(frozen=True, slots=True)
class Share:
    """Bytes by kind; `uncompressed` are pages as they are that no kernel maps, `holes` a number of
    pages."""

    in_place: int
    in_place_pages: int
    compressed: int
    uncompressed: int
    pointers: int
    names: int
    holes: int


def measure(image: Image) -> Share:
    """Look at every block once, however many files share it. Raises ImageError."""
    in_place: set[int] = set()
    compressed: dict[int, int] = {}
    uncompressed: dict[int, int] = {}
    tables: dict[int, int] = {}
    holes = 0
    for entry in image.entries:
        if not entry.kind.has_blocks or not entry.size or entry.ino in tables:
            continue
        tables[entry.ino] = 4 * entry.pages
        for block in image.blocks(entry):
            if block.hole:
                holes += 1
            elif block.in_place:
                in_place.add(block.offset)
            else:
                (uncompressed if block.uncompressed else compressed)[block.offset] = block.stored
    names = sum(entry.size for entry in image.entries if entry.kind is EntryKind.DIRECTORY)
    return Share(
        len(in_place) * PAGE_SIZE,
        len(in_place),
        sum(compressed.values()),
        sum(uncompressed.values()),
        sum(tables.values()),
        names,
        holes,
    )
