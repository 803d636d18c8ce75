# SPDX-License-Identifier: MIT
"""Keeps compressed blocks between builds: blocks by the SHA-256 of their page in and out, files in
a folder.

Each build adds at most one pack file, written beside and renamed, and packs never change: builds
at the same time see each other's packs or do not, and both are right. The oldest packs go when the
folder grows over its limit. A cache never fails a build: what is wrong with it stands in
`problem`.
"""

from __future__ import annotations

import os
import struct
from array import array
from pathlib import Path
from typing import BinaryIO

import deflate

MAGIC = b"tinyprof blocks 1"
TAIL = struct.Struct("<2I17s")
"""Number of blocks, CRC-32 of the index, MAGIC; the index is before it, the blocks are before
that."""

KEY_SIZE = 32
SMALL_PACK = 8 << 20
SMALL_PACKS_MAX = 16
LIMIT = 512 << 20
ABANDONED_AFTER = 86_400
"""Seconds; no build takes a day."""


class DiskCache:
    """Blocks of one compressor, which `name` tells from others. `limit` in bytes, over all
    compressors."""

    def __init__(self, folder: Path, name: str, limit: int = LIMIT) -> None:
        self._folder = folder / "blocks" / name
        self._all = folder / "blocks"
        self._limit = limit
        self._packs: list[_Pack] = []
        self._places: dict[bytes, tuple[_Pack, int]] = {}
        self._new: _NewPack | None = None
        self.problem = ""
        self.hits = 0
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._open_packs()
        except OSError as error:
            self.problem = f"{self._folder}: {error.strerror}"

    def _open_packs(self) -> None:
        for path in sorted(self._folder.glob("*.pack")):
            pack = _Pack.open(path)
            if pack is None:
                path.unlink(missing_ok=True)
                continue
            self._packs.append(pack)
            self._places.update((key, (pack, index)) for index, key in enumerate(pack.keys))

    def get(self, key: bytes) -> bytes | None:
        """The block of a page, if it is here and whole."""
        place = self._places.get(key)
        if place is None:
            return None
        pack, index = place
        block = pack.read(index)
        if block is not None:
            self.hits += 1
        return block

    def put(self, key: bytes, block: bytes) -> None:
        """Keep a block. It is seen by builds that begin after save()."""
        if self.problem:
            return
        try:
            if self._new is None:
                self._new = _NewPack(self._folder)
            self._new.add(key, block)
        except OSError as error:
            self.problem = f"{self._folder}: {error.strerror}"
            self._drop_new()

    def save(self) -> None:
        """Publish what was put, and keep the folder within its limit."""
        try:
            for pack in self._packs:
                if pack.used:
                    os.utime(pack.path)
            if self._new is not None:
                self._merge_small()
                self._new.publish()
                self._new = None
                self._evict()
        except OSError as error:
            self.problem = self.problem or f"{self._folder}: {error.strerror}"
        self.close()

    def _merge_small(self) -> None:
        """Take over the blocks of small packs when they become many."""
        small = [pack for pack in self._packs if pack.size < SMALL_PACK]
        if self._new is None or len(small) < SMALL_PACKS_MAX:
            return
        for pack in small:
            for index, key in enumerate(pack.keys):
                block = pack.read(index)
                if block is not None:
                    self._new.add(key, block)
            pack.path.unlink(missing_ok=True)

    def _evict(self) -> None:
        packs = []
        for path in self._all.glob("*/*.pack"):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            packs.append((status.st_mtime_ns, status.st_size, path))
        room = self._limit
        for _, size, path in sorted(packs, reverse=True):
            room -= size
            if room < 0:
                path.unlink(missing_ok=True)

        self._sweep()

    def _sweep(self) -> None:
        """Remove what builds that were killed have left."""
        newest = max((path.stat().st_mtime for path in self._folder.glob("*.pack")), default=0.0)
        for path in self._all.glob("*/*.new"):
            if newest - path.stat().st_mtime > ABANDONED_AFTER:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Forget what was put and not saved."""
        self._drop_new()
        for pack in self._packs:
            pack.close()
        self._packs, self._places = [], {}

    def _drop_new(self) -> None:
        if self._new is not None:
            self._new.discard()
            self._new = None


class _Pack:
    """A pack that is open for reading; it stays readable when another build removes its name."""

    def __init__(
        self, path: Path, handle: int, keys: list[bytes], ends: array[int], sums: array[int]
    ) -> None:
        self.path = path
        self.keys = keys
        self.used = False
        self._handle = handle
        self._ends = ends
        self._sums = sums

    @property
    def size(self) -> int:
        return self._ends[-1] if self._ends else 0

    @classmethod
    def open(cls, path: Path) -> _Pack | None:
        """None for a file that is no whole pack."""
        handle = os.open(path, os.O_RDONLY)
        size = os.fstat(handle).st_size
        parsed = None
        if size >= TAIL.size:
            count, crc, magic = TAIL.unpack(os.pread(handle, TAIL.size, size - TAIL.size))
            index_size = count * (KEY_SIZE + 8)
            if magic == MAGIC and size >= TAIL.size + index_size:
                index = os.pread(handle, index_size, size - TAIL.size - index_size)
                parsed = _parse_index(index, count) if deflate.crc32(index) == crc else None
        if parsed is None:
            os.close(handle)
            return None
        return cls(path, handle, *parsed)

    def read(self, index: int) -> bytes | None:
        start = self._ends[index - 1] if index else 0
        try:
            block = os.pread(self._handle, self._ends[index] - start, start)
        except OSError:
            return None
        if deflate.crc32(block) != self._sums[index]:
            return None
        self.used = True
        return block

    def close(self) -> None:
        os.close(self._handle)


def _parse_index(index: bytes, count: int) -> tuple[list[bytes], array[int], array[int]]:
    numbers = array("I")
    numbers.frombytes(index[count * KEY_SIZE :])
    keys = [index[at : at + KEY_SIZE] for at in range(0, count * KEY_SIZE, KEY_SIZE)]
    return keys, numbers[:count], numbers[count:]


class _NewPack:
    """A pack being written under a name that no build reads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = f"{os.getpid()}-{os.urandom(8).hex()}"
        self._path = folder / f"{self._name}.new"
        self._file: BinaryIO = self._path.open("xb")
        self._keys: dict[bytes, None] = {}
        self._ends = array("I")
        self._sums = array("I")
        self._at = 0

    def add(self, key: bytes, block: bytes) -> None:
        if key in self._keys or self._at + len(block) >= 1 << 32:
            return
        self._file.write(block)
        self._at += len(block)
        self._keys[key] = None
        self._ends.append(self._at)
        self._sums.append(deflate.crc32(block))

    def publish(self) -> None:
        index = b"".join(self._keys) + self._ends.tobytes() + self._sums.tobytes()
        self._file.write(index + TAIL.pack(len(self._keys), deflate.crc32(index), MAGIC))
        self._file.close()
        self._path.rename(self._folder / f"{self._name}.pack")

    def discard(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)
