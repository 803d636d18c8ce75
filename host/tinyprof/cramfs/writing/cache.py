# SPDX-License-Identifier: MIT
"""Keeps compressed blocks between builds, in a folder: blocks by the SHA-256 of their page.

1. Each build adds at most one pack file, which gets its name when it is whole. Packs never change,
   so that builds at the same time do no harm to one another.
2. The packs that were not used for longest go when the folder grows over its limit.
3. A pack is untrusted. A broken one is removed, and a build compares each block with its page
   before it uses it (packer.py). The pack of a wrong block is removed too.
4. A cache never fails a build. A sentence about its fault stands in `problem`.
"""

from __future__ import annotations

import contextlib
import os
import stat
import struct
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path

from tinyprof.cramfs.streams import crc32
from tinyprof.pages import PAGE_SIZE

MAGIC = b"tinyprof blocks 2"
"""Packs of version 1 are not read: they may hold blocks of pages that had changed meanwhile."""

TAIL = struct.Struct("<2I17s")
"""The end of a pack: number of blocks, CRC-32 of the index, MAGIC.

A pack holds the blocks, then the index, then this. The index has for each block, in the order of
the keys, the first 8 bytes of its key; then the other 24 bytes of each; then the byte at which
each block starts, its size and its CRC-32.
"""

KEY_SIZE = 32
HEAD_SIZE = 8
"""Bytes of a key that are looked for first."""

ENTRY_SIZE = KEY_SIZE + 3 * 4
BLOCK_MAX = 4 * PAGE_SIZE
"""Bytes. No compressor makes a larger block of a page."""

ALIKE_MAX = 8
"""Keys with equal first bytes that are looked at. Among honest keys there are no two."""

INDEXES_MAX = 64 << 20
"""Bytes of all indexes that are read. A cache of LIMIT bytes with blocks of 1 KiB has a third of
them."""

SMALL_PACK = 8 << 20
"""Bytes. Smaller packs become one when there are SMALL_PACKS_MAX of them."""

SMALL_PACKS_MAX = 16
PACK_MAX = 1 << 32
LIMIT = 512 << 20
"""Bytes that all packs may take."""

ABANDONED_AFTER = 86_400
"""Seconds. No build takes a day, so an unfinished pack of that age belongs to none."""


class DiskCache:
    """The blocks of one compressor, whose `name` tells them from others.

    `limit` is in bytes, over all compressors. `hits` counts the blocks that were found. Without a
    `folder` nothing is kept.
    """

    def __init__(self, folder: Path | None, name: str, limit: int = LIMIT) -> None:
        self._all = (folder or Path()) / "blocks"
        self._folder = self._all / name
        self._limit = limit
        self._packs: list[_Pack] = []
        self._new: _NewPack | None = None
        self.problem = ""
        self.hits = 0
        if folder is None:
            self.problem = "there is no folder for it; set HOME or XDG_CACHE_HOME"
            return
        with self._noting():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._open_packs()

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        """Take note of an error of the system."""
        try:
            yield
        except OSError as error:
            self.problem = self.problem or f"{self._folder}: {error.strerror}"

    def _open_packs(self) -> None:
        room = INDEXES_MAX
        for path in sorted(self._folder.glob("*.pack")):
            # A link, a folder or a file of another user in its place is passed over.
            with contextlib.suppress(OSError):
                pack = _Pack.open(path, room)
                if pack is not None:
                    self._packs.append(pack)
                    room -= pack.index_size

    def get(self, key: bytes) -> bytes | None:
        """The block of a page, if it is here and whole."""
        for pack in self._packs:
            block = pack.get(key)
            if block is not None:
                self.hits += 1
                return block
        return None

    def _distrust(self, key: bytes) -> None:
        """Remove the packs that have a block for this page."""
        for pack in [pack for pack in self._packs if pack.get(key) is not None]:
            self._packs.remove(pack)
            pack.close()
            with self._noting():
                pack.path.unlink(missing_ok=True)

    def put(self, key: bytes, block: bytes) -> None:
        """Keep a block. Builds that begin after save() find it.

        A page for which a pack has a block already is put again only if that block was wrong. Then
        the pack is not believed any more.
        """
        self._distrust(key)
        if self.problem:
            return
        with self._noting():
            if self._new is None:
                self._new = _NewPack(self._folder)
            self._new.add(key, block)
        if self.problem:
            self._drop_new()

    def save(self) -> None:
        """Publish the blocks that were put, and keep the folder within its limit."""
        with self._noting():
            for pack in self._packs:
                if pack.used:
                    with contextlib.suppress(FileNotFoundError):
                        os.utime(pack.path)
            if self._new is not None:
                small = self._take_over_small()
                self._new.publish()
                for pack in small:
                    pack.path.unlink(missing_ok=True)
                self._evict()
        self.close()

    def _take_over_small(self) -> list[_Pack]:
        """Add the blocks of small packs to the new one when they have become many."""
        small = [pack for pack in self._packs if pack.size < SMALL_PACK]
        if self._new is None or len(small) < SMALL_PACKS_MAX:
            return []
        for pack in small:
            for key in pack.all_keys():
                block = pack.get(key)
                if block is not None:
                    self._new.add(key, block)
        return small

    def _evict(self) -> None:
        packs = []
        for path in self._all.glob("*/*.pack"):
            with contextlib.suppress(FileNotFoundError):
                status = path.lstat()
                packs.append((status.st_mtime_ns, status.st_size, path))
        room = self._limit
        for _, size, path in sorted(packs, reverse=True):
            room -= size
            if room < 0:
                with contextlib.suppress(OSError):
                    path.unlink()
        self._sweep(max((time for time, _, _ in packs), default=0))

    def _sweep(self, newest: int) -> None:
        """Remove unfinished packs of builds that were killed; `newest` is in nanoseconds."""
        for path in self._all.glob("*/*.new"):
            with contextlib.suppress(OSError):
                if newest - path.lstat().st_mtime_ns > ABANDONED_AFTER * 10**9:
                    path.unlink()

    def close(self) -> None:
        """Forget the blocks that were put and not saved."""
        self._drop_new()
        for pack in self._packs:
            pack.close()
        self._packs = []

    def _drop_new(self) -> None:
        new, self._new = self._new, None
        if new is not None:
            with self._noting():
                new.discard()


class _Pack:
    """A pack that is open for reading. It stays readable when another build removes its name."""

    def __init__(self, path: Path, handle: int, size: int, index: bytes) -> None:
        count = len(index) // ENTRY_SIZE
        self.path = path
        self.size = size
        self.index_size = len(index)
        self.used = False
        self._handle = handle
        self._heads = array("Q")
        self._heads.frombytes(index[: count * HEAD_SIZE])
        self._rests = index[count * HEAD_SIZE : count * KEY_SIZE]
        numbers = array("I")
        numbers.frombytes(index[count * KEY_SIZE :])
        self._starts = numbers[:count]
        self._sizes = numbers[count : 2 * count]
        self._sums = numbers[2 * count :]

    @classmethod
    def open(cls, path: Path, room: int) -> _Pack | None:
        """The pack at a path. None: it is no whole pack and was removed, or its index takes more
        than `room` bytes."""
        # A pipe or a link in its place is neither waited for nor followed.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        status = os.fstat(handle)
        size = status.st_size
        if stat.S_ISREG(status.st_mode) and size >= TAIL.size:
            count, crc, magic = TAIL.unpack(os.pread(handle, TAIL.size, size - TAIL.size))
            index_size = count * ENTRY_SIZE
            if magic == MAGIC and index_size <= size - TAIL.size:
                if index_size > room:
                    os.close(handle)
                    return None
                index = os.pread(handle, index_size, size - TAIL.size - index_size)
                if len(index) == index_size and crc32(index) == crc:
                    return cls(path, handle, size, index)
        os.close(handle)
        path.unlink(missing_ok=True)
        return None

    def get(self, key: bytes) -> bytes | None:
        """The block of a page, if it is here and whole."""
        head, rest = _number(key), key[HEAD_SIZE:]
        first = bisect_left(self._heads, head)
        for place in range(first, min(first + ALIKE_MAX, len(self._heads))):
            if self._heads[place] != head:
                break
            if self._rest(place) == rest:
                return self._read(place)
        return None

    def all_keys(self) -> Iterator[bytes]:
        """The key of each block."""
        for place, head in enumerate(self._heads):
            yield head.to_bytes(HEAD_SIZE, sys.byteorder) + self._rest(place)

    def _rest(self, place: int) -> bytes:
        at = place * (KEY_SIZE - HEAD_SIZE)
        return self._rests[at : at + KEY_SIZE - HEAD_SIZE]

    def _read(self, place: int) -> bytes | None:
        size = self._sizes[place]
        if size > BLOCK_MAX:
            return None
        try:
            block = os.pread(self._handle, size, self._starts[place])
        except OSError:
            return None
        if len(block) != size or crc32(block) != self._sums[place]:
            return None
        self.used = True
        return block

    def close(self) -> None:
        """Close the file. The pack finds nothing any more."""
        self._heads = array("Q")
        os.close(self._handle)


def _number(key: bytes) -> int:
    """The first bytes of a key as a number, in the byte order of this machine.

    A pack of a machine of the other byte order is one whose blocks are not found.
    """
    return int.from_bytes(key[:HEAD_SIZE], sys.byteorder)


class _NewPack:
    """A pack being written. It has no name yet, so that a build that is killed leaves nothing.

    Where the file system knows no files without a name, its name ends in `.new`.
    """

    def __init__(self, folder: Path) -> None:
        name = f"{os.getpid()}-{os.urandom(8).hex()}"
        self._path = folder / f"{name}.pack"
        self._beside: Path | None = None
        try:
            self._handle = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError:
            self._beside = folder / f"{name}.new"
            self._handle = os.open(
                self._beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
            )
        self._file = os.fdopen(self._handle, "wb")
        self._blocks: dict[bytes, tuple[int, int, int]] = {}
        self._at = 0

    def add(self, key: bytes, block: bytes) -> None:
        """Write a block, unless it is there or the pack is full."""
        if key in self._blocks or self._at + len(block) >= PACK_MAX or len(block) > BLOCK_MAX:
            return
        self._file.write(block)
        self._blocks[key] = self._at, len(block), crc32(block)
        self._at += len(block)

    def publish(self) -> None:
        """Write the index and give the file its name."""
        keys = sorted(self._blocks, key=_number)
        parts = [
            b"".join(key[:HEAD_SIZE] for key in keys),
            b"".join(key[HEAD_SIZE:] for key in keys),
        ]
        for column in range(3):
            parts.append(array("I", (self._blocks[key][column] for key in keys)).tobytes())
        index = b"".join(parts)
        self._file.write(index + TAIL.pack(len(keys), crc32(index), MAGIC))
        self._file.flush()
        if self._beside:
            self._beside.rename(self._path)
            self._beside = None
        else:
            self._give_name()
        self._file.close()

    def _give_name(self) -> None:
        # Only linkat() follows the link in /proc, and Python calls it only with a directory.
        folder = os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.link(str(self._handle), self._path, src_dir_fd=folder, follow_symlinks=True)
        finally:
            os.close(folder)

    def discard(self) -> None:
        """Let the file go, whatever of it is written. Raises OSError if its disk is full."""
        try:
            if self._beside:
                self._beside.unlink(missing_ok=True)
        finally:
            self._file.close()
