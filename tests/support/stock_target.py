# SPDX-License-Identifier: MIT
"""A target with a stock kernel and a root that is no CramFS: it tells its files, then its pages.

Files and touches come in. The messages of one boot go out, and a capture of them.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tinyprof.capture.format import Ending
from tinyprof.capture.index import ImageIndex
from tinyprof.capture.reader import CaptureReader
from tinyprof.capture.writer import CaptureWriter
from tinyprof.pages import PAGE_SIZE, Fsid, Kind, pages_in
from tinyprof.wire.frames import encode_message, file_parts
from tinyprof.wire.messages import EpochEnd, FilePart, Hello, Message, Pages, Volume
from tinyprof.wire.source import PAGE_FAULTS, TouchSource

VOLUME = 1
FILES = Volume(VOLUME, Fsid(0, 0, 0, 0), 0, "", True, is_files=True)
SOURCE = TouchSource(PAGE_FAULTS, 1, 12, 1 << Kind.EXEC | 1 << Kind.READ, False)
LONG = TouchSource(PAGE_FAULTS, 0, 12, 1 << Kind.EXEC | 1 << Kind.READ, False)
"""A source that sees no page twice."""

Touch = tuple[str, int, Kind]
"""A path as it was told, the number of a page, and its kind."""


@dataclass
class StockTarget:
    """The files of a target and the touches of its epochs.

    `sizes`: bytes of each file by the path that it tells. `touched`: the touches of each epoch.
    """

    sizes: Mapping[str, int]
    touched: Sequence[Sequence[Touch]]
    source: TouchSource = SOURCE
    boot_id: bytes = b"1st boot"
    volumes: tuple[Volume, ...] = (FILES,)
    ends: bool = True
    first_ids: dict[str, int] = field(default_factory=dict)

    def hello(self) -> Hello:
        return Hello(
            1,
            "0.2.0",
            "6.1.0-vendor",
            "armv7l",
            PAGE_SIZE,
            self.boot_id,
            1000,
            1,
            self.volumes,
            source=self.source,
        )

    def files(self) -> list[FilePart]:
        """The file messages, each with its whole path."""
        told, page_id = [], 100
        for inode, (path, size) in enumerate(self.sizes.items(), start=10):
            raw, pages = path.encode("utf-8", "surrogateescape"), pages_in(size)
            self.first_ids[path] = page_id
            numbers = VOLUME, page_id, pages, size, 31 << 20, inode
            told.append(FilePart(*numbers, len(raw), 0, raw))
            page_id += pages
        return told

    def messages(self) -> list[Message]:
        story: list[Message] = [self.hello()]
        for file in self.files():
            story += file_parts(file)
        for epoch, touches in enumerate(self.touched, start=1):
            ids = tuple(self.first_ids[path] + page for path, page, _ in touches)
            kinds = bytes(kind for _, _, kind in touches)
            story.append(Pages(VOLUME, epoch, 1000 * epoch - 5, ids, kinds))
            if self.ends or epoch < len(self.touched):
                exec_, read, write, file_ = (kinds.count(kind) for kind in Kind)
                story.append(EpochEnd(VOLUME, epoch, 1000 * epoch, (exec_, read, write, file_)))
        return story

    def line(self) -> bytes:
        return b"".join(encode_message(it, seq) for seq, it in enumerate(self.messages()))

    def write(self, path: Path, index: ImageIndex | None = None) -> Path:
        """Write a capture of this boot."""
        with path.open("xb", buffering=0) as file:
            _fill(CaptureWriter(file, index=index), self.line())
        return path

    def reader(self, index: ImageIndex | None = None) -> CaptureReader:
        """A capture of this boot, opened."""
        file = io.BytesIO()
        _fill(CaptureWriter(file, index=index), self.line())
        file.seek(0)
        return CaptureReader(file)


def _fill(writer: CaptureWriter, line: bytes) -> None:
    writer.line(line)
    writer.end(Ending.LINE_ENDED)
