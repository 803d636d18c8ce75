# SPDX-License-Identifier: MIT
"""Reads a CramFS image: bytes in, entries, blocks and file contents out.

Every number in an image is untrusted. A broken one ends in ImageError, or in a problem that is
taken note of, with work and memory bounded by the size of the image. Nothing is ever written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tinyprof.cramfs.format import (
    EntryKind,
    ImageError,
    NoImageError,
    Superblock,
    image_size,
    superblock_fault,
    unpack_superblock,
)
from tinyprof.cramfs.reading.blocks import (
    Block,
    chained_blocks,
    larger_blocks,
    locate_blocks,
    read_block,
    read_chained,
    read_pointers,
)
from tinyprof.cramfs.reading.directory import (
    Entry,
    clashing_tables,
    distinct_contents,
    refuse,
    walk_directories,
)
from tinyprof.cramfs.reading.dump import find_images, not_at, read_image_bytes
from tinyprof.errors import about
from tinyprof.pages import PAGE_SIZE

ZEROS = bytes(PAGE_SIZE)
LISTED_MAX = 1_000
"""Problems of one image that are kept. More of them are only counted."""


@dataclass(frozen=True, slots=True)
class Damage:
    """A fault of an image that was read nevertheless: a path, a byte of the image, a sentence."""

    path: str
    at: int
    message: str


class Image:
    """A parsed image.

    `entries` are in the order of a walk from the root. `damages` lists the first LISTED_MAX faults
    that reading passed over, and `damage_count` counts all of them. An image that was read
    strictly has none.
    """

    def __init__(
        self,
        data: memoryview,
        superblock: Superblock,
        entries: tuple[Entry, ...],
        damages: tuple[Damage, ...] = (),
        damage_count: int = 0,
    ) -> None:
        self._data = data
        self._clashing = clashing_tables(entries, len(data))
        self.superblock = superblock
        self.entries = entries
        self.damages = damages
        self.damage_count = damage_count

    def blocks(self, entry: Entry) -> tuple[Block, ...]:
        """The blocks of a file or symlink, one a page, as cramfs_read_folio() finds them.

        Raises ImageError, naming the path, where block pointers are broken.
        """
        if not entry.has_content:
            return ()
        with about(entry.path):
            return tuple(self._locate(entry))

    def read(self, entry: Entry) -> bytes:
        """The whole content of a file or symlink. Raises ImageError where a page is broken."""
        pages = list(self.pages(entry))
        last = len(pages) - 1
        for index, page in enumerate(pages):
            if not page:
                pages[index] = ZEROS if index < last else bytes(entry.size - last * PAGE_SIZE)
        return b"".join(pages)

    def link(self, entry: Entry) -> bytes:
        """The target of a symlink. Raises ImageError for a link that no kernel shows whole.

        The kernel ends it within the first page (page_get_link(), nd_terminate_link()).
        """
        if entry.size >= PAGE_SIZE:
            raise ImageError(f"{entry.path}: a link of {entry.size} bytes is cut to one page")
        return self.read(entry)

    def pages(self, entry: Entry) -> Iterator[bytes | bytearray]:
        """The pages of a file or symlink. A page that takes no space, a hole, is empty.

        Raises ImageError where a page is broken.
        """
        if not entry.has_content:
            return
        with about(entry.path):
            yield from self._pages(entry)

    def _pages(self, entry: Entry) -> Iterator[bytes | bytearray]:
        data = self._data
        pointers = self._pointers(entry)
        chained = chained_blocks(entry.ino, pointers, len(data))
        if chained is None:
            order = self.superblock.byte_order
            blocks = locate_blocks(data, order, entry.ino, entry.size, pointers)
            for index, block in enumerate(blocks):
                whole = min(PAGE_SIZE, entry.size - index * PAGE_SIZE)
                yield b"" if block.hole else read_block(data, block, index, whole)
            return
        for index, (start, size) in enumerate(zip(*chained, strict=True)):
            whole = min(PAGE_SIZE, entry.size - index * PAGE_SIZE)
            yield read_chained(data[start : start + size], index, whole) if size else b""

    def _locate(self, entry: Entry) -> list[Block]:
        order = self.superblock.byte_order
        return locate_blocks(self._data, order, entry.ino, entry.size, self._pointers(entry))

    def _pointers(self, entry: Entry) -> tuple[int, ...]:
        other = self._clashing.get((entry.ino, entry.size))
        if other is not None:
            raise ImageError(f"block pointers overlap those of {other}")
        return read_pointers(self._data, self.superblock.byte_order, entry.ino, entry.size)


def open_image(path: Path | str, offset: int = 0, *, salvage: bool = False) -> Image:
    """The image at byte `offset` of a file. No more of the file is read than the image has.

    Raises ImageError, with the path in front of its message, and OSError.
    """
    with about(path):
        return read_image(read_image_bytes(Path(path), offset, salvage=salvage), salvage=salvage)


def read_image(data: bytes | memoryview, offset: int = 0, *, salvage: bool = False) -> Image:
    """Parse the image at byte `offset`: its superblock and every directory.

    Contents are read on demand. With `salvage`, entries that are broken are left out, pages behind
    the end of `data` are missing, and each fault becomes a Damage.

    Raises ImageError for the first fault; with `salvage` only for a wrong signature. Where there
    is no image, the error names the places in `data` where images begin.
    """
    view = memoryview(data)[offset:]
    try:
        superblock = unpack_superblock(view)
    except NoImageError as error:
        raise not_at(error, offset, find_images(data)) from None
    damages: list[Damage] = []
    count = 0

    def note(path: str, at: int, message: str) -> None:
        nonlocal count
        count += 1
        if len(damages) < LISTED_MAX:
            damages.append(Damage(path, at, message))

    def judge(fault: ImageError | None) -> None:
        if fault and not salvage:
            raise fault
        if fault:
            note("/", superblock.offset, fault.message)

    judge(superblock_fault(superblock, len(view)))
    view = view[: image_size(superblock)]
    entries = tuple(walk_directories(view, superblock, note if salvage else refuse))
    judge(other_blocks(view, superblock, entries))
    return Image(view, superblock, entries, tuple(damages), count)


def other_blocks(
    data: memoryview, superblock: Superblock, entries: tuple[Entry, ...] | list[Entry]
) -> ImageError | None:
    """The error about an image whose blocks are larger than 4 KiB. None: they are not."""
    contents = [
        (entry.ino, entry.size)
        for entry in distinct_contents(entries)
        if entry.kind is EntryKind.FILE
    ]
    found = larger_blocks(data, superblock.byte_order, contents)
    if found is None:
        return None
    size, more = found
    return ImageError(
        f"its blocks have {size >> 10} KiB{' or more' if more else ''}, not 4 KiB",
        "it is for kernels with pages of that size; build one for pages of 4 KiB",
    )
