# SPDX-License-Identifier: MIT
"""Indexes the files and symbolic links of an image, or of a tree: either in, the index for a
capture out."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from tinyprof.capture.index import (
    PAGE_HASH_SIZE,
    ImageIndex,
    IndexedFile,
    IndexedLink,
    PageFlag,
    Source,
)
from tinyprof.cramfs.format import EntryKind, name_text
from tinyprof.cramfs.reading.directory import Entry
from tinyprof.cramfs.reading.reader import Image
from tinyprof.cramfs.tree import Tree
from tinyprof.pages import PAGE_SIZE, Fsid, pages_in
from tinyprof.segments.split import EHDR_SIZE, looks_split, original_of


def index_image(image: Image) -> ImageIndex:
    """Read every file and link of an image. Raises ImageError where one cannot be read."""
    digests: dict[tuple[int, int], _Digest] = {}
    files = []
    entries = sorted(image.entries, key=lambda entry: entry.path)
    for entry in entries:
        if entry.kind is not EntryKind.FILE:
            continue
        content = (entry.ino, entry.size)
        if content not in digests:
            digests[content] = _digest(image.read(entry))
        digest, hashes, before = digests[content]
        blocks = image.blocks(entry)
        flags = bytes(
            block.direct * PageFlag.DIRECT
            | block.uncompressed * PageFlag.UNCOMPRESSED
            | block.in_place * PageFlag.IN_PLACE
            for block in blocks
        )
        stored = tuple(block.stored for block in blocks)
        files.append(
            IndexedFile(entry.path, entry.ino, entry.size, digest, stored, flags, hashes, before)
        )
    head = image.superblock
    links = _links(image, entries)
    return ImageIndex(head.byte_order, head.size, head.fsid, head.name, tuple(files), links)


_Digest = tuple[str, tuple[bytes, ...], Source | None]
"""The SHA-256 of a file, the hashes of its pages, and its original where it is split."""


def _digest(data: bytes) -> _Digest:
    source = original_of(data) if looks_split(data[:EHDR_SIZE]) else data
    hashes = page_hashes(source) + page_hashes(data)[pages_in(len(source)) :]
    before = Source(len(source), hashlib.sha256(source).hexdigest()) if source != data else None
    return hashlib.sha256(data).hexdigest(), hashes, before


def index_tree(tree: Tree, stored_size: Callable[[bytes], int] | None = None) -> ImageIndex:
    """Read every file of a tree, and describe the tree as if it were packed.

    1. Equal files are stored once, one behind the other in the order of their paths.
    2. `stored_size` gives the bytes that a page takes compressed. Without it pages take none.
    3. The fsid has the CRC-32 of all paths, sizes and contents, and the number of pages and files.

    Raises TreeError for a file that cannot be read.
    """
    made: dict[tuple[str, int], IndexedFile] = {}
    files: list[IndexedFile] = []
    crc, next_page = 0, 1
    for node in sorted(tree.files(), key=lambda node: node.path):
        data = node.content()
        digest, hashes, before = _digest(data)
        crc = zlib.crc32(f"{node.path}\0{len(data)}\0{digest}\n".encode(*_AS_BYTES), crc)
        content = digest, len(data)
        if content not in made:
            stored = tuple(_stored(data, stored_size))
            ino = 4 * next_page if data else 0
            flags = bytes(len(stored))
            made[content] = IndexedFile("", ino, len(data), digest, stored, flags, hashes, before)
            next_page += len(stored)
        files.append(replace(made[content], path=node.path))
    size = sum(sum(file.stored) for file in made.values())
    fsid = Fsid(crc, 0, sum(len(file.stored) for file in files), len(files))
    links = [
        IndexedLink(node.path, 0, name_text(node.link))
        for node in tree.walk()
        if node.kind is EntryKind.SYMLINK and node.size
    ]
    links.sort(key=lambda link: link.path)
    return ImageIndex("little", size, fsid, "", tuple(files), tuple(links), of_tree=True)


_AS_BYTES = ("utf-8", "surrogateescape")


def _stored(data: bytes, stored_size: Callable[[bytes], int] | None) -> Iterator[int]:
    """The bytes that each page of a content takes."""
    for at in range(0, len(data), PAGE_SIZE):
        page = data[at : at + PAGE_SIZE]
        yield min(PAGE_SIZE, stored_size(page)) if stored_size else 0


def _links(image: Image, entries: Iterable[Entry]) -> tuple[IndexedLink, ...]:
    """The symbolic links, one for each inode: links of one target share a page of RAM.

    A link of a whole page or more is left out. No builder makes one, and no kernel shows it whole.
    """
    found: dict[int, IndexedLink] = {}
    for entry in entries:
        is_link = entry.kind is EntryKind.SYMLINK and 0 < entry.size < PAGE_SIZE
        if is_link and entry.ino not in found:
            target = name_text(image.read(entry))
            found[entry.ino] = IndexedLink(entry.path, entry.ino, target)
    return tuple(sorted(found.values(), key=lambda link: link.path))


def page_hashes(data: bytes) -> tuple[bytes, ...]:
    """The hash of each page of a file's content; the last page as long as the file has it."""
    pages = (data[at : at + PAGE_SIZE] for at in range(0, len(data), PAGE_SIZE))
    return tuple(hashlib.sha256(page).digest()[:PAGE_HASH_SIZE] for page in pages)
