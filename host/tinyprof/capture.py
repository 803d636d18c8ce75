# SPDX-License-Identifier: MIT
"""The capture file (docs/capture-format.md): messages of the target in, chunks with a CRC out, and back.

A capture only ever grows, a whole chunk at a time, so that a recorder killed at any byte loses at most the
chunk in flight. Reading stops at the first chunk that is not whole and says where.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO

from tinyprof.errors import TinyprofError
from tinyprof.wire import Frame, FrameDecoder, Message, UnknownMessage, encode_message

MAGIC = b"TPCAP\x01\r\n"
CHUNK_HEAD = struct.Struct("<4sII")
CHUNK_MAX = 1 << 16
MESSAGES = b"MSGS"
CONSOLE = b"TEXT"
LOSS = b"LOSS"


class CaptureError(TinyprofError):
    """A file that is no capture."""


@dataclass(frozen=True, slots=True)
class Capture:
    """What a capture holds; `lost_frames` and `corrupt_frames` as the recorder saw them.

    `cut_at` is the byte at which the file stops making sense, None where it ends whole.
    """

    messages: tuple[Message, ...]
    console: bytes
    lost_frames: int
    corrupt_frames: int
    cut_at: int | None


class CaptureWriter:
    """Appends to a new capture; every call leaves a file that can be read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._seq = 0
        file.write(MAGIC)
        file.flush()

    def messages(self, messages: list[Message]) -> None:
        """Store messages in the wire's own encoding, a chunk at a time."""
        frames = b""
        for message in messages:
            if isinstance(message, UnknownMessage):
                continue
            frame = encode_message(message, self._seq)
            self._seq += 1
            if len(frames) + len(frame) > CHUNK_MAX:
                self._chunk(MESSAGES, frames)
                frames = b""
            frames += frame
        if frames:
            self._chunk(MESSAGES, frames)

    def console(self, text: bytes) -> None:
        """Store what the target printed between frames."""
        for start in range(0, len(text), CHUNK_MAX):
            self._chunk(CONSOLE, text[start : start + CHUNK_MAX])

    def loss(self, frames: int, corrupt: int) -> None:
        """Store that frames are missing here, and that stretches of the line were corrupt."""
        self._chunk(LOSS, struct.pack("<II", frames, corrupt))

    def _chunk(self, kind: bytes, data: bytes) -> None:
        self._file.write(CHUNK_HEAD.pack(kind, len(data), zlib.crc32(kind + data)) + data)
        self._file.flush()


def read_capture(data: bytes) -> Capture:
    """Read a capture as far as it is whole. Raises CaptureError for a file that is none."""
    if not data.startswith(MAGIC):
        raise CaptureError("not a tinyprof capture, or of a later version", "make one with 'tinyprof record'")
    decoder = FrameDecoder()
    messages: list[Message] = []
    console = bytearray()
    lost = corrupt = 0
    at = len(MAGIC)
    while chunk := _chunk_at(data, at):
        kind, body = chunk
        at += CHUNK_HEAD.size + len(body)
        if kind == MESSAGES:
            messages += [event.message for event in decoder.feed(body) if isinstance(event, Frame)]
        elif kind == CONSOLE:
            console += body
        elif kind == LOSS and len(body) == 8:
            frames, stretches = struct.unpack("<II", body)
            lost, corrupt = lost + frames, corrupt + stretches
    return Capture(tuple(messages), bytes(console), lost, corrupt, at if at < len(data) else None)


def _chunk_at(data: bytes, at: int) -> tuple[bytes, bytes] | None:
    if at + CHUNK_HEAD.size > len(data):
        return None
    kind, size, crc = CHUNK_HEAD.unpack_from(data, at)
    body = data[at + CHUNK_HEAD.size : at + CHUNK_HEAD.size + size]
    if size > CHUNK_MAX or len(body) < size or zlib.crc32(kind + body) != crc:
        return None
    return kind, body
