# SPDX-License-Identifier: MIT
"""Packs the line of a capture with zstd (docs/capture-format.md, "ZLIN").

Pieces of the line come in. Packed pieces go out, and each can be unpacked once those before it are
there. LineUnpacker does the reverse. Packed bytes are untrusted: unpacking takes the memory of
UNPACKED_MAX and a window, and the line may not be more than RATIO_MAX times as long as its packed
form. The zstd library is imported only where something is packed.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from tinyprof.capture.format import CHUNK_HEAD
from tinyprof.errors import TinyprofError

PIECE_MAX = 1 << 12
"""Bytes of the line that are packed at once. However well they pack, a chunk stays within
RATIO_MAX."""

RATIO_MAX = 256
"""Bytes of the line for each byte of its chunks."""

UNPACKED_FREE = 1 << 20
"""Bytes that the line may have in any case. Captures of before the limit had longer pieces."""

UNPACKED_MAX = 1 << 16
"""Bytes that one packed piece may unpack to."""
WINDOW_LOG = 17
"""How far back a piece may point, as a power of two. A reader must hold that many bytes."""

LEVEL = 3
"""Compression level of zstd."""
BEGINS, GOES_ON = 1, 0
"""First byte of a packed piece: a zstd frame begins here, or goes on."""


class MissingZstdError(TinyprofError):
    """Something is packed, or is to be packed, and there is no zstd on this machine."""


class LinePacker:
    """Packs one line. Raises MissingZstdError at once."""

    def __init__(self) -> None:
        self._zstd = _zstd()
        self._stream: Any = None

    def begin(self) -> None:
        """Make the next piece one that can be unpacked without those before it."""
        self._stream = None

    def pack(self, piece: bytes) -> bytes:
        """Return the packed form of at most PIECE_MAX bytes."""
        begins = self._stream is None
        if begins:
            parameter = self._zstd.CompressionParameter
            options = {parameter.compression_level: LEVEL, parameter.window_log: WINDOW_LOG}
            self._stream = self._zstd.ZstdCompressor(options=options)
        packed: bytes = self._stream.compress(piece, mode=self._stream.FLUSH_BLOCK)
        return bytes([BEGINS if begins else GOES_ON]) + packed


class LineUnpacker:
    """Unpacks one line. Raises MissingZstdError at once."""

    def __init__(self) -> None:
        self._zstd = _zstd()
        self._stream: Any = None
        self._room = UNPACKED_FREE

    def unpack(self, packed: bytes) -> bytes | None:
        """Return a piece of the line. None: the bytes unpack to nothing, or to more than is
        allowed."""
        if packed[:1] == bytes([BEGINS]):
            options = {self._zstd.DecompressionParameter.window_log_max: WINDOW_LOG}
            self._stream = self._zstd.ZstdDecompressor(options=options)
        elif self._stream is None or packed[:1] != bytes([GOES_ON]):
            return None
        try:
            piece: bytes = self._stream.decompress(packed[1:], max_length=UNPACKED_MAX + 1)
        except (self._zstd.ZstdError, EOFError, ValueError):
            return None
        self._room += RATIO_MAX * (len(packed) + CHUNK_HEAD.size) - len(piece)
        allowed = len(piece) <= UNPACKED_MAX and self._room >= 0
        return piece if allowed and self._stream.needs_input and not self._stream.eof else None


def _zstd() -> ModuleType:
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd  # noqa: PLC0415
        else:
            from backports import zstd  # noqa: PLC0415
    except ImportError:
        raise MissingZstdError(
            "zstd is not installed here", "install it with: pip install 'tinyprof[zstd]'"
        ) from None
    return zstd
