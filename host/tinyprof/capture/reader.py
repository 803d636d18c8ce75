# SPDX-License-Identifier: MIT
"""Reads a capture once, from front to back.

Every byte is untrusted. Reading keeps one chunk and the index in memory, never the file.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from typing import IO, Any

from tinyprof.capture.compression import LineUnpacker, MissingZstdError
from tinyprof.capture.format import (
    _END,
    _MS,
    _PIECE,
    _PLACE,
    CHUNK_HEAD,
    CHUNK_MAX,
    END,
    GAP,
    INDEX,
    LINE,
    LOSSES,
    MAGIC,
    MARK,
    META,
    PACKED_LINE,
    PACKED_VERSION,
    PRIMER,
    SEEK,
    TIME,
    VERSIONS,
    CaptureError,
    Ending,
    Meta,
    SeekPoint,
)
from tinyprof.capture.index import INDEX_MAX, ImageIndex, ImageIndexError, unpack_index
from tinyprof.errors import optional_module
from tinyprof.wire.frames import Event, FrameDecoder, HostMark
from tinyprof.wire.messages import MARK_MAX

msgpack = optional_module("msgpack")

_META_MAX = 4096
"""Bytes of a META or LOSS chunk."""
GAPS_MAX = 4096
"""Gaps that a reader lists at most."""

_META_KINDS = (("tinyprof", str), ("port", str), ("baud", int), ("began", int), ("part", int))


class CaptureReader:
    """One pass over a capture. Errors call it `name`.

    Known at once: `version`, `meta`, `index`, and `index_fault`, which says why there is no index.
    Known after `events()`:

    - `cut_at`: the byte at which the file stops making sense. None: the file is whole.
    - `ending`: why the recording ended. None: it was killed.
    - `strange_chunks`: chunks of a type that this version does not know.
    - `seconds`: how long the recording took. `line_bytes`: how much arrived. `gaps`: when its port
      went away.
    - `losses`: the losses that the recorder counted, by cause. None: the capture does not say.

    Raises CaptureError if the file is no capture.
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
        self.seconds = 0.0
        self.line_bytes = 0
        self.gaps: list[float] = []
        self.losses: dict[str, int] | None = None
        self.decoder = FrameDecoder()
        self._packed_index = bytearray()
        self.version = self._checked_magic(file.read(len(MAGIC)))
        self._unpacker = self._new_unpacker() if self.version >= PACKED_VERSION else None
        self._next = self._next_piece()

    def _checked_magic(self, found: bytes) -> int:
        if len(found) == len(MAGIC) and found[:5] == MAGIC[:5] and found[6:] == MAGIC[6:]:
            if found[5] in VERSIONS:
                return found[5]
            raise CaptureError(
                f"{self.name}: a capture of version {found[5]}, this reads {VERSIONS[-1]}",
                "use a newer tinyprof",
            )
        raise CaptureError(
            f"{self.name}: not a tinyprof capture", "make one with 'tinyprof record'"
        )

    def _new_unpacker(self) -> LineUnpacker:
        try:
            return LineUnpacker()
        except MissingZstdError as error:
            raise CaptureError(
                f"{self.name} is compressed, and {error.message}", error.hint
            ) from None

    @property
    def whole_size(self) -> int:
        """Bytes from the beginning of the file that make sense, as far as they were read."""
        return self._at

    def events(self) -> Iterator[Event]:
        """Yield the line's events and the recorder's marks, once and in order."""
        while self._next is not None:
            if isinstance(self._next, HostMark):
                yield self._next
            else:
                yield from self.decoder.feed(self._next)
            self._next = self._next_piece()
        yield from self.decoder.finish(line_ended=self.ending is Ending.LINE_ENDED)

    def line(self) -> Iterator[bytes]:
        """Yield the bytes of the line, once, without decoding them."""
        while self._next is not None:
            if not isinstance(self._next, HostMark):
                yield self._next
            self._next = self._next_piece()

    def seek(self, seconds: float) -> None:
        """Go on at the last indexed place that is not after this many seconds.

        Does nothing if there is no index for seeking, as in a recording that was killed. The line
        then lacks its beginning, so `events()` may begin with a corrupt stretch.
        """
        place = max(
            (place for place in self._places() if place.seconds <= seconds),
            default=None,
            key=_offset,
        )
        if place and place.offset > self._at:
            self._file.seek(place.offset)
            self._at = place.offset
            self._next = self._next_piece()

    def _places(self) -> list[SeekPoint]:
        """Return the index for seeking, which stands at the end. The file's position stays as it
        was."""
        here = self._file.tell()
        try:
            return self._read_places()
        finally:
            self._file.seek(here)

    def _read_places(self) -> list[SeekPoint]:
        size = self._file.seek(0, os.SEEK_END)
        end_at = size - CHUNK_HEAD.size - _END.size
        if end_at < len(MAGIC):
            return []
        end = self._chunk_at(end_at)
        if end is None or end[0] != END or len(end[1]) != _END.size:
            return []
        seek = self._chunk_at(_END.unpack(end[1])[1])
        if seek is None or seek[0] != SEEK or len(seek[1]) % _PLACE.size:
            return []
        return [
            SeekPoint(ms / 1000, at)
            for ms, at in _PLACE.iter_unpack(seek[1])
            if len(MAGIC) <= at < end_at
        ]

    def _chunk_at(self, offset: int) -> tuple[bytes, bytes] | None:
        if offset > self._file.seek(0, os.SEEK_END):
            return None
        self._file.seek(offset)
        return self._read_chunk()

    def _next_piece(self) -> bytes | HostMark | None:
        while (chunk := self._chunk()) is not None:
            kind, data = chunk
            if kind in (LINE, PRIMER):
                self.line_bytes += len(data) if kind == LINE else 0
                return data
            if kind == MARK and 0 < len(data) <= MARK_MAX:
                return HostMark(data.decode("utf-8", "surrogateescape"))
            self._take_note(kind, data)
        return None

    def _take_note(self, kind: bytes, data: bytes) -> None:
        """Take a chunk that is not part of the line."""
        if kind == INDEX:
            self._take_index(data)
        elif kind == META:
            self.meta = _parse_meta(data)
        elif kind == TIME and len(data) == _MS.size:
            self.seconds = _MS.unpack(data)[0] / 1000
        elif kind == GAP and len(data) == _MS.size:
            if len(self.gaps) < GAPS_MAX:
                self.gaps.append(_MS.unpack(data)[0] / 1000)
        elif kind == LOSSES:
            self.losses = _parse_losses(data)
        elif kind == END and len(data) in (1, _END.size) and data[0] < len(Ending):
            self.ending = Ending(data[0])
        elif kind != SEEK:
            self.strange_chunks += 1

    def _chunk(self) -> tuple[bytes, bytes] | None:
        chunk = self._read_chunk()
        size = CHUNK_HEAD.size + len(chunk[1]) if chunk else 0
        if chunk and self._unpacker and chunk[0] == PACKED_LINE:
            line = self._unpacker.unpack(chunk[1])
            chunk = None if line is None else (LINE, line)
        if chunk is None:
            # The file ends here, or stops making sense.
            self.cut_at = self._at if self._read_anything else None
        else:
            self._at += size
        return chunk

    def _read_chunk(self) -> tuple[bytes, bytes] | None:
        head = self._file.read(CHUNK_HEAD.size)
        self._read_anything = bool(head)
        if len(head) < CHUNK_HEAD.size:
            return None
        kind, size, crc = CHUNK_HEAD.unpack(head)
        data = self._file.read(size) if size <= CHUNK_MAX else b""
        whole = size <= CHUNK_MAX and len(data) == size and zlib.crc32(kind + data) == crc
        return (kind, data) if whole else None

    def _take_index(self, data: bytes) -> None:
        """Take one piece of the index. An index counts only whole, and the first whole one
        counts."""
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


def _offset(place: SeekPoint) -> int:
    return place.offset


def _parse_losses(data: bytes) -> dict[str, int] | None:
    """Return counts by cause. A chunk that makes no sense is not worth an error."""
    fields = _unpack_map(data)
    if fields is None:
        return None
    return {
        name: n for name, n in fields.items() if type(name) is str and type(n) is int and n >= 0
    }


def _parse_meta(data: bytes) -> Meta:
    """Return what a META chunk says. Nothing depends on it, so nothing in it is an error."""
    fields = _unpack_map(data)
    if fields is None:
        return Meta()
    known: dict[str, Any] = {
        name: value for name, kind in _META_KINDS if type(value := fields.get(name)) is kind
    }
    return Meta(**known)


def _unpack_map(data: bytes) -> dict[Any, Any] | None:
    if len(data) > _META_MAX:
        return None
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
        return None
    return fields if type(fields) is dict else None
