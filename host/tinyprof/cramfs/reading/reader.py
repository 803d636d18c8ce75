# SPDX-License-Identifier: MIT
"""Reads a CramFS image: bytes in, entries, blocks and file contents out.

Every number in an image is untrusted. A broken one ends in ImageError, with work and memory
bounded by the size of the image; nothing is ever written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from tinyprof.cramfs.format import ImageError, Superblock, unpack_superblock
from tinyprof.cramfs.reading.blocks import (
    Block,
    chained_blocks,
    locate_blocks,
    read_block,
    read_chained,
    read_pointers,
)
from tinyprof.cramfs.reading.directory import Entry, walk_directories
from tinyprof.pages import PAGE_SIZE

_T = TypeVar("_T")


class Image:
    """A parsed image. Entries are in the order of a walk from the root."""

    def __init__(
        self, data: memoryview, superblock: Superblock, entries: tuple[Entry, ...]
    ) -> None:
        self._data = data
        self.superblock = superblock
        self.entries = entries

    def blocks(self, entry: Entry) -> tuple[Block, ...]:
        """The blocks of a file or symlink, one a page, as cramfs_read_folio() finds them."""
        if not entry.kind.has_blocks or not entry.size:
            return ()
        return _of(entry, lambda: tuple(self._locate(entry)))

    def _locate(self, entry: Entry) -> list[Block]:
        order = self.superblock.byte_order
        pointers = read_pointers(self._data, order, entry.ino, entry.size)
        return locate_blocks(self._data, order, entry.ino, entry.size, pointers)

    def read_page(self, entry: Entry, index: int) -> bytes:
        """One page of a file, as long as the file has it."""
        return _of(entry, lambda: self._read_block(entry, index, self.blocks(entry)[index]))

    def read(self, entry: Entry) -> bytes:
        """A file's or symlink's whole content."""
        if not entry.kind.has_blocks or not entry.size:
            return b""
        return _of(entry, lambda: b"".join(self._pages(entry)))

    def _pages(self, entry: Entry) -> Iterator[bytes | memoryview | bytearray]:
        data = self._data
        pointers = read_pointers(data, self.superblock.byte_order, entry.ino, entry.size)
        chained = chained_blocks(entry.ino, pointers, len(data))
        if chained is None:
            blocks = self._locate(entry)
            yield from (
                self._read_block(entry, index, block) for index, block in enumerate(blocks)
            )
            return
        for index, (start, size) in enumerate(zip(*chained, strict=True)):
            whole = min(PAGE_SIZE, entry.size - index * PAGE_SIZE)
            yield read_chained(data[start : start + size], index, whole)

    def _read_block(self, entry: Entry, index: int, block: Block) -> bytes:
        whole = min(PAGE_SIZE, entry.size - index * PAGE_SIZE)
        return read_block(self._data, block, index, whole)


def _of(entry: Entry, action: Callable[[], _T]) -> _T:
    """Name the file that an error is about."""
    try:
        return action()
    except ImageError as error:
        raise ImageError(f"{entry.path}: {error.message}", error.hint) from None


def read_image(data: bytes | memoryview, offset: int = 0) -> Image:
    """Parse the image at byte `offset`: the superblock and every directory; contents are read on
    demand.

    Raises ImageError, which says where in a larger dump an image was found instead.
    """
    view = memoryview(data)[offset:]
    superblock = unpack_superblock(view)
    view = view[: superblock.size]
    return Image(view, superblock, tuple(walk_directories(view, superblock)))
