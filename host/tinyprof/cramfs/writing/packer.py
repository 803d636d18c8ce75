# SPDX-License-Identifier: MIT
"""Compresses pages: contents in, their blocks out in the same order, on all cores, little in
memory.

What it gives depends on the pages and the compressor alone, never on the number of threads or on
what a cache already holds.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tinyprof.cramfs.writing.compressor import Compress
from tinyprof.cramfs.writing.survey import Content, page_key
from tinyprof.pages import PAGE_SIZE

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor


BATCH_PAGES = 32
BATCHES_AHEAD = 2
"""Batches under way for each core: enough to keep it busy, few enough to keep memory small."""


class BlockCache(Protocol):
    """Compressed blocks by the SHA-256 of their page. A cache may forget, but must not be
    wrong."""

    def get(self, key: bytes) -> bytes | None: ...

    def put(self, key: bytes, block: bytes) -> None: ...


def compressed_size_of(compress: Compress, cache: BlockCache | None) -> Callable[[bytes], int]:
    """A function from a page to its size compressed; it fills the cache for the build to come."""

    def size(page: bytes) -> int:
        key = page_key(page)
        block = cache.get(key) if cache else None
        if block is None:
            block = compress(page)
            if cache:
                cache.put(key, block)
        return len(block)

    return size


@dataclass(slots=True)
class Packed:
    """A content with a block for each page: `blocks[i]` is None where `page i` stays as it is in
    `pages`.

    `pages` keeps the pages that are in place, and with `keep_raw` those that do not become
    smaller.
    """

    content: Content
    blocks: list[bytes | None]
    pages: dict[int, bytes]
    missing: int = 0


@dataclass(slots=True)
class Wish:
    """How pages are packed: `skip(page)` is true for one that needs no block."""

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


_Place = tuple[Packed, int, bytes]
"""Whose block it is, of which page, and the page's key."""

_Blocks = tuple[bytes, list[int]]
"""Blocks one behind the other, and the size of each."""


def _compress_batch(compress: Compress, pages: list[bytes]) -> _Blocks:
    """In a thread. As one piece the blocks do not tear up the megabytes that a compressor
    takes."""
    blocks = [compress(page) for page in pages]
    return b"".join(blocks), [len(block) for block in blocks]


class _Packing:
    """The contents and batches under way, oldest first."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._threads = wish.threads or os.cpu_count() or 1
        self._pool: ThreadPoolExecutor | None = None
        self._pending: deque[Packed] = deque()
        self._pages: list[bytes] = []
        self._places: list[_Place] = []
        self.batches: deque[tuple[Future[_Blocks], list[bytes], list[_Place]]] = deque()

    def begin(self, content: Content) -> None:
        packed = Packed(content, [None] * content.node.pages, {})
        index = 0
        for chunk in content.node.chunks():
            for at in range(0, len(chunk), PAGE_SIZE):
                self._take(packed, index, chunk[at : at + PAGE_SIZE])
                index += 1
        self._pending.append(packed)

    def _take(self, packed: Packed, index: int, page: bytes) -> None:
        content, cache = packed.content, self._wish.cache
        if index in content.in_place:
            packed.pages[index] = page
        elif not self._wish.skip(page):
            key = b""
            if cache:
                key = content.keys[index] if content.keys else page_key(page)
            block = cache.get(key) if cache else None
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
        if not self._pages:
            return
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - costs a rebuild 7 ms

            # libdeflate works without the interpreter's lock.
            self._pool = ThreadPoolExecutor(self._threads)
        compress, pages = self._wish.compress, self._pages
        future = self._pool.submit(_compress_batch, compress, pages)
        self.batches.append((future, pages, self._places))
        self._pages, self._places = [], []
        if len(self.batches) > BATCHES_AHEAD * self._threads:
            self.collect()

    def collect(self) -> None:
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
        while self._pending and not self._pending[0].missing:
            yield self._pending.popleft()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
