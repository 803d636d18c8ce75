# SPDX-License-Identifier: MIT
"""Faults of the kernel itself that our series mends, each shown on the stock kernel too.

The day a test of a stock kernel fails, that kernel has been mended, and the patch need not be
carried for it any more.
"""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from target.booting import KERNELS, PAGES, PATTERN, TINYPROF, boot, pattern_image, pattern_of
from tinyprof.pages import PAGE_SIZE

PATCHED = ()
STOCK = ("--stock",)
EIO, EFAULT, ENOSYS = 5, 14, 38
SECRET = b"\x5a"
DIRECT_UNCOMPRESSED = 3 << 30
IN_PLACE_FIRST = range(PAGES // 2)
"""A mapping that is partly in place on a stock kernel too."""


def numbers(console: str, name: str) -> list[int]:
    """The numbers of the line that begins with a name."""
    found = re.search(rf"^{name}((?: \d+)+)", console, re.MULTILINE)
    assert found, console[-500:]
    return [int(word) for word in found[1].split()]


@pytest.mark.parametrize("version", KERNELS)
@pytest.mark.parametrize(("kernel", "size"), [(PATCHED, PAGE_SIZE), (STOCK, 1)])
def test_stdio_reads_a_page_at_a_time_on_our_kernel(
    tmp_path: Path,
    guest: Callable[[str], Path],
    kernel: tuple[str, ...],
    size: int,
    version: str,
) -> None:
    image = pattern_image(tmp_path, guest("stdio"), [])
    console = boot(image, "--version", version, *kernel)
    assert "stdio done" in console
    assert numbers(console, "blksize") == [size]
    microseconds = numbers(console, "stdio")[0]
    assert (microseconds < len(PATTERN)) == (size == PAGE_SIZE)


@pytest.mark.parametrize("version", KERNELS)
def test_a_debugger_never_destroys_a_page_in_place(
    tmp_path: Path, guest: Callable[[str], Path], version: str
) -> None:
    image = pattern_image(tmp_path, guest("remote"), IN_PLACE_FIRST)
    console = boot(image, "--version", version)
    assert "remote done" in console
    assert "mm/memory.c" not in console
    assert "bad before" not in console
    assert numbers(console, "poke") == [EIO, 0]
    assert numbers(console, "mem") == [EIO, 0]
    assert numbers(console, "writev") in ([EFAULT, 0], [ENOSYS, 0])
    # What a process maps while it is traced, or while the switch is off, is in the page cache.
    assert numbers(console, "traced") == [0, 0]
    assert numbers(console, "switched") == [0, 0]


@pytest.mark.parametrize("version", KERNELS)
def test_a_debugger_destroys_a_page_in_place_on_a_stock_kernel(
    tmp_path: Path, guest: Callable[[str], Path], version: str
) -> None:
    image = pattern_image(tmp_path, guest("remote"), IN_PLACE_FIRST)
    console = boot(image, "--version", version, *STOCK)
    error, wrong = numbers(console, "poke")
    assert error == 0
    assert wrong > PAGE_SIZE // 2


def with_pointers_beyond_the_end(image: Path) -> Path:
    """All blocks of /pattern in place, but behind the image, where something secret is."""
    data = bytearray(image.read_bytes())
    size = len(data)
    assert size % PAGE_SIZE == 0
    pointers = pattern_of(image).page_id(0) << 2
    for page in range(PAGES):
        block = DIRECT_UNCOMPRESSED | (size + page * PAGE_SIZE) >> 2
        struct.pack_into("<I", data, pointers + 4 * page, block)
    # The last page may be shown only if nothing but zeros is behind the file's end.
    last = len(PATTERN) % PAGE_SIZE
    secret = SECRET * (PAGE_SIZE * (PAGES - 1) + last) + bytes(PAGE_SIZE - last)
    crafted = image.with_name("crafted")
    crafted.write_bytes(data + secret)
    return crafted


@pytest.mark.parametrize("version", KERNELS)
@pytest.mark.parametrize(
    ("kernel", "seen"), [(PATCHED, [0, 0, 0]), (STOCK, [PAGES // 2, PAGES, PAGES - 1])]
)
def test_nothing_behind_the_image_is_seen_on_our_kernel(
    tmp_path: Path,
    guest: Callable[[str], Path],
    kernel: tuple[str, ...],
    seen: list[int],
    version: str,
) -> None:
    image = pattern_image(tmp_path, guest("beyond"), range(PAGES))
    console = boot(with_pointers_beyond_the_end(image), "--version", version, *kernel)
    assert "beyond done" in console
    assert [int(pages) for pages in re.findall(r"^beyond (\d+)", console, re.MULTILINE)] == seen


def test_image_check_names_pointers_behind_the_image(
    tmp_path: Path, guest: Callable[[str], Path]
) -> None:
    image = pattern_image(tmp_path, guest("beyond"), range(PAGES))
    crafted = with_pointers_beyond_the_end(image)
    run = subprocess.run(
        [*TINYPROF, "image", "check", crafted], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "/pattern: page 0 is stored outside the image" in run.stdout
