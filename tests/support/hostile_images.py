# SPDX-License-Identifier: MIT
"""Makes images that ask for much more work than they have bytes: a size in, an image out."""

from __future__ import annotations

import random
import struct
import zlib

from tinyprof.cramfs.format import EntryKind, Inode, Superblock, SuperFlag
from tinyprof.pages import PAGE_SIZE, Fsid


def image_of(body: bytes, root_size: int) -> bytes:
    """An image with a right CRC whose root directory is the first `root_size` bytes of `body`."""
    root = Inode(EntryKind.DIRECTORY.value | 0o755, 0, root_size, 0, 0, 76)
    size = 76 + len(body)
    superblock = Superblock("little", size, SuperFlag(3), Fsid(0, 0, 0, 0), "cost", root)
    image = bytearray(superblock.pack() + body)
    struct.pack_into("<I", image, 32, zlib.crc32(image))
    return bytes(image)


def entry(kind: EntryKind, number: int, size: int, offset: int) -> bytes:
    """An entry of 20 bytes."""
    return Inode(kind.value | 0o644, 0, size, 0, 2, offset).pack("little") + b"%08d" % number


def overlapping_directories(size: int) -> bytes:
    """Every name is a directory that takes all bytes from its own place to the image's end."""
    count = size // 20
    names = (
        entry(EntryKind.DIRECTORY, number, (count - number) * 20, 76 + number * 20)
        for number in range(count)
    )
    return image_of(b"".join(names), count * 20)


def overlapping_tables(size: int) -> bytes:
    """Every name is a file of 16 MiB whose block pointers begin at another word of one table."""
    count = size // 40
    table = 76 + count * 20
    names = (
        entry(EntryKind.FILE, number, 0xFFFFFF, table + 4 * (number % 100))
        for number in range(count)
    )
    body = b"".join(names)
    return image_of(body + random.Random(1).randbytes(max(size - len(body), 17_000)), len(body))


def holes_under_many_names(size: int) -> bytes:
    """Half of the image is names, all of one file whose pages are holes."""
    count = size // 40
    table = 76 + count * 20
    pages = min(4095, size // 8)
    body = b"".join(
        entry(EntryKind.FILE, number, pages * PAGE_SIZE, table) for number in range(count)
    )
    end = table + 4 * pages
    return image_of(body + struct.pack("<I", end) * pages, count * 20)
