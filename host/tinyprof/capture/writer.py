# SPDX-License-Identifier: MIT
"""Writes a capture, chunk by chunk."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Mapping
from typing import IO, Any

from tinyprof.capture.compression import PIECE_MAX, LinePacker
from tinyprof.capture.format import (
    _END,
    _MS,
    _PIECE,
    _PIECE_MAX,
    _PLACE,
    CHUNK_HEAD,
    CHUNK_MAX,
    END,
    GAP,
    INDEX,
    LINE,
    LOSSES,
    MARK,
    META,
    PACKED_LINE,
    PACKED_VERSION,
    PRIMER,
    SEEK,
    TIME,
    VERSION,
    CaptureError,
    Ending,
    Meta,
    SeekPoint,
    magic,
)
from tinyprof.capture.index import ImageIndex, pack_index
from tinyprof.errors import optional_module
from tinyprof.wire.messages import MARK_MAX

msgpack = optional_module("msgpack")

TIME_STEP = 0.25
"""Seconds by which the time of a piece of the line may be off."""

PLACES_BYTES = 1 << 14
"""Bytes between two places that the index for seeking names."""
PACKED_PLACES_BYTES = 1 << 17
"""Bytes between two places of a packed line. Packing begins anew at each place, and packs better
the longer it goes on."""

PLACES_MAX = 2048
"""Places that the index for seeking names at most. In a longer capture they are farther apart."""


class CaptureWriter:
    """Begins a capture and appends to it. Every call leaves a file that can be read.

    Give it an unbuffered file: a buffer would keep bytes that the disk has refused. With a
    `packer` the line is packed. Raises CaptureError if the file cannot be written. The file then
    ends after its last whole chunk.
    """

    def __init__(
        self,
        file: IO[bytes],
        meta: Meta | None = None,
        index: ImageIndex | None = None,
        primer: bytes = b"",
        packer: LinePacker | None = None,
    ) -> None:
        self._file = file
        self.size = 0
        self._timed: float | None = None
        self._places: list[SeekPoint] = []
        self._place_step = PACKED_PLACES_BYTES if packer else PLACES_BYTES
        self._packer = packer
        self._append(magic(PACKED_VERSION if packer else VERSION))
        self._chunk(
            META, msgpack.packb(_meta_fields(meta or Meta()), unicode_errors="surrogateescape")
        )
        if index:
            packed = pack_index(index)
            for at in range(0, len(packed), _PIECE_MAX):
                self._chunk(INDEX, _PIECE.pack(at, len(packed)) + packed[at : at + _PIECE_MAX])
        for at in range(0, len(primer), CHUNK_MAX):
            self._chunk(PRIMER, primer[at : at + CHUNK_MAX])

    def line(self, data: bytes, seconds: float = 0.0) -> None:
        """Store bytes as they arrived, and when: `seconds` since the recording began."""
        if self._timed is None or seconds - self._timed >= TIME_STEP:
            self._note_place(seconds)
            self._chunk(TIME, _MS.pack(int(seconds * 1000)))
            self._timed = seconds
        if self._packer:
            for start in range(0, len(data), PIECE_MAX):
                self._chunk(PACKED_LINE, self._packer.pack(data[start : start + PIECE_MAX]))
            return
        for start in range(0, len(data), CHUNK_MAX):
            self._chunk(LINE, data[start : start + CHUNK_MAX])

    def _note_place(self, seconds: float) -> None:
        """Remember a place from time to time. If there are too many places, keep every second
        one."""
        if self._places and self.size - self._places[-1].offset < self._place_step:
            return
        self._places.append(SeekPoint(seconds, self.size))
        if self._packer:
            self._packer.begin()
        if len(self._places) > PLACES_MAX:
            self._places, self._place_step = self._places[::2], self._place_step * 2

    def mark(self, text: str) -> None:
        """Store a mark of at most MARK_MAX bytes at this place of the line."""
        self._chunk(MARK, text.encode("utf-8", "surrogateescape")[:MARK_MAX])

    def gap(self, seconds: float) -> None:
        """Store that the port went away."""
        self._chunk(GAP, _MS.pack(int(seconds * 1000)))

    def losses(self, counts: Mapping[str, int]) -> None:
        """Store the losses that the recording knows of, by cause."""
        self._chunk(LOSSES, msgpack.packb(dict(counts)))

    def end(self, ending: Ending) -> None:
        """Store that the recording is complete, and why it ended."""
        at = self.size
        places = (_PLACE.pack(int(place.seconds * 1000), place.offset) for place in self._places)
        self._chunk(SEEK, b"".join(places))
        self._chunk(END, _END.pack(ending, at))

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
                self._file.truncate(self.size)
                self._file.seek(self.size)
            raise CaptureError(
                f"the capture cannot be written on: {error.strerror}",
                "what is in it so far can be read",
            ) from None
        self.size += len(data)


def _meta_fields(meta: Meta) -> dict[str, Any]:
    return {
        "tinyprof": meta.tinyprof,
        "port": meta.port[:1024],
        "baud": meta.baud,
        "began": meta.began,
        "part": meta.part,
    }
