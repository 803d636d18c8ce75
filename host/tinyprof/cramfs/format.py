# SPDX-License-Identifier: MIT
"""The CramFS format: its numbers, its superblock and its inode (include/uapi/linux/cramfs_fs.h).

This module turns superblocks and inodes from bytes into frozen records and back. The reader and
the writer follow the offsets in them. Nothing here does I/O, and nothing depends on the locale.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum, IntFlag
from typing import Literal

from tinyprof.cramfs.streams import crc32
from tinyprof.errors import TinyprofError
from tinyprof.pages import Fsid

MAGIC = 0x28CD3D45
SIGNATURE = b"Compressed ROMFS"
SUPER_SIZE = 76
"""Bytes of the superblock, the root's inode included."""

INODE_SIZE = 12
"""Bytes of an inode. An entry's name follows its inode."""

CRC_OFFSET = 32
"""Bytes from the superblock's begin to its CRC field."""

FILE_MAX = (1 << 24) - 1
"""Bytes. The size field of an inode has 24 bits."""

NAME_MAX = 63 * 4
"""Bytes. An inode counts the words of its name in 6 bits."""

UID_MAX = (1 << 16) - 1
GID_MAX = (1 << 8) - 1
INODE_OFFSET_MAX = ((1 << 26) - 1) * 4
"""Bytes. An inode's offset has 26 bits and counts words: tables and directories lie below 256
MiB."""

IMAGE_MAX = 272 << 20
"""Bytes. The last table lies below 256 MiB, and its file has less than 16 MiB. Builder and reader
share this limit."""

IMAGE_LIMIT = (
    f"cramfs holds at most {IMAGE_MAX >> 20} MiB: an inode points below 256 MiB, and a file has "
    "less than 16"
)
"""The limit of an image and its reason, for messages."""

DEPTH_MAX = 256
"""Directories below the root. Builder and reader share this limit."""

PATH_MAX = 4096
"""Characters. The kernel resolves no longer path (include/uapi/linux/limits.h)."""

DIRENT_READ = INODE_SIZE + NAME_MAX
"""Bytes. The kernel reads a directory entry with room for the longest name. cramfs_direct_read()
gives zeros if that reaches beyond the image."""

BLOCK_UNCOMPRESSED = 1 << 31
BLOCK_DIRECT = 1 << 30
BLOCK_FLAGS = BLOCK_UNCOMPRESSED | BLOCK_DIRECT

BOOT_PAD = 512
"""Bytes. The kernel looks for a superblock at byte 0 and at this byte. Boot code may stand before
it."""

ByteOrder = Literal["little", "big"]
BYTE_ORDERS: tuple[ByteOrder, ByteOrder] = ("little", "big")


def paths_max(image_size: int) -> int:
    """The characters that all paths of an image may have together.

    A few bytes of an image can name a path of 4,096 characters, so that the sum would otherwise
    grow with the square of the size. Builder and reader share this limit.
    """
    return (16 << 20) + 16 * image_size


def name_text(name: bytes) -> str:
    """A name of the image as text: UTF-8, whatever the locale. Other bytes become surrogates."""
    return name.decode("utf-8", "surrogateescape")


def name_bytes(name: str) -> bytes:
    """The bytes of a name that name_text() gave."""
    return name.encode("utf-8", "surrogateescape")


class SuperFlag(IntFlag):
    """The bits of superblock.flags. A kernel refuses each bit from 0x100 on that it does not
    know."""

    FSID_VERSION_2 = 0x001
    SORTED_DIRS = 0x002
    HOLES = 0x100
    WRONG_SIGNATURE = 0x200
    SHIFTED_ROOT_OFFSET = 0x400
    EXT_BLOCK_POINTERS = 0x800


SUPPORTED_FLAGS = 0xFF | 0x100 | 0x200 | 0x400 | 0x800


class EntryKind(Enum):
    """The type of an entry. The values are the type bits of a mode."""

    FIFO = 0o010000
    CHAR = 0o020000
    DIRECTORY = 0o040000
    BLOCK = 0o060000
    FILE = 0o100000
    SYMLINK = 0o120000
    SOCKET = 0o140000

    @property
    def has_blocks(self) -> bool:
        """Whether the data of such an entry are pages behind block pointers."""
        return self in (EntryKind.FILE, EntryKind.SYMLINK)

    @property
    def has_data(self) -> bool:
        """Whether the inode of such an entry points to data: to blocks, or to a directory's
        names."""
        return self.has_blocks or self is EntryKind.DIRECTORY


class CramfsError(TinyprofError):
    """The root of all errors of this library. The message names the place, the hint a way out."""


class ImageError(CramfsError):
    """An image that cannot be read as CramFS. The message names the byte or the path."""


class NoImageError(ImageError):
    """Bytes without a CramFS magic number where an image was expected."""


class TreeError(CramfsError):
    """A tree that CramFS cannot hold. The message names the path and the limit."""


@dataclass(frozen=True, slots=True)
class Inode:
    """The 12 bytes in front of a name. `size` and `offset` are in bytes; an offset of 0 means that
    there is no data."""

    mode: int
    uid: int
    size: int
    gid: int
    name_words: int
    offset: int

    def pack(self, order: ByteOrder) -> bytes:
        """The inode's bytes in an image of this byte order."""
        if order == "little":
            words = (
                self.mode | self.uid << 16,
                self.size | self.gid << 24,
                self.name_words | (self.offset >> 2) << 6,
            )
            return struct.pack("<3I", *words)
        # C bit fields fill from the top on big-endian targets.
        words = (
            self.mode << 16 | self.uid,
            self.size << 8 | self.gid,
            self.name_words << 26 | self.offset >> 2,
        )
        return struct.pack(">3I", *words)

    @classmethod
    def unpack(cls, data: bytes | memoryview, at: int, order: ByteOrder) -> Inode:
        """The inode at byte `at`."""
        if order == "little":
            first, second, third = struct.unpack_from("<3I", data, at)
            return cls(
                first & 0xFFFF,
                first >> 16,
                second & 0xFFFFFF,
                second >> 24,
                third & 63,
                third >> 6 << 2,
            )
        first, second, third = struct.unpack_from(">3I", data, at)
        return cls(
            first >> 16,
            first & 0xFFFF,
            second >> 8,
            second & 0xFF,
            third >> 26,
            (third & 0x3FFFFFF) << 2,
        )


@dataclass(frozen=True, slots=True)
class Superblock:
    """The head of an image.

    `size` is the image's size in bytes. `offset` is the byte at which the superblock stands, 0 or
    512.
    """

    byte_order: ByteOrder
    size: int
    flags: SuperFlag
    fsid: Fsid
    name: str
    root: Inode
    offset: int = 0

    def pack(self) -> bytes:
        """The superblock's bytes, with 0 in place of the CRC."""
        prefix = "<" if self.byte_order == "little" else ">"
        ids = (self.fsid.crc, self.fsid.edition, self.fsid.blocks, self.fsid.files)
        head = struct.pack(
            f"{prefix}4I16s4I", MAGIC, self.size, int(self.flags), 0, SIGNATURE, *ids
        )
        name = name_bytes(self.name)[:16].ljust(16, b"\0")
        return head + name + self.root.pack(self.byte_order)


def unpack_superblock(data: bytes | memoryview, available: int | None = None) -> Superblock:
    """The superblock at byte 0 or 512 of `data`, as cramfs_read_super() looks for it.

    `available` is the number of bytes that the image can have, where `data` is only its begin.
    Nothing that the superblock says is checked (superblock_fault()). Raises NoImageError without a
    magic number, ImageError with a wrong signature.
    """
    for offset in (0, BOOT_PAD):
        order = order_at(data, offset)
        if order:
            return _unpack_at(data, offset, order, len(data) if available is None else available)
    raise NoImageError(
        "not a cramfs image: no magic number at byte 0 or 512", "give the image file itself"
    )


def superblock_fault(superblock: Superblock, available: int) -> ImageError | None:
    """The error about a superblock that cannot be right where `available` bytes are there.

    None: nothing speaks against it.
    """
    unknown = superblock.flags & ~SUPPORTED_FLAGS
    if unknown:
        return ImageError(f"image needs features {int(unknown):#x} that no kernel has")
    size = superblock.size
    if size > IMAGE_MAX:
        return ImageError(
            f"image of {size} bytes by its superblock; {IMAGE_LIMIT}",
            "copy it again if the superblock is damaged",
        )
    if size < superblock.offset + SUPER_SIZE:
        return ImageError(
            f"image of {size} bytes by its superblock, which has no room for the superblock"
        )
    if size > available:
        return ImageError(
            f"image is cut short: {size} bytes by its superblock, {available} here",
            "copy it again",
        )
    return None


def image_size(superblock: Superblock) -> int:
    """The bytes of the image, at most IMAGE_MAX. A size that cannot be right says nothing."""
    sound = superblock.offset + SUPER_SIZE <= superblock.size <= IMAGE_MAX
    return superblock.size if sound else IMAGE_MAX


def order_at(data: bytes | memoryview, offset: int) -> ByteOrder | None:
    """The byte order of the magic number at byte `offset`. None: there is no superblock."""
    if not 0 <= offset <= len(data) - SUPER_SIZE:
        return None
    magic = bytes(data[offset : offset + 4])
    return next((order for order in BYTE_ORDERS if int.from_bytes(magic, order) == MAGIC), None)


def image_crc(data: memoryview, start: int) -> int:
    """The CRC-32 of an image whose superblock stands at byte `start`, the CRC's own field taken as
    zero."""
    field = start + CRC_OFFSET
    crc = crc32(bytes(4), crc32(data[start:field]))
    return int(crc32(data[field + 4 :], crc))


def _unpack_at(
    data: bytes | memoryview, offset: int, order: ByteOrder, available: int
) -> Superblock:
    prefix = "<" if order == "little" else ">"
    _, size, flags, _, signature, crc, edition, blocks, files = struct.unpack_from(
        f"{prefix}4I16s4I", data, offset
    )
    if signature != SIGNATURE:
        raise ImageError(f"not a cramfs image: wrong signature at byte {offset + 16}")
    if not flags & SuperFlag.FSID_VERSION_2:
        # Images of before Linux 2.3.39 do not say how long they are.
        size, crc, edition, blocks, files = min(available, IMAGE_MAX), 0, 0, 0, 0
    name = name_text(bytes(data[offset + 48 : offset + 64]).split(b"\0")[0])
    root = Inode.unpack(data, offset + 64, order)
    return Superblock(
        order, size, SuperFlag(flags), Fsid(crc, edition, blocks, files), name, root, offset
    )
