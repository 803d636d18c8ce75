# SPDX-License-Identifier: MIT
"""Lays contents out behind one another: contents with their blocks in, bytes and pointers out.

A block starts where the one before it ended, unless its pointer is direct. So a block is stored as
a direct one, which is its size in two bytes and its data, on a multiple of four, if it follows

1. a page in place,
2. a shared block, or
3. a hole behind one of these.

Pages in place come last, in one aligned region. The pointers to them are filled in then.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Collection
from dataclasses import dataclass

from tinyprof.cramfs.format import (
    BLOCK_DIRECT,
    BLOCK_UNCOMPRESSED,
    IMAGE_LIMIT,
    IMAGE_MAX,
    INODE_OFFSET_MAX,
    ByteOrder,
    TreeError,
)
from tinyprof.cramfs.writing.packer import Packed
from tinyprof.cramfs.writing.region import Region
from tinyprof.cramfs.writing.survey import Content
from tinyprof.pages import PAGE_SIZE


@dataclass(frozen=True, slots=True)
class _Fixup:
    """A pointer at byte `at` that is filled in at the end.

    It points to the region's `slot`, or to the slot of the page `key`; with `hole` to the byte
    behind that page.
    """

    at: int
    slot: int
    key: bytes = b""
    hole: bool = False


class Layout:
    """The image from its first byte on. `out` stands at the end of the bytes laid out so far."""

    def __init__(
        self,
        out: io.BytesIO,
        order: ByteOrder,
        region: Region,
        shared: Collection[bytes],
        region_keys: Collection[bytes],
    ) -> None:
        self._out = out
        self._prefix = "<" if order == "little" else ">"
        self._order = order
        self._region = region
        self._shared = shared
        self._region_keys = region_keys
        self._slot_of_key: dict[bytes, int] = {}
        self._placed: dict[bytes, tuple[int, int]] = {}
        self._fixups: list[_Fixup] = []
        self.extended = False
        self.holes = False

    def add(self, packed: Packed) -> int:
        """Lay out a content's table and blocks. Gives the byte at which the table stands.

        Raises TreeError for an image that grows too large.
        """
        content = packed.content
        table = self._out.tell()
        if table > INODE_OFFSET_MAX:
            raise TreeError(
                f"{content.node.path}: its blocks would begin beyond 256 MiB of the image, where "
                "no inode of cramfs points",
                "leave files out",
            )
        chain = _Chain(table + 4 * content.node.pages)
        in_place = {index: packed.pages[index] for index in sorted(content.in_place)}
        slots = self._region.place(in_place, content.keys)
        if content.keys:
            self._slot_of_key.update((content.keys[index], slot) for index, slot in slots.items())
        if (
            not slots
            and not self._shared
            and not self._region_keys
            and not packed.pages
            and None not in packed.blocks
        ):
            for block in packed.blocks:
                chain.append(block or b"")
        else:
            for index in range(content.node.pages):
                self._add_page(packed, index, slots.get(index), chain, table)
        refuse_large(chain.at, f"{content.node.path}: ")
        self._out.write(struct.pack(f"{self._prefix}{len(chain.pointers)}I", *chain.pointers))
        self._out.writelines(chain.parts)
        self._out.write(bytes(-chain.at % 4))
        return table

    def _add_page(
        self, packed: Packed, index: int, slot: int | None, chain: _Chain, table: int
    ) -> None:
        content = packed.content
        key = content.keys[index] if content.keys else b""
        if slot is not None:
            self._point_to_region(chain, _Fixup(table + 4 * index, slot))
        elif key in self._region_keys and not self._is_whole_last(content, index):
            self._point_to_region(chain, _Fixup(table + 4 * index, -1, key))
        elif packed.blocks[index] is None:
            self._add_hole(chain, table + 4 * index)
        elif key in self._shared:
            self._add_shared(packed, index, key, chain)
        else:
            self._add_block(packed, index, chain)

    def _point_to_region(self, chain: _Chain, fixup: _Fixup) -> None:
        self.extended = True
        self._fixups.append(fixup)
        chain.break_at(fixup)

    def _add_hole(self, chain: _Chain, at: int) -> None:
        """Add an empty block. Its pointer says that it ends where it starts."""
        self.holes = True
        if chain.behind is not None:
            self._fixups.append(_Fixup(at, chain.behind.slot, chain.behind.key, hole=True))
        chain.pointers.append(chain.follows)

    def _add_shared(self, packed: Packed, index: int, key: bytes, chain: _Chain) -> None:
        placed = self._placed.get(key)
        if placed is None or (
            placed[0] & BLOCK_UNCOMPRESSED and self._is_whole_last(packed.content, index)
        ):
            pointer, end = self._add_direct(packed, index, chain)
            self._placed.setdefault(key, (pointer, end))
            return
        chain.jump(*placed)

    def _add_block(self, packed: Packed, index: int, chain: _Chain) -> None:
        raw = packed.pages.get(index)
        if chain.follows != chain.at or chain.behind is not None:
            self._add_direct(packed, index, chain)
        elif raw is not None:
            self.extended = True
            chain.append(raw, BLOCK_UNCOMPRESSED)
        else:
            chain.append(packed.blocks[index] or b"")

    def _add_direct(self, packed: Packed, index: int, chain: _Chain) -> tuple[int, int]:
        """Add a block that does not depend on the one before it.

        Gives its pointer, and the byte at which an indirect block behind it would start.
        """
        self.extended = True
        raw = packed.pages.get(index)
        block = packed.blocks[index] or b""
        chain.align()
        if raw is not None and len(raw) < PAGE_SIZE and chain.at % PAGE_SIZE == 0:
            # On a page boundary it would look like a page in place. It is none: data follows.
            chain.store(bytes(4))
        pointer = chain.at >> 2 | BLOCK_DIRECT
        if raw is not None and not self._is_whole_last(packed.content, index):
            chain.store(raw)
            # cramfs_read_folio() takes every direct uncompressed block for a whole page when it
            # looks for the start of the next block.
            chain.jump(pointer | BLOCK_UNCOMPRESSED, (pointer & ~BLOCK_DIRECT) * 4 + PAGE_SIZE)
        else:
            chain.store(len(block).to_bytes(2, self._order) + block)
            chain.jump(pointer, chain.at)
        return chain.pointers[-1], chain.follows

    @staticmethod
    def _is_whole_last(content: Content, index: int) -> bool:
        """Whether a stock kernel would read this page as zeros from a direct raw block."""
        return index == content.node.pages - 1 and content.node.size % PAGE_SIZE == 0

    def close(self) -> None:
        """Append the region on a page boundary and fill in the pointers to it. Raises
        TreeError."""
        end = self._out.tell()
        if not len(self._region):
            return
        self._out.write(bytes(-end % PAGE_SIZE))
        start = self._out.tell()
        refuse_large(start + len(self._region) * PAGE_SIZE)
        with self._out.getbuffer() as image:
            for fixup in self._fixups:
                slot = self._slot_of_key[fixup.key] if fixup.key else fixup.slot
                at = start + slot * PAGE_SIZE
                pointer = (
                    at + PAGE_SIZE if fixup.hole else at >> 2 | BLOCK_DIRECT | BLOCK_UNCOMPRESSED
                )
                struct.pack_into(f"{self._prefix}I", image, fixup.at, pointer)
        self._region.write_to(self._out)


def refuse_large(size: int, path: str = "") -> None:
    """Raise TreeError for an image that grows beyond the limit of every reader."""
    if size > IMAGE_MAX:
        raise TreeError(
            f"{path}the image would have over {IMAGE_MAX >> 20} MiB; {IMAGE_LIMIT}",
            "leave files out, or store fewer pages in place",
        )


class _Chain:
    """The blocks of one content.

    The next byte goes to byte `at` of the image. An indirect block would start at byte `follows`.
    `behind` is the page in place that comes before, as long as nothing but holes follows it.
    """

    def __init__(self, at: int) -> None:
        self.at = at
        self.follows = at
        self.behind: _Fixup | None = None
        self.pointers: list[int] = []
        self.parts: list[bytes] = []

    def append(self, block: bytes, flags: int = 0) -> None:
        """Add an indirect block."""
        self.store(block)
        self.follows = self.at
        self.pointers.append(self.at | flags)

    def store(self, data: bytes) -> None:
        """Add bytes without a pointer."""
        self.parts.append(data)
        self.at += len(data)

    def align(self) -> None:
        """Go on at the next word."""
        if self.at & 3:
            self.store(bytes(-self.at % 4))

    def jump(self, pointer: int, follows: int) -> None:
        """Add a pointer to a block at another place."""
        self.pointers.append(pointer)
        self.follows = follows
        self.behind = None

    def break_at(self, fixup: _Fixup) -> None:
        """Add a pointer that is filled in at the end."""
        self.pointers.append(0)
        self.follows = 0
        self.behind = fixup
