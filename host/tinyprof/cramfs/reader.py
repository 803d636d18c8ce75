# SPDX-License-Identifier: MIT
"""Reads a CramFS image: bytes in, entries, blocks and file contents out.

Every number in an image is untrusted. A broken one ends in ImageError, with work and memory bounded by the
size of the image; nothing is ever written.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass

from tinyprof.cramfs.format import (
    BLOCK_DIRECT,
    BLOCK_FLAGS,
    BLOCK_UNCOMPRESSED,
    INODE_SIZE,
    PAGE_SIZE,
    EntryKind,
    ImageError,
    Inode,
    Superblock,
    unpack_superblock,
)

DEPTH_MAX = 256


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in the image; `ino` is the kernel's inode number (cramino()), sizes in bytes."""

    path: str
    kind: EntryKind
    mode: int
    uid: int
    gid: int
    size: int
    ino: int
    device: int = 0

    @property
    def pages(self) -> int:
        return -(-self.size // PAGE_SIZE)

    def page_id(self, index: int) -> int:
        """The word address of the page's block pointer, which is how the target names the page."""
        return (self.ino >> 2) + index


@dataclass(frozen=True, slots=True)
class Block:
    """Where one page is stored; `stored` in bytes. `in_place`: a patched kernel maps it from flash."""

    offset: int
    stored: int
    direct: bool
    uncompressed: bool
    in_place: bool

    @property
    def hole(self) -> bool:
        return self.stored == 0


class Image:
    """A parsed image. Entries are in the order of a walk from the root."""

    def __init__(self, data: memoryview, superblock: Superblock, entries: tuple[Entry, ...]) -> None:
        self._data = data
        self.superblock = superblock
        self.entries = entries

    def blocks(self, entry: Entry) -> tuple[Block, ...]:
        """The blocks of a file or symlink, one a page, as cramfs_read_folio() finds them."""
        if entry.kind not in (EntryKind.FILE, EntryKind.SYMLINK) or not entry.size:
            return ()
        end_of_table = entry.ino + 4 * entry.pages
        if end_of_table > len(self._data):
            raise ImageError(f"{entry.path}: block pointers at {entry.ino} lie outside the image")
        prefix = "<" if self.superblock.byte_order == "little" else ">"
        pointers = struct.unpack_from(f"{prefix}{entry.pages}I", self._data, entry.ino)
        blocks: list[Block] = []
        follows = end_of_table
        for index, pointer in enumerate(pointers):
            block, follows = self._block(entry, index, pointer, follows)
            blocks.append(block)
        return tuple(blocks)

    def _block(self, entry: Entry, index: int, pointer: int, follows: int) -> tuple[Block, int]:
        """One block, and the byte at which an indirect successor of it would start."""
        value = pointer & ~BLOCK_FLAGS
        raw, direct = bool(pointer & BLOCK_UNCOMPRESSED), bool(pointer & BLOCK_DIRECT)
        whole = min(PAGE_SIZE, entry.size - index * PAGE_SIZE)
        if not direct:
            start, stored, after = follows, value - follows, value
        elif raw:
            start, stored, after = value << 2, whole, (value << 2) + PAGE_SIZE
        else:
            start = (value << 2) + 2
            self._inside(entry, index, start - 2, 2)
            stored = int.from_bytes(self._data[start - 2 : start], self.superblock.byte_order)
            after = start + stored
        self._inside(entry, index, start, stored)
        if stored > (PAGE_SIZE if raw else 2 * PAGE_SIZE):
            raise ImageError(f"{entry.path}: page {index} has an impossible block of {stored} bytes")
        in_place = direct and raw and self._maps_in_place(start, whole)
        return Block(start, stored, direct, raw, in_place), after

    def _inside(self, entry: Entry, index: int, start: int, size: int) -> None:
        if size < 0 or start + size > len(self._data):
            raise ImageError(f"{entry.path}: page {index} is stored outside the image, at byte {start}")

    def _maps_in_place(self, start: int, whole: int) -> bool:
        page = self._data[start : start + PAGE_SIZE]
        return start % PAGE_SIZE == 0 and len(page) == PAGE_SIZE and not any(page[whole:])

    def read_page(self, entry: Entry, index: int) -> bytes:
        """One page of a file, as long as the file has it."""
        return self._read_block(entry, index, self.blocks(entry)[index])

    def read(self, entry: Entry) -> bytes:
        """A file's or symlink's whole content."""
        blocks = self.blocks(entry)
        return b"".join(self._read_block(entry, index, block) for index, block in enumerate(blocks))

    def _read_block(self, entry: Entry, index: int, block: Block) -> bytes:
        whole = min(PAGE_SIZE, entry.size - index * PAGE_SIZE)
        if block.hole:
            return bytes(whole)
        stored = self._data[block.offset : block.offset + block.stored]
        if block.uncompressed:
            return bytes(stored[:whole]).ljust(whole, b"\0")
        inflate = zlib.decompressobj()
        try:
            page = inflate.decompress(stored, PAGE_SIZE)
        except zlib.error as error:
            raise ImageError(f"{entry.path}: page {index} does not decompress: {error}") from None
        if len(page) < whole:
            raise ImageError(f"{entry.path}: page {index} decompresses to {len(page)} bytes, not {whole}")
        return page[:whole]


def read_image(data: bytes | memoryview) -> Image:
    """Parse the superblock and every directory. Raises ImageError; file contents are read on demand."""
    view = memoryview(data)
    superblock = unpack_superblock(view)
    view = view[: superblock.size]
    root = superblock.root
    if root.mode & 0o170000 != EntryKind.DIRECTORY.value:
        raise ImageError("the root of the image is not a directory")
    walk = _Walk(view, superblock)
    # 64 is the root inode's own place in the superblock.
    walk.visit("/", root, superblock.offset + 64, 0)
    return Image(view, superblock, tuple(walk.entries))


class _Walk:
    """Directories in depth-first order; each may be entered once, which also ends cycles."""

    def __init__(self, data: memoryview, superblock: Superblock) -> None:
        self._data = data
        self._order = superblock.byte_order
        self._entered: set[int] = set()
        self.entries: list[Entry] = []

    def visit(self, path: str, inode: Inode, at: int, depth: int) -> None:
        entry = _entry(path, inode, at)
        self.entries.append(entry)
        if entry.kind is not EntryKind.DIRECTORY or not inode.size:
            return
        if depth > DEPTH_MAX:
            raise ImageError(f"{path}: directories are nested deeper than {DEPTH_MAX}")
        if inode.offset in self._entered:
            raise ImageError(f"{path}: the directory at byte {inode.offset} is listed twice")
        self._entered.add(inode.offset)
        if inode.offset + inode.size > len(self._data):
            raise ImageError(f"{path}: the directory at byte {inode.offset} lies outside the image")
        self._visit_names(path, inode, depth)

    def _visit_names(self, path: str, inode: Inode, depth: int) -> None:
        at, end = inode.offset, inode.offset + inode.size
        while at < end:
            if at + INODE_SIZE > end:
                raise ImageError(f"{path}: an entry at byte {at} is cut short")
            child = Inode.unpack(self._data, at, self._order)
            after = at + INODE_SIZE + 4 * child.name_words
            name = bytes(self._data[at + INODE_SIZE : after]).rstrip(b"\0")
            if after > end or not name or b"/" in name or b"\0" in name or name in (b".", b".."):
                raise ImageError(f"{path}: the entry at byte {at} has an impossible name")
            self.visit(path.rstrip("/") + "/" + os.fsdecode(name), child, at, depth + 1)
            at = after


def _entry(path: str, inode: Inode, at: int) -> Entry:
    try:
        kind = EntryKind(inode.mode & 0o170000)
    except ValueError:
        raise ImageError(f"{path}: mode {inode.mode:o} is of no known type") from None
    has_data = kind.has_data and inode.offset and inode.size
    ino = inode.offset if has_data else at + 1
    size = inode.size if kind.has_data else 0
    device = inode.size if kind in (EntryKind.CHAR, EntryKind.BLOCK) else 0
    if size and kind is not EntryKind.DIRECTORY and not has_data:
        raise ImageError(f"{path}: {size} bytes, but no block pointers")
    return Entry(path, kind, inode.mode, inode.uid, inode.gid, size, ino, device)
