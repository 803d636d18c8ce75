# SPDX-License-Identifier: MIT
"""The CramFS format: its numbers and its three structures (include/uapi/linux/cramfs_fs.h).

Superblock and inode go between bytes and frozen records here; what they point to is for the reader
and the writer. Nothing here does I/O.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from enum import Enum, IntFlag
from typing import Literal

import deflate

from tinyprof.errors import TinyprofError
from tinyprof.pages import Fsid

MAGIC = 0x28CD3D45
SIGNATURE = b"Compressed ROMFS"
SUPER_SIZE = 76
INODE_SIZE = 12
CRC_OFFSET = 32

FILE_MAX = (1 << 24) - 1
NAME_MAX = 63 * 4
UID_MAX = (1 << 16) - 1
GID_MAX = (1 << 8) - 1
INODE_OFFSET_MAX = ((1 << 26) - 1) * 4
"""An inode's offset field has 26 bits and counts words: tables and directories lie below 256
MiB."""

DIRENT_READ = INODE_SIZE + NAME_MAX
"""The kernel reads a directory entry with room for the longest name; cramfs_direct_read() gives
zeros for what reaches beyond the image."""

BLOCK_UNCOMPRESSED = 1 << 31
BLOCK_DIRECT = 1 << 30
BLOCK_FLAGS = BLOCK_UNCOMPRESSED | BLOCK_DIRECT

BOOT_PAD = 512
"""The only other place at which the kernel looks for a superblock; boot code may stand before
it."""

ByteOrder = Literal["little", "big"]
BYTE_ORDERS: tuple[ByteOrder, ByteOrder] = ("little", "big")


class SuperFlag(IntFlag):
    """superblock.flags; kernels refuse a bit from 0x100 on that they do not know."""

    FSID_VERSION_2 = 0x001
    SORTED_DIRS = 0x002
    HOLES = 0x100
    WRONG_SIGNATURE = 0x200
    SHIFTED_ROOT_OFFSET = 0x400
    EXT_BLOCK_POINTERS = 0x800


SUPPORTED_FLAGS = 0xFF | 0x100 | 0x200 | 0x400 | 0x800


class EntryKind(Enum):
    """What an entry is, by the format bits of its mode."""

    FIFO = 0o010000
    CHAR = 0o020000
    DIRECTORY = 0o040000
    BLOCK = 0o060000
    FILE = 0o100000
    SYMLINK = 0o120000
    SOCKET = 0o140000

    @property
    def has_blocks(self) -> bool:
        """Whether its data are pages behind block pointers."""
        return self in (EntryKind.FILE, EntryKind.SYMLINK)

    @property
    def has_data(self) -> bool:
        """Whether its inode points to data: the blocks, or a directory's names."""
        return self.has_blocks or self is EntryKind.DIRECTORY


class ImageError(TinyprofError):
    """An image that cannot be read as CramFS: what is wrong and at which byte or path."""


class TreeError(TinyprofError):
    """A tree that CramFS cannot hold: the path, and the limit it is over."""


@dataclass(frozen=True, slots=True)
class Inode:
    """The 12 bytes in front of a name; `offset` in bytes, 0 where there is no data."""

    mode: int
    uid: int
    size: int
    gid: int
    name_words: int
    offset: int

    def pack(self, order: ByteOrder) -> bytes:
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
    """The image's head; `size` in bytes, `offset` where in the data it stands (0 or 512)."""

    byte_order: ByteOrder
    size: int
    flags: SuperFlag
    fsid: Fsid
    name: str
    root: Inode
    offset: int = 0

    def pack(self) -> bytes:
        prefix = "<" if self.byte_order == "little" else ">"
        ids = (self.fsid.crc, self.fsid.edition, self.fsid.blocks, self.fsid.files)
        head = struct.pack(
            f"{prefix}4I16s4I", MAGIC, self.size, int(self.flags), 0, SIGNATURE, *ids
        )
        name = self.name.encode("utf-8", "surrogateescape")[:16].ljust(16, b"\0")
        return head + name + self.root.pack(self.byte_order)


def unpack_superblock(data: bytes | memoryview) -> Superblock:
    """The superblock at byte 0 or 512, as cramfs_read_super() looks for it; raises ImageError."""
    for offset in (0, BOOT_PAD):
        for order in BYTE_ORDERS:
            if _has_magic(data, offset, order):
                return _unpack_at(data, offset, order)
    found = find_images(data)
    if found:
        places = ", ".join(map(str, found[:8]))
        raise ImageError(
            "not a cramfs image at byte 0", f"it holds one at byte {places}: use --offset"
        )
    raise ImageError(
        "not a cramfs image: no magic number at byte 0 or 512", "give the image file itself"
    )


def _has_magic(data: bytes | memoryview, offset: int, order: ByteOrder) -> bool:
    prefix = "<" if order == "little" else ">"
    enough = 0 <= offset <= len(data) - SUPER_SIZE
    return enough and bool(struct.unpack_from(f"{prefix}I", data, offset)[0] == MAGIC)


def find_images(data: bytes | memoryview) -> list[int]:
    """The bytes of a flash dump at which images begin, boot padding included."""
    found: list[int] = []
    for match in re.finditer(re.escape(SIGNATURE), data):
        at = match.start() - 16
        for order in BYTE_ORDERS:
            if _has_magic(data, at, order):
                found.append(at - BOOT_PAD if _is_padded(memoryview(data), at, order) else at)
    return found


def _is_padded(data: memoryview, at: int, order: ByteOrder) -> bool:
    """Whether the image of the superblock at byte `at` begins 512 bytes before it."""
    root = Inode.unpack(data, at + 64, order).offset
    if at < BOOT_PAD or root == SUPER_SIZE:
        return False
    if root == BOOT_PAD + SUPER_SIZE:
        return True
    # Behind an inserted image the root may stand anywhere: only the CRC tells where the image
    # ends.
    size, crc = (
        struct.unpack_from("<I" if order == "little" else ">I", data, at + place)[0]
        for place in (4, 32)
    )
    return bool(image_crc(data[at : at - BOOT_PAD + size], 0) == crc)


def image_crc(data: memoryview, start: int) -> int:
    """The CRC-32 of an image whose superblock stands at byte `start`, the CRC's own field taken as
    zero."""
    field = start + CRC_OFFSET
    crc = deflate.crc32(bytes(4), deflate.crc32(data[start:field]))
    return int(deflate.crc32(data[field + 4 :], crc))


def _unpack_at(data: bytes | memoryview, offset: int, order: ByteOrder) -> Superblock:
    prefix = "<" if order == "little" else ">"
    _, size, flags, _, signature, crc, edition, blocks, files = struct.unpack_from(
        f"{prefix}4I16s4I", data, offset
    )
    if signature != SIGNATURE:
        raise ImageError(f"not a cramfs image: wrong signature at byte {offset + 16}")
    if flags & ~SUPPORTED_FLAGS:
        raise ImageError(f"image needs features {flags & ~SUPPORTED_FLAGS:#x} that no kernel has")
    if not flags & SuperFlag.FSID_VERSION_2:
        size, crc, edition, blocks, files = len(data), 0, 0, 0, 0
    if size > len(data):
        raise ImageError(
            f"image is cut short: {size} bytes by its superblock, {len(data)} here",
            "copy it again",
        )
    if size < offset + SUPER_SIZE:
        raise ImageError(
            f"image of {size} bytes by its superblock, which has no room for the superblock"
        )
    name = (
        bytes(data[offset + 48 : offset + 64]).split(b"\0")[0].decode("utf-8", "surrogateescape")
    )
    root = Inode.unpack(data, offset + 64, order)
    return Superblock(
        order, size, SuperFlag(flags), Fsid(crc, edition, blocks, files), name, root, offset
    )
