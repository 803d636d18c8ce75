# SPDX-License-Identifier: MIT
"""Compresses pages: contents in, their blocks out in the same order.

It uses all cores and keeps few contents in memory. The blocks depend on the pages and the
compressor alone, never on the number of threads or on the blocks that a cache already holds.

The bytes that are stored are the bytes that were surveyed. Each page is hashed when it is read to
be stored, and a page that differs from the survey's ends the build. Each block of a cache is
unpacked and compared with its page before it is used. A caller that writes several images of one
tree keeps the compared blocks (CheckedBlocks), so that no page is compressed or unpacked twice.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tinyprof.cramfs.reading.blocks import unpacks_to
from tinyprof.cramfs.tree import Node, Stamp
from tinyprof.cramfs.writing.compressor import Compress
from tinyprof.cramfs.writing.survey import Content, keys_in, page_key
from tinyprof.pages import PAGE_SIZE

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor


BATCH_PAGES = 32
BATCHES_AHEAD = 2
"""Batches under way for each core: enough to keep it busy, few enough to keep memory small."""


class BlockCache(Protocol):
    """Compressed blocks by the SHA-256 of their page.

    A cache may forget a block, and a build does not believe it. A block that was wrong is put
    again.
    """

    def get(self, key: bytes) -> bytes | None:
        """The block of a page, or None."""

    def put(self, key: bytes, block: bytes) -> None:
        """Keep a block."""


class CheckedBlocks:
    """A cache in front of another, for a caller that writes several images of one tree.

    It keeps each block in memory from the moment at which the block is known to be right: it was
    compared with its page, or made of it. So it takes as much memory as the compressed tree. It
    keeps the keys of files' pages too. Pages are held to their keys when they are packed.
    """

    def __init__(self, cache: BlockCache | None = None) -> None:
        self._behind = cache
        self._blocks: dict[bytes, bytes] = {}
        self._keys: dict[tuple[str, int, Stamp], list[bytes]] = {}

    def get(self, key: bytes) -> bytes | None:
        """The block of a page, if this object knows it to be right."""
        return self._blocks.get(key)

    def put(self, key: bytes, block: bytes) -> None:
        """Keep a block, here and in the cache behind this one."""
        self._blocks[key] = block
        if self._behind:
            self._behind.put(key, block)

    def block_of(self, key: bytes, page: bytes) -> bytes | None:
        """The block of a page, known or found in the cache behind this one."""
        block = self._blocks.get(key)
        if block is None:
            block = _cached(self._behind, key, page)
            if block is not None:
                self._blocks[key] = block
        return block

    def keys_of(self, node: Node) -> list[bytes]:
        """The keys of a node's pages. A file that has not changed is read once."""
        if node.source is None or node.stamp is None:
            return keys_in(node)
        file = node.source, node.size, node.stamp
        if file not in self._keys:
            self._keys[file] = keys_in(node)
        return self._keys[file]


class BlockSizes(CheckedBlocks):
    """The sizes of blocks, for a caller that wants the size of an image and no image.

    While `measuring` it gives zeros in place of each block whose size it knows.
    """

    def __init__(self, cache: BlockCache | None = None) -> None:
        super().__init__()
        self._cache = cache
        self._sizes: dict[bytes, int] = {}
        self.measuring = False

    def get(self, key: bytes) -> bytes | None:
        """Nothing: block_of() answers."""
        return None

    def put(self, key: bytes, block: bytes) -> None:
        """Keep the size here, and the block in the cache behind this object."""
        self._sizes[key] = len(block)
        if self._cache:
            self._cache.put(key, block)

    def block_of(self, key: bytes, page: bytes) -> bytes | None:
        """The block of a page from the cache behind this object; zeros while `measuring`."""
        if self.measuring and key in self._sizes:
            return bytes(self._sizes[key])
        block = _cached(self._cache, key, page)
        if block is not None:
            self._sizes[key] = len(block)
        return block


def compressed_size_of(compress: Compress, cache: BlockCache | None) -> Callable[[bytes], int]:
    """A function from a page to the bytes of its block. It fills the cache for a later build."""

    def size(page: bytes) -> int:
        key = page_key(page)
        block = _cached(cache, key, page)
        if block is None:
            block = compress(page)
            if cache:
                cache.put(key, block)
        return len(block)

    return size


def _cached(cache: BlockCache | None, key: bytes, page: bytes) -> bytes | None:
    """The block that the cache has for a page, if it unpacks to this very page."""
    if isinstance(cache, CheckedBlocks):
        return cache.block_of(key, page)
    block = cache.get(key) if cache else None
    return block if block is not None and unpacks_to(block, page) else None


@dataclass(slots=True)
class Packed:
    """A content with its blocks, one a page.

    `blocks[i]` is None where page `i` is stored as it is or is a hole. `pages` has the pages that
    are in place and, with `keep_raw`, the pages that compression does not make smaller. `missing`
    counts the blocks that are still to come.
    """

    content: Content
    blocks: list[bytes | None]
    pages: dict[int, bytes]
    missing: int = 0


@dataclass(slots=True)
class Wish:
    """The way in which pages are packed. `skip(page)` is true for a page that needs no block."""

    compress: Compress
    skip: Callable[[bytes], bool]
    keep_raw: bool
    cache: BlockCache | None = None
    threads: int = 0


def pack(contents: Iterable[Content], wish: Wish) -> Iterator[Packed]:
    """Each content with its blocks. Raises TreeError for a file that cannot be read or has
    changed."""
    packing = _Packing(wish)
    try:
        for content in contents:
            packing.begin(content)
            yield from packing.finished()
        packing.submit()
        while packing.batches:
            packing.collect()
            yield from packing.finished()
    finally:
        packing.close()


_Kept = tuple[Packed, int, bytes]
"""The content that a block belongs to, the number of its page, and the page's key."""

_Blocks = tuple[bytes, list[int]]
"""Blocks one behind the other, and the size of each."""


def _compress_batch(compress: Compress, pages: list[bytes], over: threading.Event) -> _Blocks:
    """Compress some pages in a thread, until `over`, which ends a build at once.

    The blocks are joined because small objects would tear up the megabytes that a compressor
    takes.
    """
    blocks = [compress(page) for page in pages if not over.is_set()]
    return b"".join(blocks), [len(block) for block in blocks]


class _Packing:
    """The contents and batches under way, oldest first."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._threads = wish.threads or os.cpu_count() or 1
        self._pool: ThreadPoolExecutor | None = None
        self._pending: deque[Packed] = deque()
        self._pages: list[bytes] = []
        self._places: list[_Kept] = []
        self._over = threading.Event()
        self.batches: deque[tuple[Future[_Blocks], list[bytes], list[_Kept]]] = deque()

    def begin(self, content: Content) -> None:
        """Read a content and send its pages to the compressor."""
        packed = Packed(content, [None] * content.node.pages, {})
        index = 0
        for chunk in content.node.chunks():
            for at in range(0, len(chunk), PAGE_SIZE):
                self._take(packed, index, chunk[at : at + PAGE_SIZE])
                index += 1
        self._pending.append(packed)

    def _take(self, packed: Packed, index: int, page: bytes) -> None:
        content, cache = packed.content, self._wish.cache
        key = page_key(page) if content.keys or cache else b""
        if content.keys and content.keys[index] != key:
            raise content.node.changed()
        if index in content.in_place:
            packed.pages[index] = page
        elif not self._wish.skip(page):
            block = _cached(cache, key, page)
            if block is None:
                self._add(packed, index, page, key)
            else:
                self._fill(packed, index, page, block)

    def _add(self, packed: Packed, index: int, page: bytes, key: bytes) -> None:
        packed.missing += 1
        self._pages.append(page)
        self._places.append((packed, index, key))
        if len(self._pages) >= BATCH_PAGES:
            self.submit()

    def submit(self) -> None:
        """Hand the pages that wait to a thread."""
        if not self._pages:
            return
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - takes 7 ms

            # libdeflate works without the interpreter's lock.
            self._pool = ThreadPoolExecutor(self._threads)
        compress, pages = self._wish.compress, self._pages
        future = self._pool.submit(_compress_batch, compress, pages, self._over)
        self.batches.append((future, pages, self._places))
        self._pages, self._places = [], []
        if len(self.batches) > BATCHES_AHEAD * self._threads:
            self.collect()

    def collect(self) -> None:
        """Wait for the oldest batch and give its blocks to their contents."""
        future, pages, places = self.batches.popleft()
        cache = self._wish.cache
        joined, sizes = future.result()
        end = 0
        for size, page, (packed, index, key) in zip(sizes, pages, places, strict=True):
            start, end = end, end + size
            block = joined[start:end]
            packed.missing -= 1
            self._fill(packed, index, page, block)
            if cache:
                cache.put(key, block)

    def _fill(self, packed: Packed, index: int, page: bytes, block: bytes) -> None:
        packed.blocks[index] = block
        if self._wish.keep_raw and len(block) >= len(page):
            packed.pages[index] = page

    def finished(self) -> Iterator[Packed]:
        """The contents at the head of the queue that have all their blocks."""
        while self._pending and not self._pending[0].missing:
            yield self._pending.popleft()

    def close(self) -> None:
        """End the threads, each after the page that it is at."""
        self._over.set()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
