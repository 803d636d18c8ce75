# SPDX-License-Identifier: MIT
"""Writes a small capture of the version that this tinyprof writes to standard output, with --zstd
the packed, and with --files that of a target that tells its files.

`tests/vectors/captures` keeps what each version wrote, made once by that version; tests hold every
later one to reading it. It holds an image index, console text, garbage, three epochs of which one
has a lost frame, and whatever else the version knows.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from tinyprof.capture import format as capture
from tinyprof.capture.format import Ending, Meta
from tinyprof.capture.index import ImageIndex, IndexedFile
from tinyprof.capture.writer import CaptureWriter
from tinyprof.pages import Fsid
from tinyprof.wire.frames import encode_message
from tinyprof.wire.messages import EpochEnd, Hello, Message, Pages, Status, Volume

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


def files(writer: CaptureWriter) -> None:
    """What an agent on a stock kernel says, whose root is no CramFS."""
    from tinyprof.wire.frames import file_parts  # noqa: PLC0415
    from tinyprof.wire.messages import FilePart  # noqa: PLC0415
    from tinyprof.wire.source import TouchSource  # noqa: PLC0415

    volume = Volume(1, Fsid(0, 0, 0, 0), 0, "", True, is_files=True)
    hello = replace(HELLO, volumes=(volume,), source=TouchSource(1, 1, 16, 3, True))
    paths = [b"/lib/ld.so", b"/run/" + 60 * b"long/" + b" (deleted)", b"/dev/zero"]
    told = [
        FilePart(1, 100 * n, 2, 8192, 8 << 20 | 1, 7 + n, len(path), 0, path)
        for n, path in enumerate(paths, start=1)
    ]
    messages: list[Message] = [
        hello,
        *(part for file in told for part in file_parts(file)),
        Pages(1, 1, 5, (100, 101, 200, 300), bytes([0, 1, 0, 0])),
        EpochEnd(1, 1, 9, (3, 1, 0, 0)),
        Status(20, 0, 0, 0, lost_events=5),
    ]
    for seq, message in enumerate(messages):
        writer.line(encode_message(message, seq))


def tree_index() -> ImageIndex:
    from tinyprof.capture.index import IndexedLink  # noqa: PLC0415

    file = IndexedFile("/usr/lib/ld.so", 4, 8192, "5a" * 32, (1200, 4096), bytes(2))
    links = (IndexedLink("/lib", 0, "usr/lib"),)
    return ImageIndex("little", 5296, Fsid(7, 0, 2, 1), "", (file,), links, of_tree=True)


def main() -> None:
    if "--files" in sys.argv:
        writer = CaptureWriter(sys.stdout.buffer, Meta("0.1.0", "-", 0, 1), tree_index())
        files(writer)
        writer.end(Ending.DURATION)
        return
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
