# SPDX-License-Identifier: MIT
"""Reads the block pointers of one file: its table in, one stored block for each page out.

Follows cramfs_read_folio(), which knows these forms:

1. indirect: the pointer is the byte at which the block ends; it starts where the last one ended;
2. direct: the pointer is the word at which the block starts;
3. a hole: an indirect block of no bytes.

Blocks of the first two forms are compressed or not. Every number is untrusted, and a broken one
ends in ImageError.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from operator import sub

from tinyprof.cramfs.format import (
    BLOCK_DIRECT,
    BLOCK_FLAGS,
    BLOCK_UNCOMPRESSED,
    ByteOrder,
    ImageError,
)
from tinyprof.cramfs.streams import adler32, unpack, unpack_by_zlib
from tinyprof.pages import PAGE_SIZE, pages_in

BLOCK_MAX = PAGE_SIZE + 64
"""Bytes. No compressor makes a larger block of a page: it can store the page as it is."""

LARGER_BLOCKS = (8192, 16384, 32768, 65536)
"""Bytes. Sizes of blocks that mkfs.cramfs makes with -b, or on machines with such pages."""

PROBED_MAX = 8
"""Files that are looked at to tell the size of an image's blocks."""


@dataclass(frozen=True, slots=True)
class Block:
    """The place where one page is stored. `offset` and `stored` are in bytes.

    `in_place`: a kernel with tinyprof's fault handler maps the page from flash.
    """

    offset: int
    stored: int
    direct: bool
    uncompressed: bool
    in_place: bool

    @property
    def hole(self) -> bool:
        """Whether the page is all zeros and takes no bytes."""
        return self.stored == 0


def read_pointers(data: memoryview, order: ByteOrder, ino: int, size: int) -> tuple[int, ...]:
    """The block-pointer table at byte `ino` of a content of `size` bytes."""
    pages = pages_in(size)
    if ino & 3:
        raise ImageError(f"{size} bytes, but no block pointers")
    if ino + 4 * pages > len(data):
        raise ImageError(f"block pointers at {ino} lie outside the image")
    return struct.unpack_from(f"{'<' if order == 'little' else '>'}{pages}I", data, ino)


def chained_blocks(
    ino: int, pointers: Sequence[int], limit: int
) -> tuple[Sequence[int], Sequence[int]] | None:
    """First byte and size of each block of a table without extended pointers. None: it has some.

    `limit` is the size of the image. Most tables have none, and an image may have a hundred
    thousand blocks, so this way is the fast one.
    """
    if max(pointers) >= BLOCK_DIRECT or pointers[-1] > limit:
        return None
    starts = (ino + 4 * len(pointers), *pointers[:-1])
    sizes = list(map(sub, pointers, starts))
    if min(sizes) < 0 or max(sizes) > 2 * PAGE_SIZE:
        return None
    return starts, sizes


def locate_blocks(
    data: memoryview, order: ByteOrder, ino: int, size: int, pointers: Sequence[int]
) -> list[Block]:
    """The block of each page. Raises ImageError where a block lies outside the image."""
    blocks: list[Block] = []
    follows = ino + 4 * len(pointers)
    for index, pointer in enumerate(pointers):
        whole = min(PAGE_SIZE, size - index * PAGE_SIZE)
        block, follows = _locate(data, order, index, pointer, follows, whole)
        blocks.append(block)
    return blocks


def _locate(
    data: memoryview, order: ByteOrder, index: int, pointer: int, follows: int, whole: int
) -> tuple[Block, int]:
    """One block, and the byte at which an indirect block behind it would start."""
    value = pointer & ~BLOCK_FLAGS
    raw, direct = bool(pointer & BLOCK_UNCOMPRESSED), bool(pointer & BLOCK_DIRECT)
    if not direct:
        start, stored, after = follows, value - follows, value
    elif raw:
        start, stored, after = value << 2, whole, (value << 2) + PAGE_SIZE
    else:
        start = (value << 2) + 2
        _inside(data, index, start - 2, 2)
        stored = int.from_bytes(data[start - 2 : start], order)
        after = start + stored
    _inside(data, index, start, stored)
    if stored > (PAGE_SIZE if raw else 2 * PAGE_SIZE):
        raise ImageError(f"page {index} has an impossible block of {stored} bytes")
    in_place = direct and raw and _maps_in_place(data, start, whole)
    return Block(start, stored, direct, raw, in_place), after


def _inside(data: memoryview, index: int, start: int, size: int) -> None:
    if size < 0 or start + size > len(data):
        raise ImageError(f"page {index} is stored outside the image, at byte {start}")


def _maps_in_place(data: memoryview, start: int, whole: int) -> bool:
    if start % PAGE_SIZE or start + PAGE_SIZE > len(data):
        return False
    return whole == PAGE_SIZE or not any(data[start + whole : start + PAGE_SIZE])


def read_block(data: memoryview, block: Block, index: int, whole: int) -> bytes:
    """The `whole` bytes of a page. Raises ImageError where the kernel would fail or show fewer."""
    if not block.stored:
        return bytes(whole)
    stored = data[block.offset : block.offset + block.stored]
    if block.uncompressed:
        return bytes(stored[:whole]).ljust(whole, b"\0")
    return bytes(read_chained(stored, index, whole))


def read_chained(stored: memoryview, index: int, whole: int) -> bytes | bytearray:
    """The `whole` bytes of a page from its compressed block, or from a hole."""
    if not stored:
        return bytes(whole)
    page = inflate(stored, index)
    if len(page) < whole:
        raise ImageError(f"page {index} decompresses to {len(page)} bytes, not {whole}")
    return page if len(page) == whole else page[:whole]


def inflate(stored: memoryview | bytes, index: int) -> bytes | bytearray:
    """The page of a compressed block. A kernel takes no block that is longer than a page."""
    page = unpack(stored, PAGE_SIZE)
    if page is None:
        raise ImageError(f"page {index} does not decompress: {_why(stored)}")
    return page


def inflates_whole(stored: memoryview) -> bool:
    """Whether a compressed block unpacks to a whole page."""
    page = unpack(stored, PAGE_SIZE)
    return page is not None and len(page) == PAGE_SIZE


def unpacks_to(block: bytes, page: bytes) -> bool:
    """Whether a compressed block unpacks to this very page, and ends with its checksum."""
    if len(block) > BLOCK_MAX or block[-4:] != adler32(page).to_bytes(4, "big"):
        return False
    return unpack(block, PAGE_SIZE) == page


def _why(stored: memoryview | bytes) -> str:
    """The reason for which a block does not unpack. zlib names it, libdeflate does not."""
    return unpack_by_zlib(stored, PAGE_SIZE)[1] or "it ends early"


def larger_blocks(
    data: memoryview, order: ByteOrder, contents: Sequence[tuple[int, int]]
) -> tuple[int, bool] | None:
    """The size of an image's blocks where it is not 4 KiB, and whether it may be larger still.

    `contents` are inode numbers and sizes. The largest files tell most: the first block of a file
    with blocks of 16 KiB unpacks to 16 KiB, and its table has a quarter of the pointers. None: a
    file has blocks of 4 KiB, or none of them has blocks at all.
    """
    longest = sorted(contents, key=lambda content: content[1], reverse=True)[:PROBED_MAX]
    for ino, size in longest:
        if size <= PAGE_SIZE or _begins_with_block(data, order, ino, size, PAGE_SIZE):
            return None
        for block_size in LARGER_BLOCKS:
            if _begins_with_block(data, order, ino, size, block_size):
                return block_size, size <= block_size
    return None


def _begins_with_block(
    data: memoryview, order: ByteOrder, ino: int, size: int, block_size: int
) -> bool:
    """Whether the first pointer that is no hole leads to a block of `block_size` bytes."""
    count = -(-size // block_size)
    start = ino + 4 * count
    if ino & 3 or start > len(data):
        return False
    for index in range(count):
        pointer = int.from_bytes(data[ino + 4 * index : ino + 4 * index + 4], order)
        if pointer & BLOCK_FLAGS:
            # Builders that know extended pointers make blocks of one page only.
            return block_size == PAGE_SIZE
        if pointer != start:
            if not start < pointer <= min(len(data), start + 2 * block_size):
                return False
            whole = min(block_size, size - index * block_size)
            block = unpack(data[start:pointer], block_size)
            return block is not None and len(block) == whole
    return block_size == PAGE_SIZE
