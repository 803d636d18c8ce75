# SPDX-License-Identifier: MIT
"""Indexes the files and symbolic links of an image: an image in, the index for a capture out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

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
from tinyprof.pages import PAGE_SIZE, pages_in
from tinyprof.segments.split import EHDR_SIZE, looks_split, original_of


def index_image(image: Image) -> ImageIndex:
    """Read every file and link of an image. Raises ImageError where one cannot be read."""
    digests: dict[tuple[int, int], tuple[str, tuple[bytes, ...], Source | None]] = {}
    files = []
    entries = sorted(image.entries, key=lambda entry: entry.path)
    for entry in entries:
        if entry.kind is not EntryKind.FILE:
            continue
        content = (entry.ino, entry.size)
        if content not in digests:
            data = image.read(entry)
            source = original_of(data) if looks_split(data[:EHDR_SIZE]) else data
            hashes = page_hashes(source) + page_hashes(data)[pages_in(len(source)) :]
            before = (
                Source(len(source), hashlib.sha256(source).hexdigest()) if source != data else None
            )
            digests[content] = hashlib.sha256(data).hexdigest(), hashes, before
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
