# SPDX-License-Identifier: MIT
"""The capture file: docs/capture-format.md in Python.

What arrived on the line goes in byte for byte, after the image's index; the same events that the recorder saw
come out. Chunks are framed and checked, so a file cut anywhere is read up to its last whole chunk. Every byte
is untrusted, and reading keeps one chunk and the index in memory, never the file.
"""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import IO, Any

import msgpack

from tinyprof.errors import TinyprofError
from tinyprof.image_index import INDEX_MAX, ImageIndex, ImageIndexError, pack_index, unpack_index
from tinyprof.wire import MARK_MAX, Event, FrameDecoder, HostMark

VERSION = 1
MAGIC = b"TPCAP" + bytes([VERSION]) + b"\r\n"
CHUNK_HEAD = struct.Struct("<4sII")
CHUNK_MAX = 1 << 16
META = b"META"
INDEX = b"INDX"
LINE = b"LINE"
MARK = b"MARK"
END = b"ENDS"

_PIECE = struct.Struct("<II")
_PIECE_MAX = CHUNK_MAX - _PIECE.size
_META_MAX = 4096


class CaptureError(TinyprofError):
    """A file that is no capture, or one that cannot be written on."""


class Ending(IntEnum):
    """Why a recording ended, as its last chunk says."""

    LINE_ENDED = 0
    INTERRUPTED = 1
    DURATION = 2
    EPOCHS = 3
    NO_TRACER = 4


@dataclass(frozen=True, slots=True)
class Meta:
    """The circumstances of a recording; `began` is Unix time in seconds."""

    tinyprof: str = ""
    port: str = ""
    baud: int = 0
    began: int = 0


class CaptureWriter:
    """Begins a capture and appends to it; every call leaves a file that can be read.

    Give it an unbuffered file: a buffer would keep what the disk refused. Raises CaptureError where the file
    cannot be written, after taking it back to its last whole chunk.
    """

    def __init__(self, file: IO[bytes], meta: Meta | None = None, index: ImageIndex | None = None) -> None:
        self._file = file
        self._size = 0
        self._append(MAGIC)
        self._chunk(META, msgpack.packb(_meta_fields(meta or Meta()), unicode_errors="surrogateescape"))
        if index:
            packed = pack_index(index)
            for at in range(0, len(packed), _PIECE_MAX):
                self._chunk(INDEX, _PIECE.pack(at, len(packed)) + packed[at : at + _PIECE_MAX])

    def line(self, data: bytes) -> None:
        """Store what arrived, as it arrived."""
        for start in range(0, len(data), CHUNK_MAX):
            self._chunk(LINE, data[start : start + CHUNK_MAX])

    def mark(self, text: str) -> None:
        """Store a mark of at most MARK_MAX bytes at this place of the line."""
        self._chunk(MARK, text.encode("utf-8", "surrogateescape")[:MARK_MAX])

    def end(self, ending: Ending) -> None:
        """Store that the recording is complete, and why it ended."""
        self._chunk(END, bytes([ending]))

    def _chunk(self, kind: bytes, data: bytes) -> None:
        self._append(CHUNK_HEAD.pack(kind, len(data), zlib.crc32(kind + data)) + data)

    def _append(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left) or 0 :]
            self._file.flush()
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(self._size)
            raise CaptureError(
                f"the capture cannot be written on: {error.strerror}", "what is in it so far can be read"
            ) from None
        self._size += len(data)


def _meta_fields(meta: Meta) -> dict[str, Any]:
    return {"tinyprof": meta.tinyprof, "port": meta.port[:1024], "baud": meta.baud, "began": meta.began}


class CaptureReader:
    """One pass over a capture, which errors call `name`.

    `meta`, `index` and `index_fault` (why there is no index) are known at once, the rest after `events()`.
    `cut_at` is the byte at which the file stops making sense, None where it ends whole; `ending` is None for
    a recording that was killed; `strange_chunks` counts chunks of a type that this version does not know.
    Raises CaptureError for a file that is no capture.
    """

    def __init__(self, file: IO[bytes], name: str = "capture") -> None:
        self._file = file
        self.name = name
        self._at = len(MAGIC)
        self.meta = Meta()
        self.index: ImageIndex | None = None
        self.index_fault = ""
        self.cut_at: int | None = None
        self.ending: Ending | None = None
        self.strange_chunks = 0
        self._packed_index = bytearray()
        self._check_magic(file.read(len(MAGIC)))
        self._next = self._next_piece()

    def _check_magic(self, found: bytes) -> None:
        if found == MAGIC:
            return
        if len(found) == len(MAGIC) and found[:5] == MAGIC[:5] and found[6:] == MAGIC[6:]:
            raise CaptureError(
                f"{self.name}: a capture of version {found[5]}, this reads {VERSION}", "use a newer tinyprof"
            )
        raise CaptureError(f"{self.name}: not a tinyprof capture", "make one with 'tinyprof record'")

    def events(self) -> Iterator[Event]:
        """What arrived on the line and the recorder's marks, once and in their order."""
        decoder = FrameDecoder()
        while self._next is not None:
            if isinstance(self._next, HostMark):
                yield self._next
            else:
                yield from decoder.feed(self._next)
            self._next = self._next_piece()
        yield from decoder.finish(line_ended=self.ending is Ending.LINE_ENDED)

    def _next_piece(self) -> bytes | HostMark | None:
        while (chunk := self._chunk()) is not None:
            kind, data = chunk
            if kind == LINE:
                return data
            if kind == MARK and 0 < len(data) <= MARK_MAX:
                return HostMark(data.decode("utf-8", "surrogateescape"))
            if kind == INDEX:
                self._take_index(data)
            elif kind == META:
                self.meta = _parse_meta(data)
            elif kind == END and len(data) == 1 and data[0] < len(Ending):
                self.ending = Ending(data[0])
            else:
                self.strange_chunks += 1
        return None

    def _chunk(self) -> tuple[bytes, bytes] | None:
        head = self._file.read(CHUNK_HEAD.size)
        if not head:
            return None
        if len(head) == CHUNK_HEAD.size:
            kind, size, crc = CHUNK_HEAD.unpack(head)
            data = self._file.read(size) if size <= CHUNK_MAX else b""
            if size <= CHUNK_MAX and len(data) == size and zlib.crc32(kind + data) == crc:
                self._at += CHUNK_HEAD.size + size
                return kind, data
        self.cut_at = self._at
        return None

    def _take_index(self, data: bytes) -> None:
        """One piece of the index. It counts only whole, and the first whole one counts."""
        if self.index or len(data) < _PIECE.size:
            return
        at, whole = _PIECE.unpack_from(data)
        if at == 0:
            self._packed_index.clear()
        if at != len(self._packed_index) or whole > INDEX_MAX:
            self.index_fault = "the image index has a gap"
            return
        self._packed_index += data[_PIECE.size :]
        if len(self._packed_index) < whole:
            self.index_fault = "the image index is not whole"
            return
        try:
            self.index, self.index_fault = unpack_index(bytes(self._packed_index)), ""
        except ImageIndexError as error:
            self.index_fault = error.message
        self._packed_index.clear()


def _parse_meta(data: bytes) -> Meta:
    """What can be understood of a META chunk; nothing depends on it, so nothing in it is an error."""
    if len(data) > _META_MAX:
        return Meta()
    try:
        fields = msgpack.unpackb(
            data,
            unicode_errors="surrogateescape",
            max_str_len=_META_MAX,
            max_bin_len=_META_MAX,
            max_array_len=64,
            max_map_len=64,
            max_ext_len=_META_MAX,
        )
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException):
        return Meta()
    if type(fields) is not dict:
        return Meta()
    known: dict[str, Any] = {
        name: value
        for name, kind in (("tinyprof", str), ("port", str), ("baud", int), ("began", int))
        if type(value := fields.get(name)) is kind
    }
    return Meta(**known)
