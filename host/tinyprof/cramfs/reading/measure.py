# SPDX-License-Identifier: MIT
"""Measures the use of an image's bytes: an image in, bytes by kind out.

Each byte is counted once, however many files share it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyprof.cramfs.format import EntryKind, ImageError
from tinyprof.cramfs.reading.directory import distinct_contents
from tinyprof.cramfs.reading.reader import Image
from tinyprof.pages import PAGE_SIZE


@dataclass(frozen=True, slots=True)
class Share:
    """Bytes by kind.

    `uncompressed` counts bytes of pages stored as they are at places from which no kernel maps
    them. `holes` counts pages. `unreadable` counts files whose block pointers are broken; their
    blocks are not counted.
    """

    in_place: int
    in_place_pages: int
    compressed: int
    uncompressed: int
    pointers: int
    names: int
    holes: int
    unreadable: int = 0


def measure(image: Image) -> Share:
    """Look at every block once. Files with broken block pointers are passed over and counted."""
    in_place: set[int] = set()
    compressed: dict[int, int] = {}
    uncompressed: dict[int, int] = {}
    pointers = holes = unreadable = 0
    for entry in distinct_contents(image.entries):
        try:
            blocks = image.blocks(entry)
        except ImageError:
            unreadable += 1
            continue
        pointers += 4 * entry.pages
        for block in blocks:
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
        pointers,
        names,
        holes,
        unreadable,
    )
