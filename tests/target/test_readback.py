# SPDX-License-Identifier: MIT
"""Every file of the reference root filesystem, read and mapped inside the guest, byte for byte."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from target.booting import TINYPROF, Demo, boot
from tinyprof.cramfs import PAGE_SIZE, Tree, WriteOptions, write_image

LINE = re.compile(r"^file (\w{8}) (\w{8}) (\d+) (.*)$", re.MULTILINE)
CHOICES = {
    "all-compressed": [],
    "all-XIP": ["-X", "-X"],
    "hot-XIP": ["--profile", "boot.tprof"],
}


@pytest.fixture(scope="module")
def tree(demo: Demo, guest: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference root filesystem and the program that reads it back."""
    top = tmp_path_factory.mktemp("readback") / "root"
    shutil.copytree(demo.folder / "rootfs", top, symlinks=True, copy_function=os.link)
    shutil.copy(guest("readback"), top / "sbin/readback")
    return top


def read_back(image: Path, *words: str) -> dict[str, tuple[str, str, int]]:
    """By path: CRC-32 of what read() gave, of what mmap() gave, and the size."""
    console = boot(image, "--append", "init=/sbin/readback quiet", *words)
    assert "readback done" in console
    assert re.findall(r"^failed .*$", console, re.MULTILINE) == []
    return {path: (read, mapped, int(size)) for read, mapped, size, path in LINE.findall(console)}


def on_the_host(top: Path) -> dict[str, tuple[str, str, int]]:
    files = [path for path in top.rglob("*") if path.is_file() and not path.is_symlink()]
    return {f"/{path.relative_to(top)}": _facts(path.read_bytes()) for path in files}


def _facts(content: bytes) -> tuple[str, str, int]:
    crc = f"{zlib.crc32(content):08x}"
    return crc, crc, len(content)


@pytest.mark.parametrize("kernel", ["patched", "mainline"])
@pytest.mark.parametrize("choice", CHOICES)
def test_every_file_reads_back_in_the_guest(
    tree: Path, demo: Demo, tmp_path: Path, choice: str, kernel: str
) -> None:
    image = tmp_path / "image"
    command: list[str | Path] = [*TINYPROF, "build", tree, image, "--kernel", kernel, *CHOICES[choice]]
    subprocess.run(command, cwd=demo.folder, check=True, capture_output=True)
    assert read_back(image, *(["--stock"] if kernel == "mainline" else [])) == on_the_host(tree)


def whole_last_page(folder: Path, program: Path) -> tuple[Path, Path]:
    """A tree with a file of two whole pages, and its image with both of them in place."""
    top = folder / "root"
    for name in ("dev", "sbin"):
        (top / name).mkdir(parents=True)
    (top / "two-pages").write_bytes(os.urandom(2 * PAGE_SIZE))
    shutil.copy(program, top / "sbin/readback")
    image = folder / "image"
    image.write_bytes(write_image(Tree.from_directory(top), {"/two-pages": [0, 1]}, WriteOptions()).image)
    return top, image


def test_a_whole_last_page_in_place_is_read_by_our_kernel(
    tmp_path: Path, guest: Callable[[str], Path]
) -> None:
    top, image = whole_last_page(tmp_path, guest("readback"))
    assert read_back(image) == on_the_host(top)


def test_a_stock_kernel_reads_a_whole_last_page_in_place_as_zeros(
    tmp_path: Path, guest: Callable[[str], Path]
) -> None:
    """Why the writer refuses it for mainline kernels: the day this fails, it need not any more."""
    top, image = whole_last_page(tmp_path, guest("readback"))
    content = (top / "two-pages").read_bytes()
    zeroed = f"{zlib.crc32(content[:PAGE_SIZE] + bytes(PAGE_SIZE)):08x}"
    read, mapped, _ = read_back(image, "--stock")["/two-pages"]
    assert (read, mapped) == (zeroed, _facts(content)[1])
