# SPDX-License-Identifier: MIT
"""The block pointers of one file: its table in, one stored block for each page out, and a page
from a block.

Follows cramfs_read_folio(). All forms are known: indirect (the block ends at the pointer and
starts where the last one ended) and direct (the pointer is the block's place), each compressed or
not, and holes. Every number is untrusted and every broken one ends in ImageError.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from operator import sub

import deflate

from tinyprof.cramfs.format import (
    BLOCK_DIRECT,
    BLOCK_FLAGS,
    BLOCK_UNCOMPRESSED,
    ByteOrder,
    ImageError,
)
from tinyprof.pages import PAGE_SIZE


@dataclass(frozen=True, slots=True)
class Block:
    """Where one page is stored; `stored` in bytes. `in_place`: a patched kernel maps it from
    flash."""

    offset: int
    stored: int
    direct: bool
    uncompressed: bool
    in_place: bool

    @property
    def hole(self) -> bool:
        return self.stored == 0


def read_pointers(data: memoryview, order: ByteOrder, ino: int, size: int) -> tuple[int, ...]:
    """The block-pointer table at byte `ino` of a content of `size` bytes."""
    pages = -(-size // PAGE_SIZE)
    if ino & 3:
        raise ImageError(f"{size} bytes, but no block pointers")
    if ino + 4 * pages > len(data):
        raise ImageError(f"block pointers at {ino} lie outside the image")
    return struct.unpack_from(f"{'<' if order == 'little' else '>'}{pages}I", data, ino)


def chained_blocks(
    ino: int, pointers: Sequence[int], limit: int
) -> tuple[Sequence[int], Sequence[int]] | None:
    """First byte and size of each block of a table without extended pointers; None for any other
    table.

    `limit` is the size of the image. Most tables are like this, and an image has a hundred
    thousand blocks.
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
    """The block of each page."""
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
    """One block, and the byte at which an indirect successor of it would start."""
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
    """The `whole` bytes of a page. Raises ImageError where the kernel would fail or show less."""
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
    """A compressed block's page; the kernel takes nothing that does not end within a page."""
    try:
        page: bytearray = deflate.zlib_decompress(stored, PAGE_SIZE)
    except (deflate.DeflateError, ValueError):
        raise ImageError(f"page {index} does not decompress: {_why(stored)}") from None
    return page


def inflates_whole(stored: memoryview) -> bool:
    """Whether a compressed block is a whole page."""
    try:
        return len(deflate.zlib_decompress(stored, PAGE_SIZE)) == PAGE_SIZE
    except (deflate.DeflateError, ValueError):
        return False


def _why(stored: memoryview | bytes) -> str:
    """zlib names the reason, libdeflate does not."""
    stream = zlib.decompressobj()
    try:
        page = stream.decompress(stored, PAGE_SIZE + 1)
    except zlib.error as error:
        return str(error)
    if len(page) > PAGE_SIZE:
        return f"it holds more than {PAGE_SIZE} bytes"
    return "it ends early"
