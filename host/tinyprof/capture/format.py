# SPDX-License-Identifier: MIT
"""The parts of a capture file (docs/capture-format.md): chunk types, endings, circumstances.

The recorded line goes into the file byte for byte, after the image's index. Chunks are framed and
carry a CRC, so a file that was cut anywhere can be read up to its last whole chunk.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from tinyprof.errors import TinyprofError

VERSION = 2
"""Version of a capture whose line is not packed."""
PACKED_VERSION = 3
"""Version of a capture whose line is packed."""
VERSIONS = (1, 2, 3)
"""Versions that can be read."""


def magic(version: int) -> bytes:
    """Return the first bytes of a capture of this version."""
    return b"TPCAP" + bytes([version]) + b"\r\n"


MAGIC = magic(VERSION)
"""The first bytes of a capture of version VERSION."""
CHUNK_HEAD = struct.Struct("<4sII")
"""Type, size and CRC of a chunk."""
CHUNK_MAX = 1 << 16
"""Bytes of data in one chunk."""
META = b"META"
INDEX = b"INDX"
PRIMER = b"PRIM"
LINE = b"LINE"
PACKED_LINE = b"ZLIN"
MARK = b"MARK"
TIME = b"TIME"
GAP = b"GAPS"
LOSSES = b"LOSS"
SEEK = b"SEEK"
END = b"ENDS"

_PIECE = struct.Struct("<II")
_PIECE_MAX = CHUNK_MAX - _PIECE.size
_MS = struct.Struct("<Q")
_PLACE = struct.Struct("<2Q")
_END = struct.Struct("<BQ")


class CaptureError(TinyprofError):
    """A file that is no capture, or a capture that cannot be written any further."""


class Ending(IntEnum):
    """Why a recording ended, as its last chunk says."""

    LINE_ENDED = 0
    INTERRUPTED = 1
    DURATION = 2
    EPOCHS = 3
    NO_TRACER = 4
    ROLLED = 5
    LEFT = 6


ENDED = {
    Ending.LINE_ENDED: "the port closed",
    Ending.INTERRUPTED: "Ctrl-C or a signal",
    Ending.DURATION: "the time of --duration was over",
    Ending.EPOCHS: "the number of --epochs was reached",
    Ending.NO_TRACER: "the target has no tracer",
    Ending.ROLLED: "it goes on in the next part",
    Ending.LEFT: "the live view was left",
}
"""Why a recording ended, in words."""


@dataclass(frozen=True, slots=True)
class Meta:
    """The circumstances of a recording. `began` is Unix time in seconds. `part` counts from 0."""

    tinyprof: str = ""
    port: str = ""
    baud: int = 0
    began: int = 0
    part: int = 0


@dataclass(frozen=True, slots=True)
class SeekPoint:
    """A place from which a capture can be read: seconds since the recording began, and the offset
    of the chunk in bytes."""

    seconds: float
    offset: int
