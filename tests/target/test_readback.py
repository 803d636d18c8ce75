# SPDX-License-Identifier: MIT
"""All that is in an image, as the guest sees it: bytes, owners, modes, devices, pages from
flash."""

from __future__ import annotations

import os
import shutil
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from support.cramfs_cases import make_case
from target.booting import KERNELS, TINYPROF, Demo, leave_to_test_all
from target.readback import PROGRAM, expected, expected_of_root, see
from tinyprof.cramfs.kernel import KernelModel
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.pages import PAGE_SIZE

SEEDS = range(80)
CHOICES = {
    "all-compressed": [],
    "all-XIP": ["-X", "-X"],
    "hot-XIP": ["--profile", "boot.tprof"],
}
MIXED = "hot-XIP"
"""The choice that has pages of both kinds."""

STOCK: dict[KernelModel, tuple[str, ...]] = {"patched": (), "mainline": ("--stock",)}


@pytest.fixture(scope="module")
def tree(
    demo: Demo, guest: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The reference root filesystem and the program that reads it back."""
    top = tmp_path_factory.mktemp("readback") / "root"
    # No links: they change their files, which other tests read meanwhile.
    shutil.copytree(demo.folder / "rootfs", top, symlinks=True)
    shutil.copy(guest("readback"), top / "sbin/readback")
    return top


@pytest.mark.parametrize("version", KERNELS)
@pytest.mark.parametrize("kernel", STOCK)
@pytest.mark.parametrize("choice", CHOICES)
def test_the_reference_filesystem_reads_back_in_the_guest(
    tree: Path, demo: Demo, tmp_path: Path, choice: str, kernel: KernelModel, version: str
) -> None:
    if choice != MIXED:
        leave_to_test_all(version)
    image = tmp_path / "image"
    command: list[str | Path] = [
        *TINYPROF,
        "build",
        tree,
        image,
        "--kernel",
        kernel,
        *CHOICES[choice],
    ]
    subprocess.run(command, cwd=demo.folder, check=True, capture_output=True)
    (seen,) = see(image, (), "--version", version, *STOCK[kernel])
    assert seen == expected_of_root(Tree.from_directory(tree), image.read_bytes(), kernel, seen)


def small_root(folder: Path, program: Path) -> Path:
    """A tree with the program that reads back, and nothing else."""
    top = folder / "root"
    for name in ("dev", "mnt", "proc", "sbin"):
        (top / name).mkdir(parents=True)
    shutil.copy(program, top / PROGRAM[1:])
    return top


@pytest.mark.parametrize(
    ("model", "kernel"),
    [("patched", "patched"), ("mainline", "mainline"), ("mainline", "patched")],
)
def test_any_image_reads_back_in_the_guest(
    tmp_path: Path, guest: Callable[[str], Path], model: KernelModel, kernel: KernelModel
) -> None:
    """Random trees, plans and options, each a partition of one flash; `kernel` boots them."""
    top = small_root(tmp_path, guest("readback"))
    root = tmp_path / "root.cramfs"
    root.write_bytes(write_image(Tree.from_directory(top), {}, WriteOptions()).image)
    images, wanted = [], []
    for seed in SEEDS:
        case = make_case(seed, kernels=(model,))
        tree = case.tree()
        image = write_image(tree, case.plan, case.options).image
        images.append(tmp_path / f"{seed}.cramfs")
        images[-1].write_bytes(image)
        wanted.append(expected(tree, image, kernel))
    _, *seen = see(root, images, *STOCK[kernel])
    assert len(seen) == len(wanted)
    for seed, (volume, there) in enumerate(zip(seen, wanted, strict=True)):
        assert volume == there, f"seed {seed}"


def whole_last_page(folder: Path, program: Path) -> tuple[Path, Path]:
    """A tree with a file of two whole pages, and its image with both of them in place."""
    top = small_root(folder, program)
    (top / "two-pages").write_bytes(os.urandom(2 * PAGE_SIZE))
    image = folder / "image"
    image.write_bytes(
        write_image(Tree.from_directory(top), {"/two-pages": [0, 1]}, WriteOptions()).image
    )
    return top, image


@pytest.mark.parametrize("version", KERNELS)
def test_a_whole_last_page_in_place_is_read_by_our_kernel(
    tmp_path: Path, guest: Callable[[str], Path], version: str
) -> None:
    top, image = whole_last_page(tmp_path, guest("readback"))
    (seen,) = see(image, (), "--version", version)
    assert seen == expected_of_root(Tree.from_directory(top), image.read_bytes(), "patched", seen)
    assert seen["/two-pages"].in_place == 2


@pytest.mark.parametrize("version", KERNELS)
def test_a_stock_kernel_reads_a_whole_last_page_in_place_as_zeros(
    tmp_path: Path, guest: Callable[[str], Path], version: str
) -> None:
    """Why the writer refuses it for mainline kernels: the day this fails, it need not any more."""
    top, image = whole_last_page(tmp_path, guest("readback"))
    content = (top / "two-pages").read_bytes()
    (seen,) = see(image, (), "--version", version, "--stock")
    zeroed = content[:PAGE_SIZE] + bytes(PAGE_SIZE)
    assert (seen["/two-pages"].by_read, seen["/two-pages"].by_mmap) == (
        _crc(zeroed),
        _crc(content),
    )


def _crc(content: bytes) -> str:
    return f"{zlib.crc32(content):08x}"
