# SPDX-License-Identifier: MIT
"""Of a file no more is read than its image has, and a dump is searched to its end in pieces."""

from __future__ import annotations

import os
import struct
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from support.cost import peak_memory
from support.cramfs_cases import Case, File
from tinyprof.cramfs.format import IMAGE_MAX, ImageError
from tinyprof.cramfs.reading import dump
from tinyprof.cramfs.reading.dump import find_images, read_image_bytes
from tinyprof.cramfs.reading.reader import open_image, read_image
from tinyprof.cramfs.writing.writer import WriteOptions, write_image

OPTIONS = WriteOptions()


def image_of(options: WriteOptions = OPTIONS) -> bytes:
    case = Case(0, files={"/file": File(b"content" * 1000)})
    return write_image(case.tree(), {}, options).image


def test_only_the_bytes_of_the_image_are_read(tmp_path: Path) -> None:
    image = image_of()
    with (tmp_path / "dump").open("wb") as file:
        file.seek(70_000)
        file.write(image)
        file.truncate(3 << 30)
    read: list[bytes] = []
    peak = peak_memory(lambda: read.append(read_image_bytes(tmp_path / "dump", 70_000)))
    assert read == [image]
    assert peak < 16 << 20
    opened = open_image(tmp_path / "dump", 70_000)
    assert opened.read(opened.entries[1]) == b"content" * 1000


def test_places_are_named_from_the_begin_of_the_dump(tmp_path: Path) -> None:
    first, second = 5_000, 9 << 20
    data = bytearray(b"\xff" * (second + 50_000))
    for at in (first, second):
        data[at : at + len(image_of())] = image_of()
    (tmp_path / "dump").write_bytes(data)
    for offset in (0, 4_096, 8 << 20):
        with pytest.raises(ImageError, match=f"one at byte {first}, {second}: use --offset"):
            read_image(bytes(data), offset)
        with pytest.raises(ImageError, match=f"one at byte {first}, {second}: use --offset"):
            open_image(tmp_path / "dump", offset)


@pytest.mark.parametrize("shift", range(-100, 100, 7))
def test_an_image_on_the_edge_of_a_piece_is_found(
    monkeypatch: pytest.MonkeyPatch, shift: int
) -> None:
    monkeypatch.setattr(dump, "PIECE", 1 << 16)
    at = (1 << 16) + shift
    assert find_images(b"\xff" * at + image_of() + b"\xff" * 99_999) == [at]


@pytest.mark.parametrize("insert", [b"", b"a kernel" * 100])
def test_padding_belongs_to_the_image_that_is_found(insert: bytes) -> None:
    padded = image_of(replace(OPTIONS, pad=True, insert=insert))
    assert find_images(b"\xff" * 12_345 + padded + b"\xff" * 9) == [12_345]


def test_a_device_without_an_end_is_not_searched() -> None:
    with pytest.raises(ImageError, match="no magic number"):
        read_image_bytes(Path("/dev/zero"))
    with pytest.raises(ImageError, match="no magic number"):
        read_image_bytes(Path("/dev/zero"), 1 << 20)


def test_a_size_that_no_image_has_is_refused_before_it_is_read(tmp_path: Path) -> None:
    image = bytearray(image_of())
    struct.pack_into("<I", image, 4, IMAGE_MAX + 1)
    with (tmp_path / "dump").open("wb") as file:
        file.write(image)
        file.truncate(3 << 30)
    with pytest.raises(ImageError, match=f"of {IMAGE_MAX + 1} bytes by its superblock"):
        read_image_bytes(tmp_path / "dump")


def test_a_disk_that_fails_is_named() -> None:
    """Reading this file always fails: nothing is mapped at its begin."""
    with pytest.raises(OSError, match="/proc/self/mem"):
        read_image_bytes(Path("/proc/self/mem"))


def test_an_image_comes_through_a_pipe(tmp_path: Path) -> None:
    image = image_of()
    os.mkfifo(tmp_path / "pipe")
    feeder = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(b"x" * 999 + image))
    feeder.start()
    try:
        assert read_image_bytes(tmp_path / "pipe", 999) == image
    finally:
        feeder.join()
