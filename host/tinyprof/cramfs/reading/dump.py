# SPDX-License-Identifier: MIT
"""Finds images inside a flash dump, and reads the bytes of one image from a file.

A dump may be larger than memory, and may have been made to look like thousands of images. So it is
searched piece by piece, the search ends after a few places, and of an image no more is read than
its superblock says.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from tinyprof.cramfs.format import (
    BOOT_PAD,
    CRC_OFFSET,
    IMAGE_MAX,
    SIGNATURE,
    SUPER_SIZE,
    ByteOrder,
    ImageError,
    Inode,
    NoImageError,
    SuperFlag,
    image_size,
    order_at,
    superblock_fault,
    unpack_superblock,
)
from tinyprof.cramfs.streams import crc32
from tinyprof.errors import naming

HEAD_SIZE = BOOT_PAD + SUPER_SIZE
"""Bytes. A superblock stands within them."""

PIECE = 4 << 20
"""Bytes of a dump that are searched at once."""

PLACES_MAX = 8
"""Images. The search ends after this number; each may cost one CRC over its bytes."""

ReadAt = Callable[[int, int], bytes | memoryview]
"""Called with a byte and a number of bytes. Gives fewer bytes at the end only."""


def find_images(data: bytes | memoryview) -> list[int]:
    """The bytes of a dump at which its first images begin, boot padding included."""
    view = memoryview(data)
    return _places(lambda at, count: view[at : at + count])


def not_at(error: NoImageError, offset: int, places: list[int]) -> ImageError:
    """The error about a dump without an image at byte `offset`, which names the `places`."""
    if not places:
        return error
    return NoImageError(
        f"not a cramfs image at byte {offset}",
        f"it holds one at byte {', '.join(map(str, places))}: use --offset",
    )


def read_image_bytes(path: Path, offset: int = 0, *, salvage: bool = False) -> memoryview:
    """The bytes of the image that begins at byte `offset` of a file, device or pipe.

    Reads the superblock first, then as many bytes as it says, at most IMAGE_MAX. The result is
    shorter if the file is. Raises NoImageError, naming the places where images begin, ImageError
    for a superblock that cannot be right, unless for `salvage`, and OSError.
    """
    with path.open("rb", buffering=0) as file, naming(path):
        _skip(file, offset)
        data = bytearray()
        _read(file, data, HEAD_SIZE)
        try:
            superblock = unpack_superblock(bytes(data), IMAGE_MAX)
        except NoImageError as error:
            raise not_at(error, offset, _places_in(file)) from None
        fault = superblock_fault(superblock, IMAGE_MAX)
        if fault and not salvage:
            raise fault
        size = image_size(superblock)
        _read(file, data, size)
        return memoryview(data)[:size].toreadonly()


def _skip(file: IO[bytes], count: int) -> None:
    if file.seekable():
        file.seek(count)
        return
    while count > 0 and (piece := file.read(min(count, PIECE))):
        count -= len(piece)


def _read(file: IO[bytes], data: bytearray, size: int) -> None:
    """Read on until `data` has `size` bytes or the file ends."""
    while len(data) < size and (piece := file.read(min(size - len(data), PIECE))):
        data += piece


def _places_in(file: IO[bytes]) -> list[int]:
    """The places in a file or a flash partition. Other files, such as a pipe or /dev/zero, may
    have no end and are not searched."""
    mode = os.fstat(file.fileno()).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        return []
    return _places(lambda at, count: os.pread(file.fileno(), count, at))


def _places(read: ReadAt) -> list[int]:
    found: list[int] = []
    for at, order in _superblocks(read):
        found.append(at - BOOT_PAD if _is_padded(read, at, order) else at)
        if len(found) == PLACES_MAX:
            break
    return found


def _superblocks(read: ReadAt) -> Iterator[tuple[int, ByteOrder]]:
    """Each superblock by its magic number and signature. Pieces overlap by one superblock."""
    begin = 0
    while piece := read(begin, PIECE + SUPER_SIZE - 1):
        for match in re.finditer(re.escape(SIGNATURE), piece):
            at = match.start() - 16
            order = order_at(piece, at) if at < PIECE else None
            if order:
                yield begin + at, order
        begin += PIECE


def _is_padded(read: ReadAt, at: int, order: ByteOrder) -> bool:
    """Whether the image of the superblock at byte `at` begins 512 bytes before it."""
    head = read(at, SUPER_SIZE)
    root = Inode.unpack(head, 64, order).offset
    if at < BOOT_PAD or root == SUPER_SIZE:
        return False
    if root == BOOT_PAD + SUPER_SIZE:
        return True
    size, flags, crc = (int.from_bytes(head[place : place + 4], order) for place in (4, 8, 32))
    if not flags & SuperFlag.SHIFTED_ROOT_OFFSET:
        return False
    # Behind an inserted file the root may stand anywhere: only the CRC tells where the image ends.
    return _crc_of(read, at, min(size, IMAGE_MAX) - BOOT_PAD) == crc


def _crc_of(read: ReadAt, at: int, count: int) -> int:
    """The CRC-32 of `count` bytes from a superblock on, the CRC's own field taken as zero."""
    field = CRC_OFFSET + 4
    crc = crc32(bytes(4), crc32(read(at, CRC_OFFSET)))
    at, count = at + field, count - field
    while count > 0 and (piece := read(at, min(count, PIECE))):
        crc = crc32(piece, crc)
        at, count = at + len(piece), count - len(piece)
    return int(crc)
