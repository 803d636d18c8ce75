# SPDX-License-Identifier: MIT
"""One small target for all tests: a root filesystem of one program, its image, and what it
says."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tinyprof.capture.format import Ending
from tinyprof.capture.index import ImageIndex
from tinyprof.capture.reader import CaptureReader
from tinyprof.capture.writer import CaptureWriter
from tinyprof.cramfs.format import EntryKind
from tinyprof.cramfs.reading.reader import Image, read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.pages import PAGE_SIZE, Kind
from tinyprof.rootfs.indexing import index_image
from tinyprof.wire.frames import encode_message
from tinyprof.wire.messages import EpochEnd, Hello, Message, Pages, Volume

MakeCapture = Callable[..., CaptureReader]


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    top = tmp_path / "root"
    top.mkdir()
    (top / "program").write_bytes(random.Random(20261124).randbytes(8 * PAGE_SIZE))
    return top


@pytest.fixture
def image(rootfs: Path) -> Image:
    return read_image(write_image(Tree.from_directory(rootfs), {}, WriteOptions()).image)


@pytest.fixture
def index(image: Image) -> ImageIndex:
    return index_image(image)


@pytest.fixture
def program_ids(image: Image) -> list[int]:
    """The page ids of /program."""
    (program,) = (entry for entry in image.entries if entry.kind is EntryKind.FILE)
    return [program.page_id(index) for index in range(8)]


@pytest.fixture
def hello(image: Image) -> Hello:
    volume = Volume(0, image.superblock.fsid, image.superblock.size, "Compressed", True)
    return Hello(1, "0.1.0", "6.1.192", "armv7l", PAGE_SIZE, b"1st boot", 1000, 1, (volume,))


@pytest.fixture
def story(hello: Hello, program_ids: list[int]) -> list[Message]:
    """One epoch: page 0 read by read(), 3 executed and read by read(), 5 copied for writing."""
    ids = tuple(program_ids[index] for index in (0, 3, 3, 5))
    kinds = bytes([Kind.FILE, Kind.EXEC, Kind.FILE, Kind.WRITE])
    return [hello, Pages(0, 1, 5, ids, kinds), EpochEnd(0, 1, 9, (1, 0, 1, 2))]


@pytest.fixture
def capture_of() -> MakeCapture:
    def make(messages: Iterable[Message], index: ImageIndex | None = None) -> CaptureReader:
        file = io.BytesIO()
        writer = CaptureWriter(file, index=index)
        writer.line(b"".join(encode_message(message, seq) for seq, message in enumerate(messages)))
        writer.end(Ending.LINE_ENDED)
        file.seek(0)
        return CaptureReader(file)

    return make
