# SPDX-License-Identifier: MIT
"""The capture file: docs/capture-format.md in Python.

What arrived on the line goes in byte for byte, after the image's index; the same events that the
recorder saw come out. Chunks are framed and checked, so a file cut anywhere is read up to its last
whole chunk. Every byte is untrusted, and reading keeps one chunk and the index in memory, never
the file.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from tinyprof.errors import TinyprofError

VERSION = 2
PACKED_VERSION = 3
VERSIONS = (1, 2, 3)
"""What is read. VERSION is written, or PACKED_VERSION where the line is packed."""


def magic(version: int) -> bytes:
    """The first bytes of a capture of that version."""
    return b"TPCAP" + bytes([version]) + b"\r\n"


MAGIC = magic(VERSION)
CHUNK_HEAD = struct.Struct("<4sII")
CHUNK_MAX = 1 << 16
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
    """A file that is no capture, or one that cannot be written on."""


class Ending(IntEnum):
    """Why a recording ended, as its last chunk says."""

    LINE_ENDED = 0
    INTERRUPTED = 1
    DURATION = 2
    EPOCHS = 3
    NO_TRACER = 4
    ROLLED = 5


@dataclass(frozen=True, slots=True)
class Meta:
    """The circumstances of a recording; `began` is Unix time in seconds, `part` counts from 0."""

    tinyprof: str = ""
    port: str = ""
    baud: int = 0
    began: int = 0
    part: int = 0


@dataclass(frozen=True, slots=True)
class SeekPoint:
    """A chunk of the line: seconds since the recording began, and where in the file it stands."""

    seconds: float
    offset: int
