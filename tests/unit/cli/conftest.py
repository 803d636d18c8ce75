# SPDX-License-Identifier: MIT
"""What the commands' tests share: a whole capture and an image on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyprof.capture.format import Ending
from tinyprof.capture.index import ImageIndex
from tinyprof.capture.writer import CaptureWriter
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.wire.frames import encode_message
from tinyprof.wire.messages import Message


@pytest.fixture
def capture(tmp_path: Path, story: list[Message], index: ImageIndex) -> Path:
    path = tmp_path / "it.tpcap"
    with path.open("xb", buffering=0) as file:
        writer = CaptureWriter(file, index=index)
        for seq, message in enumerate(story):
            writer.line(encode_message(message, seq))
        writer.end(Ending.LINE_ENDED)
    return path


@pytest.fixture
def image_file(tmp_path: Path, rootfs: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(write_image(Tree.from_directory(rootfs), {}, WriteOptions()).image)
    return path
