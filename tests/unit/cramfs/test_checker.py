# SPDX-License-Identifier: MIT
"""Each thing that can be wrong with an image is found, at its place, and nothing else is."""

from __future__ import annotations

import random
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tinyprof.cramfs.kernel import KernelModel
from tinyprof.cramfs.reading.checker import check_image
from tinyprof.cramfs.reading.directory import Entry
from tinyprof.cramfs.reading.findings import Rule
from tinyprof.cramfs.reading.reader import Image, read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.pages import PAGE_SIZE

SEED = 20261124


@pytest.fixture
def top(tmp_path: Path) -> Path:
    rng = random.Random(SEED)
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "noise").write_bytes(rng.randbytes(3 * PAGE_SIZE + 100))
    (root / "bin" / "text").write_bytes(b"all the same " * 2_000)
    (root / "bin" / "whole").write_bytes(rng.randbytes(2 * PAGE_SIZE))
    (root / "link").symlink_to("bin/text")
    return root


def build(top: Path, plan: dict[str, list[int]] | None = None) -> bytearray:
    return bytearray(write_image(Tree.from_directory(top), plan or {}, WriteOptions()).image)


def sealed(image: bytearray) -> bytes:
    """The image with the CRC that it now has, so that only the fault itself is found."""
    image[32:36] = bytes(4)
    struct.pack_into("<I", image, 32, zlib.crc32(image))
    return bytes(image)


def entry_of(image: Image, path: str) -> Entry:
    return next(entry for entry in image.entries if entry.path == path)


def put(image: bytearray, at: int, word: int) -> None:
    struct.pack_into("<I", image, at, word)


def word(image: bytearray, at: int) -> int:
    return int(struct.unpack_from("<I", image, at)[0])


Fault = Callable[[bytearray, Image], object]


def pointer_backwards(image: bytearray, parsed: Image) -> None:
    put(image, entry_of(parsed, "/bin/noise").ino + 4, 80)


def pointer_outside(image: bytearray, parsed: Image) -> None:
    put(image, entry_of(parsed, "/bin/noise").ino + 12, len(image) + 4)


def raw_without_flag(image: bytearray, parsed: Image) -> None:
    # The block is long enough to be read as a raw one.
    at = entry_of(parsed, "/bin/text").ino
    put(image, at, word(image, at) | 1 << 31)


def garbled_page(image: bytearray, parsed: Image) -> None:
    image[parsed.blocks(entry_of(parsed, "/bin/noise"))[1].offset] ^= 0xFF


def shortened_page(image: bytearray, parsed: Image) -> None:
    block = parsed.blocks(entry_of(parsed, "/bin/noise"))[1]
    page = zlib.compress(b"short")
    image[block.offset : block.offset + len(page)] = page


def tables_in_one_another(image: bytearray, parsed: Image) -> None:
    text, whole = entry_of(parsed, "/bin/text"), entry_of(parsed, "/bin/whole")
    put(image, whole.at + 8, word(image, whole.at + 8) & 63 | (text.ino + 4 >> 2) << 6)


def swapped_names(image: bytearray, parsed: Image) -> None:
    noise, text = entry_of(parsed, "/bin/noise").at + 12, entry_of(parsed, "/bin/text").at + 12
    image[noise : noise + 4], image[text : text + 4] = b"zzzz", image[noise : noise + 4]


def name_twice(image: bytearray, parsed: Image) -> None:
    at = entry_of(parsed, "/bin/whole").at + 12
    image[at : at + 8] = b"text\0\0\0\0"


def slash_in_name(image: bytearray, parsed: Image) -> None:
    image[entry_of(parsed, "/bin/text").at + 13] = ord("/")


def unknown_type(image: bytearray, parsed: Image) -> None:
    at = entry_of(parsed, "/bin/text").at
    put(image, at, word(image, at) | 0xF000)


def cycle(image: bytearray, parsed: Image) -> None:
    root, child = entry_of(parsed, "/"), entry_of(parsed, "/bin")
    put(image, child.at + 8, word(image, child.at + 8) & 63 | (root.ino >> 2) << 6)


def moved_root(image: bytearray, parsed: Image) -> None:
    put(image, 72, entry_of(parsed, "/bin").ino >> 2 << 6)


def twin_with_another_mode(image: bytearray, parsed: Image) -> None:
    text, whole = entry_of(parsed, "/bin/text"), entry_of(parsed, "/bin/whole")
    put(image, whole.at + 4, word(image, text.at + 4))
    put(image, whole.at + 8, word(image, whole.at + 8) & 63 | (text.ino >> 2) << 6)
    put(image, whole.at, word(image, text.at) | 0o4000)


def long_link(image: bytearray, parsed: Image) -> None:
    at = entry_of(parsed, "/link").at + 4
    put(image, at, 5_000)


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        (pointer_backwards, Rule.BLOCKS),
        (pointer_outside, Rule.BLOCKS),
        (raw_without_flag, Rule.FLAGS),
        (garbled_page, Rule.DATA),
        (shortened_page, Rule.DATA),
        (tables_in_one_another, Rule.OVERLAP),
        (swapped_names, Rule.ORDER),
        (name_twice, Rule.TWICE),
        (slash_in_name, Rule.DIRECTORY),
        (unknown_type, Rule.DIRECTORY),
        (cycle, Rule.DIRECTORY),
        (moved_root, Rule.ROOT),
        (long_link, Rule.SYMLINK),
        (twin_with_another_mode, Rule.IDENTITY),
    ],
)
def test_a_fault_is_found(top: Path, fault: Fault, rule: Rule) -> None:
    image = build(top)
    fault(image, read_image(bytes(image)))
    report = check_image(sealed(image))
    assert rule in {finding.rule for finding in report.findings if finding.error}
    assert Rule.CRC not in {finding.rule for finding in report.findings}


def test_a_changed_byte_is_found_by_the_crc(top: Path) -> None:
    image = build(top)
    image[-1] ^= 1
    assert [finding.rule for finding in check_image(bytes(image)).findings] == [Rule.CRC]


def test_a_superblock_that_counts_less_blocks_than_there_are_pages_is_warned_of(top: Path) -> None:
    image = build(top)
    put(image, 40, word(image, 40) - 1)
    report = check_image(sealed(image))
    assert [finding.rule for finding in report.findings] == [Rule.COUNT]
    assert report.errors == 0


def test_what_is_no_image_at_all_is_one_finding() -> None:
    (finding,) = check_image(b"no image").findings
    assert finding.rule is Rule.SUPERBLOCK
    assert finding.error


@pytest.mark.parametrize(("kernel", "errors"), [("patched", 0), ("mainline", 1), ("nommu", 1)])
def test_a_whole_last_page_in_place_is_an_error_for_a_kernel_that_reads_zeros(
    top: Path, kernel: KernelModel, errors: int
) -> None:
    report = check_image(bytes(build(top, {"/bin/whole": [0, 1]})), kernel)
    assert [finding.rule for finding in report.findings] == [Rule.LAST_PAGE]
    assert report.errors == errors


def test_a_name_too_near_to_the_end_is_found(tmp_path: Path) -> None:
    for number in range(190):
        (tmp_path / f"{number:08}").touch()
    image = bytearray(write_image(Tree.from_directory(tmp_path), {}, WriteOptions()).image)
    end = 76 + 190 * 20
    put(image, 4, end)
    assert Rule.END in {finding.rule for finding in check_image(sealed(image[:end])).findings}


def test_images_of_util_linux_are_clean(top: Path, tmp_path: Path) -> None:
    image = tmp_path / "image"
    subprocess.run(["mkfs.cramfs", top, image], check=True)
    assert check_image(image.read_bytes()).findings == ()


def test_an_image_inside_a_flash_dump_is_found(top: Path) -> None:
    dump = bytes(12_345) + bytes(build(top)) + b"\xff" * 999
    assert check_image(dump, offset=12_345).findings == ()
    (finding,) = check_image(dump).findings
    assert "12345" in finding.message
