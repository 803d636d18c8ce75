# SPDX-License-Identifier: MIT
"""Measures the use of an image's bytes: an image in, bytes by kind and by file out.

Each byte is counted once, however many files share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tinyprof.cramfs.format import EntryKind, ImageError
from tinyprof.cramfs.mapped import Mapped, count_mapped, places_of
from tinyprof.cramfs.reading.blocks import Block
from tinyprof.cramfs.reading.directory import Entry, distinct_contents
from tinyprof.cramfs.reading.reader import Image
from tinyprof.pages import PAGE_SIZE


@dataclass(frozen=True, slots=True)
class Share:
    """Bytes by kind.

    `uncompressed` counts bytes of pages stored as they are at places from which no kernel maps
    them. `holes` counts pages. `unreadable` counts files whose block pointers are broken; their
    blocks are not counted. `mapped` has the number of pages in place that each kernel maps.
    """

    in_place: int
    in_place_pages: int
    compressed: int
    uncompressed: int
    pointers: int
    names: int
    holes: int
    unreadable: int = 0
    mapped: Mapped = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileShare:
    """One path: the bytes of its content, the bytes that it takes in the image, and the number of
    its pages in place.

    `stored` counts block pointers and blocks. Bytes that several paths share are counted for the
    first of them in the order of the walk.
    """

    size: int
    stored: int
    in_place: int


def measure(image: Image, *, riscv_code: bool = False) -> Share:
    """Look at every block once. Files with broken block pointers are passed over and counted.

    `riscv_code`: see kernel.maps_no_code().
    """
    return measure_files(image, riscv_code=riscv_code)[0]


def measure_files(image: Image, *, riscv_code: bool = False) -> tuple[Share, dict[str, FileShare]]:
    """The same, and the share of each file and symbolic link by its path."""
    blocks = _Blocks()
    found: dict[tuple[int, int], FileShare] = {}
    unreadable = 0
    for entry in distinct_contents(image.entries):
        try:
            share = blocks.add(entry, image.blocks(entry))
        except ImageError:
            unreadable += 1
            share = FileShare(entry.size, 0, 0)
        found[entry.ino, entry.size] = share
    names = sum(entry.size for entry in image.entries if entry.kind is EntryKind.DIRECTORY)
    mapped = count_mapped(image, blocks.placed, riscv_code=riscv_code)
    return blocks.total(names, unreadable, mapped), _by_path(image, found)


def _by_path(image: Image, found: dict[tuple[int, int], FileShare]) -> dict[str, FileShare]:
    """The share of each path. The first path of a content has its bytes."""
    by_path: dict[str, FileShare] = {}
    counted: set[tuple[int, int]] = set()
    for entry in image.entries:
        if not entry.kind.has_blocks:
            continue
        content = entry.ino, entry.size
        share = found.get(content, FileShare(0, 0, 0))
        if content in counted:
            share = FileShare(share.size, 0, share.in_place)
        counted.add(content)
        by_path[entry.path] = share
    return by_path


class _Blocks:
    """Sums over the blocks of an image, each counted once. `placed` has the files with pages in
    place, and the places of these pages."""

    def __init__(self) -> None:
        self._in_place: set[int] = set()
        self._compressed: dict[int, int] = {}
        self._uncompressed: dict[int, int] = {}
        self.placed: list[tuple[Entry, dict[int, int]]] = []
        self._pointers = self._holes = 0

    def add(self, entry: Entry, blocks: Sequence[Block]) -> FileShare:
        """Count the blocks of a content, and give its share of the image."""
        table = 4 * entry.pages
        self._pointers += table
        new = 0
        for block in blocks:
            if block.hole:
                self._holes += 1
            elif block.in_place:
                new += 0 if block.offset in self._in_place else PAGE_SIZE
                self._in_place.add(block.offset)
            else:
                kind = self._uncompressed if block.uncompressed else self._compressed
                new += 0 if block.offset in kind else block.stored
                kind[block.offset] = block.stored
        places = places_of(blocks)
        if places and entry.kind is EntryKind.FILE:
            self.placed.append((entry, places))
        return FileShare(entry.size, table + new, len(places))

    def total(self, names: int, unreadable: int, mapped: Mapped) -> Share:
        """The shares of the whole image."""
        return Share(
            len(self._in_place) * PAGE_SIZE,
            len(self._in_place),
            sum(self._compressed.values()),
            sum(self._uncompressed.values()),
            self._pointers,
            names,
            self._holes,
            unreadable,
            mapped,
        )
