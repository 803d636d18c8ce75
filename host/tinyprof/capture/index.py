# SPDX-License-Identifier: MIT
"""The image index: everything that resolving page ids needs, without the image itself.

An index lists the regular files of an image: inode, size and content hash of each, and how each
page is stored. It becomes bytes for a capture, and comes back from them (docs/capture-format.md,
"INDX"). The bytes are untrusted: a broken index raises ImageIndexError, and memory is bounded by
the number of bytes. No I/O here.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntFlag
from typing import Any

from tinyprof.errors import TinyprofError
from tinyprof.pages import Content, Fsid, pages_in
from tinyprof.wire.messages import Hello

INDEX_MAX = 1 << 26
"""Bytes: an index of this size has over ten million pages, more than any CramFS image of real
files."""

_HEAD = struct.Struct("<B5I")
_COUNT = struct.Struct("<I")
_LENGTH = struct.Struct("<H")
_FILE = struct.Struct("<2I32sH")
_PAGE = struct.Struct("<HB")
_HASHED_PAGE = struct.Struct("<HB8s")
_SOURCE = struct.Struct("<2I32s")
_HASHED = 2
"""Flag in the head's first byte, beside the byte order: every page has a hash."""

_HAS_SOURCES = 4
"""Flag in the head's first byte: a list of sources follows the files."""

_HAS_LINKS = 8
"""Flag in the head's first byte: a list of symbolic links follows files and sources."""

_OF_TREE = 16
"""Flag in the head's first byte: the files are those of a tree, and not of an image."""

_LINK = struct.Struct("<I2H")
"""The head of a link: inode number, bytes of its path, bytes of its target."""

PAGE_HASH_SIZE = 8
"""Bytes of a page's hash: the first of its SHA-256. Among a million pages two are alike by chance
once in 10^7."""

_BYTE_ORDERS = ("little", "big")
_FILE_SIZE_LIMIT = 1 << 24
"""Bytes: CramFS files are smaller."""


class ImageIndexError(TinyprofError):
    """An index that is damaged, or an image that is too large for one."""


class WrongImageError(TinyprofError):
    """The image that was given is not the one that the target runs."""


class PageFlag(IntFlag):
    """How a page is stored. IN_PLACE: a patched kernel maps the page from flash."""

    DIRECT = 1
    UNCOMPRESSED = 2
    IN_PLACE = 4


@dataclass(frozen=True, slots=True)
class Source:
    """The file before its segments were split. `size` is in bytes. A profile knows the file by
    this."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """One name of a regular file. `stored[i]` bytes and `flags[i]` (PageFlag) describe page i.

    `hashes[i]` is the hash of page i. The index of an older capture has no hashes. `source` is
    None if the file is as it was built. Else the hashes are those of the source's pages.
    """

    path: str
    ino: int
    size: int
    sha256: str
    stored: tuple[int, ...]
    flags: bytes
    hashes: tuple[bytes, ...] = ()
    source: Source | None = None

    @property
    def page_ids(self) -> range:
        """The ids of its pages: the word addresses of their block pointers."""
        first = self.ino >> 2
        return range(first, first + pages_in(self.size))

    @property
    def built_from(self) -> Source:
        """The file before it was split, or the file itself."""
        return self.source or Source(self.size, self.sha256)


@dataclass(frozen=True, slots=True)
class IndexedLink:
    """A symbolic link. Links of one target share an inode. The first of them stands for all."""

    path: str
    ino: int
    target: str

    @property
    def page_id(self) -> int:
        """The id of its only page."""
        return self.ino >> 2


@dataclass(frozen=True, slots=True)
class ImageIndex:
    """An image's identity, its regular files and its symbolic links, sorted by path.

    `size` is in bytes. `links` is None in the index of an older capture.

    `of_tree`: the files are those of a folder, described as if they were packed. `fsid` stands for
    their contents. The page ids of the target are its own: it tells its files.
    """

    byte_order: str
    size: int
    fsid: Fsid
    name: str
    files: tuple[IndexedFile, ...]
    links: tuple[IndexedLink, ...] | None = None
    of_tree: bool = False

    @property
    def pages_in_place(self) -> int:
        """Number of pages that are stored in place. Two names of one file share their pages."""
        flags = {file.ino: file.flags for file in self.files}
        return sum(bool(flag & PageFlag.IN_PLACE) for it in flags.values() for flag in it)

    def volume_of(self, hello: Hello) -> int:
        """Return the number of the volume on which the target runs this image, or of its file
        volume for the index of a tree. Raises WrongImageError."""
        theirs = ", ".join(map(str, hello.volumes)) or "no cramfs volume"
        if self.of_tree:
            if hello.file_volume is None:
                raise WrongImageError(
                    f"the target runs {theirs} and tells no files, so a folder is of no use",
                    "give the image that was in flash with --image",
                )
            return hello.file_volume
        for volume in hello.volumes:
            if volume.fsid == self.fsid and not volume.is_files:
                return volume.index
        raise WrongImageError(
            f"the target runs {theirs}, the image is {self.fsid}",
            "the recording is good: give 'tinyprof profile' the image that was in flash, "
            "with --image",
        )


def pack_index(index: ImageIndex) -> bytes:
    """Return the index as a capture carries it. Raises ImageIndexError if it does not fit."""
    fsid = index.fsid
    hashed = all(len(file.hashes) == len(file.flags) for file in index.files)
    sources = [(number, file.source) for number, file in enumerate(index.files) if file.source]
    order = _BYTE_ORDERS.index(index.byte_order) | _HASHED * hashed | _HAS_SOURCES * bool(sources)
    order |= _HAS_LINKS * (index.links is not None) | _OF_TREE * index.of_tree
    parts = [_HEAD.pack(order, index.size, fsid.crc, fsid.edition, fsid.blocks, fsid.files)]
    parts += [_packed_text(index.name), _COUNT.pack(len(index.files))]
    for file in index.files:
        path = os.fsencode(file.path)
        if len(path) > 0xFFFF:
            raise ImageIndexError(
                f"a path of {len(path)} bytes: {file.path[:60]}…", "no system could open it"
            )
        parts += [_FILE.pack(file.ino, file.size, bytes.fromhex(file.sha256), len(path)), path]
        if hashed:
            pages = zip(file.stored, file.flags, file.hashes, strict=True)
            parts += [_HASHED_PAGE.pack(*page) for page in pages]
        else:
            parts += [_PAGE.pack(*page) for page in zip(file.stored, file.flags, strict=True)]
    if sources:
        parts.append(_COUNT.pack(len(sources)))
        parts += [
            _SOURCE.pack(number, it.size, bytes.fromhex(it.sha256)) for number, it in sources
        ]
    if index.links is not None:
        parts += [_COUNT.pack(len(index.links)), *map(_packed_link, index.links)]
    packed = b"".join(parts)
    if len(packed) > INDEX_MAX:
        raise ImageIndexError(f"the image's index has {len(packed)} bytes, over {INDEX_MAX}")
    return packed


def _packed_link(link: IndexedLink) -> bytes:
    path, target = os.fsencode(link.path), os.fsencode(link.target)
    return _LINK.pack(link.ino, len(path), len(target)) + path + target


def _packed_text(text: str) -> bytes:
    raw = os.fsencode(text)
    return _LENGTH.pack(len(raw)) + raw


def unpack_index(data: bytes) -> ImageIndex:
    """Return the index that a capture carries. Raises ImageIndexError naming the byte where it
    breaks."""
    cursor = _Cursor(data)
    order, size, *ids = cursor.fields(_HEAD)
    hashed, sourced, linked = order & _HASHED, order & _HAS_SOURCES, order & _HAS_LINKS
    of_tree = bool(order & _OF_TREE)
    order &= ~(_HASHED | _HAS_SOURCES | _HAS_LINKS | _OF_TREE)
    if order >= len(_BYTE_ORDERS):
        raise ImageIndexError(f"the image index names byte order {order}")
    name = cursor.text(cursor.fields(_LENGTH)[0])
    files = [_unpack_file(cursor, bool(hashed)) for _ in range(cursor.fields(_COUNT)[0])]
    for _ in range(cursor.fields(_COUNT)[0] if sourced else 0):
        _unpack_source(cursor, files)
    links = None
    if linked:
        links = tuple(_unpack_link(cursor) for _ in range(cursor.fields(_COUNT)[0]))
    if cursor.at != len(data):
        raise ImageIndexError(f"the image index goes on after its last file, at byte {cursor.at}")
    return ImageIndex(_BYTE_ORDERS[order], size, Fsid(*ids), name, tuple(files), links, of_tree)


def _unpack_file(cursor: _Cursor, hashed: bool) -> IndexedFile:
    ino, size, digest, length = cursor.fields(_FILE)
    path = cursor.text(length)
    if size >= _FILE_SIZE_LIMIT:
        raise ImageIndexError(
            f"the image index names a file of {size} bytes, more than CramFS holds"
        )
    if not path.startswith("/") or "\0" in path:
        raise ImageIndexError(f"the image index has an impossible path at byte {cursor.at}")
    layout = _HASHED_PAGE if hashed else _PAGE
    pages = cursor.take(pages_in(size) * layout.size)
    fields = list(layout.iter_unpack(pages))
    hashes = tuple(page[2] for page in fields) if hashed else ()
    stored = tuple(page[0] for page in fields)
    return IndexedFile(path, ino, size, digest.hex(), stored, pages[2 :: layout.size], hashes)


def _unpack_source(cursor: _Cursor, files: list[IndexedFile]) -> None:
    number, size, digest = cursor.fields(_SOURCE)
    if number >= len(files) or size > files[number].size:
        raise ImageIndexError(f"the image index has an impossible source at byte {cursor.at}")
    files[number] = replace(files[number], source=Source(size, digest.hex()))


def _unpack_link(cursor: _Cursor) -> IndexedLink:
    ino, path_size, target_size = cursor.fields(_LINK)
    path, target = cursor.text(path_size), cursor.text(target_size)
    if not path.startswith("/") or not target or "\0" in path + target:
        raise ImageIndexError(f"the image index has an impossible link at byte {cursor.at}")
    return IndexedLink(path, ino, target)


class _Cursor:
    """Reads bytes from front to back, and never past their end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        if self.at + size > len(self._data):
            raise ImageIndexError(f"the image index is cut short at byte {self.at}")
        self.at += size
        return self._data[self.at - size : self.at]

    def fields(self, layout: struct.Struct) -> tuple[Any, ...]:
        return layout.unpack(self.take(layout.size))

    def text(self, size: int) -> str:
        return os.fsdecode(self.take(size))


StoredSizes = Mapping[Content, Sequence[int]]
"""Bytes that each page of a file takes as it is stored, by the file's content."""


def stored_sizes(index: ImageIndex) -> StoredSizes:
    """Return the stored sizes of an image's pages. A split file stands under the program that it
    was built from."""
    programs = ((file.built_from, file.stored) for file in index.files)
    return {
        (program.sha256, program.size): stored[: pages_in(program.size)]
        for program, stored in programs
    }
