# SPDX-License-Identifier: MIT
"""Writes a small capture of the version that this tinyprof writes to standard output, with --zstd
the packed.

`tests/vectors/captures` keeps what each version wrote, made once by that version; tests hold every
later one to reading it. It holds an image index, console text, garbage, three epochs of which one
has a lost frame, and whatever else the version knows.
"""

from __future__ import annotations

import sys

from tinyprof.capture import format as capture
from tinyprof.capture.format import Ending, Meta
from tinyprof.capture.index import ImageIndex, IndexedFile
from tinyprof.capture.writer import CaptureWriter
from tinyprof.pages import Fsid
from tinyprof.wire.frames import encode_message
from tinyprof.wire.messages import EpochEnd, Hello, Pages, Status, Volume

FSID = Fsid(0xE7D3B8E0, 1, 2, 3)
INDEX = ImageIndex(
    "little",
    8192,
    FSID,
    "Compressed",
    (IndexedFile("/bin/sh", 400, 8192, "5a" * 32, (1200, 4096), bytes([0, 7])),),
)
HELLO = Hello(
    1,
    "0.1.0",
    "6.1.192",
    "armv7l",
    4096,
    b"1st boot",
    1000,
    1,
    (Volume(0, FSID, 8192, "C", True),),
)


def first_version(writer: CaptureWriter) -> None:
    line = [
        b"login: ",
        encode_message(HELLO, 0),
        encode_message(Pages(0, 1, 5, (100, 101), bytes([0, 3])), 1),
        encode_message(EpochEnd(0, 1, 9, (1, 0, 0, 1)), 2),
        b"\xfe\xfe\0",
        encode_message(EpochEnd(0, 2, 19, (2, 0, 0, 0)), 4),
        encode_message(Status(20, 0, 0, 0), 5),
    ]
    for piece in line:
        writer.line(piece)


def second_version(writer: CaptureWriter) -> None:
    from tinyprof.wire.messages import Begin  # noqa: PLC0415

    writer.mark("steady")
    writer.gap(3.5)
    writer.line(encode_message(Begin(7), 6), 4.0)
    writer.line(encode_message(EpochEnd(0, 3, 30, (1, 0, 0, 0), 5), 7, repeated=True), 5.0)
    writer.line(encode_message(Pages(0, 3, 25, (101,), bytes(1)), 6, repeated=True), 6.0)
    writer.losses({"frames": 1, "records": 2})


def main() -> None:
    meta = Meta("0.1.0", "/dev/ttyACM0", 115_200, 1_795_000_000)
    packer = None
    if "--zstd" in sys.argv:
        from tinyprof.capture.compression import LinePacker  # noqa: PLC0415

        packer = LinePacker()
    writer = CaptureWriter(sys.stdout.buffer, meta, INDEX, packer=packer)
    first_version(writer)
    if capture.VERSION >= 2:
        second_version(writer)
    writer.end(Ending.DURATION)


if __name__ == "__main__":
    main()
