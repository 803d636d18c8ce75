# SPDX-License-Identifier: MIT
"""A damaged image is read as far as it can be, and every fault is named."""

from __future__ import annotations

import random
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.cramfs_cases import Case, File
from tinyprof.cramfs.format import ImageError
from tinyprof.cramfs.reading.checker import check_image
from tinyprof.cramfs.reading.findings import Rule
from tinyprof.cramfs.reading.measure import measure
from tinyprof.cramfs.reading.reader import Image, open_image, read_image
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.pages import PAGE_SIZE

FILES = {
    "/abcd": File(b"first"),
    "/dir/inner": File(b"inner"),
    "/efgh": File(random.Random(1).randbytes(9 * PAGE_SIZE)),
}


@pytest.fixture
def image() -> bytearray:
    case = Case(0, files=dict(FILES), directories=["/dir"])
    return bytearray(write_image(case.tree(), {}, WriteOptions()).image)


def contents(image: Image) -> dict[str, bytes | None]:
    found: dict[str, bytes | None] = {}
    for entry in image.entries:
        if entry.has_content:
            try:
                found[entry.path] = image.read(entry)
            except ImageError:
                found[entry.path] = None
    return found


def bad_name(image: bytearray) -> None:
    at = image.index(b"abcd")
    image[at : at + 4] = b"a/cd"


def unknown_type(image: bytearray) -> None:
    at = image.index(b"abcd") - 12
    image[at + 1] |= 0xF0


@pytest.mark.parametrize("harm", [bad_name, unknown_type])
def test_an_entry_that_is_broken_is_left_out_and_named(
    image: bytearray, harm: Callable[[bytearray], None]
) -> None:
    harm(image)
    with pytest.raises(ImageError):
        read_image(bytes(image))
    salvaged = read_image(bytes(image), salvage=True)
    assert contents(salvaged) == {
        path: file.content for path, file in FILES.items() if path != "/abcd"
    }
    (damage,) = salvaged.damages
    assert damage.at == image.index(b"a/cd" if harm is bad_name else b"abcd") - 12
    assert salvaged.damage_count == 1


def test_a_directory_that_cannot_be_read_leaves_the_others(image: bytearray) -> None:
    at = image.index(b"dir\0") - 4
    struct.pack_into("<I", image, at, struct.unpack_from("<I", image, at)[0] & 63 | 0xFFFFFF << 6)
    salvaged = read_image(bytes(image), salvage=True)
    assert set(contents(salvaged)) == {"/abcd", "/efgh"}
    assert [damage.path for damage in salvaged.damages] == ["/dir"]


def test_a_dump_without_its_last_page_yields_the_rest(image: bytearray) -> None:
    short = image[: len(image) - PAGE_SIZE]
    with pytest.raises(ImageError, match="cut short"):
        read_image(bytes(short))
    salvaged = read_image(bytes(short), salvage=True)
    assert contents(salvaged) == {
        **{path: file.content for path, file in FILES.items()},
        "/efgh": None,
    }
    assert "cut short" in salvaged.damages[0].message
    assert measure(salvaged).unreadable == 1


@pytest.mark.parametrize(
    ("at", "word", "said"),
    [
        (4, 0xFFFFF000, "of 4294963200 bytes by its superblock"),
        (4, 0, "no room for the superblock"),
        (8, 0x80000003, "needs features 0x80000000"),
    ],
)
def test_a_superblock_that_cannot_be_right_is_named_and_read_nevertheless(
    image: bytearray, tmp_path: Path, at: int, word: int, said: str
) -> None:
    struct.pack_into("<I", image, at, word)
    with pytest.raises(ImageError, match=said):
        read_image(bytes(image))
    (tmp_path / "image").write_bytes(image)
    with pytest.raises(ImageError, match=said):
        open_image(tmp_path / "image")
    for salvaged in (
        read_image(bytes(image), salvage=True),
        open_image(tmp_path / "image", salvage=True),
    ):
        assert contents(salvaged) == {path: file.content for path, file in FILES.items()}
        assert said in salvaged.damages[0].message


def test_a_wrong_signature_is_all_that_salvage_refuses(image: bytearray) -> None:
    image[16] ^= 1
    with pytest.raises(ImageError, match="wrong signature"):
        read_image(bytes(image), salvage=True)


@pytest.mark.parametrize("block_size", [8192, 16384, 65536])
def test_blocks_of_other_pages_are_recognised_and_said(tmp_path: Path, block_size: int) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/small").write_bytes(b"small")
    (tmp_path / "root/text").write_bytes(b"".join(b"%d " % n for n in range(60_000)))
    words: list[str | Path] = [
        "mkfs.cramfs",
        "-b",
        str(block_size),
        tmp_path / "root",
        tmp_path / "image",
    ]
    subprocess.run(words, check=True, capture_output=True)
    image = (tmp_path / "image").read_bytes()
    said = f"its blocks have {block_size >> 10} KiB, not 4 KiB"
    with pytest.raises(ImageError, match=said):
        read_image(bytes(image))
    (finding,) = check_image(image).findings
    assert finding.rule is Rule.BLOCK_SIZE
    assert said in finding.message
    salvaged = read_image(bytes(image), salvage=True)
    assert [entry.path for entry in salvaged.entries] == ["/", "/small", "/text"]
    assert said in salvaged.damages[0].message


def test_a_damaged_file_is_no_other_block_size(image: bytearray) -> None:
    big = next(entry for entry in read_image(bytes(image)).entries if entry.path == "/efgh")
    struct.pack_into("<I", image, big.ino, 0xFFFFFF)
    assert read_image(bytes(image), salvage=True).damages == ()
