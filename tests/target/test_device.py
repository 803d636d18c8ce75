# SPDX-License-Identifier: MIT
"""/dev/tinyprof used by itself, and while the volume is an image that nobody should trust."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from target.booting import KERNELS, boot, pattern_image
from tinyprof.pages import PAGE_SIZE

INODE = struct.Struct("<III")
LONGER_PAGES = 64


def inode_before(image: bytes | bytearray, name: str) -> int:
    """The place of the inode whose name follows it, padded with zeros, in a directory of the
    image."""
    padded = name.encode().ljust((len(name) + 3) & ~3, b"\0")
    found = image.index(padded) - INODE.size
    assert INODE.unpack_from(image, found)[2] & 0x3F == len(padded) >> 2
    return found


def with_page_ids_taken_twice(image: bytearray) -> bytes:
    """/longer begins at the very inode of /empty, whose number is one more than that."""
    empty, longer = inode_before(image, "empty"), inode_before(image, "longer")
    mode, gid_size, offset_namelen = INODE.unpack_from(image, longer)
    size = LONGER_PAGES * PAGE_SIZE
    INODE.pack_into(
        image, longer, mode, gid_size & 0xFF000000 | size, empty >> 2 << 6 | offset_namelen & 0x3F
    )
    return bytes(image)


@pytest.mark.parametrize("version", KERNELS)
def test_the_device_does_as_its_header_says(
    tmp_path: Path, guest: Callable[[str], Path], version: str
) -> None:
    files = {"empty": tmp_path / "none", "longer": tmp_path / "some"}
    files["empty"].write_bytes(b"")
    files["longer"].write_bytes(b"some")
    image = pattern_image(tmp_path, guest("device"), [], files)
    image.write_bytes(with_page_ids_taken_twice(bytearray(image.read_bytes())))
    console = boot(image, "--version", version, "--append", "cramfs.tinyprof=1")
    assert re.findall(r"^bad .*$", console, re.MULTILINE) == []
    assert "good all is told anew to who asks" in console
    assert "good a longer file gets no shorter one's ranks" in console
    assert "good the next reader gets what that one did not" in console
    assert "good each page has its own number again" in console
    assert "device done" in console
