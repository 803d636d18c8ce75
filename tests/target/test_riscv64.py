# SPDX-License-Identifier: MIT
"""Why code of RISC-V programs stays in RAM: a stock riscv64 kernel crashes when it maps it from
flash. Ours does not.

If the second test is skipped, a kernel has learned it: tinyprof.cramfs.maps_no_code() has to be
asked less.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from target.booting import BOARD, at_hand, boot
from target.splitting import GUEST
from tinyprof.cramfs.kernel import KernelModel
from tinyprof.cramfs.programs import executable_pages
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image

RISCV64 = ("--arch", "riscv64", "--stock")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A program as init, and the file that it maps."""
    top = tmp_path_factory.mktemp("riscv64")
    for name in ("dev", "proc", "sbin"):
        (top / name).mkdir()
    (top / "pattern").write_bytes(b"".join(bytes([page + 1]) * 4096 for page in range(40))[:-1000])
    flags = ["-O2", "-static", "-Wall", "-Wextra", "-Werror"]
    init = top / "sbin/init"
    subprocess.run(["riscv64-linux-gnu-gcc", *flags, "-o", init, GUEST / "mappings.c"], check=True)
    return Tree.from_directory(top)


def image_for(
    kernel: KernelModel, tree: Tree, folder: Path, *, riscv_code: bool = False
) -> tuple[Path, int]:
    """An image with all pages of programs in place that such a kernel takes, and how many these
    are."""
    plan = {node.path: executable_pages(node) for node in tree.files()}
    written = write_image(tree, plan, WriteOptions(kernel=kernel, riscv_code=riscv_code))
    path = folder / "image"
    path.write_bytes(written.image)
    return path, written.xip_pages


def test_an_image_as_it_is_built_runs(tree: Tree, tmp_path: Path) -> None:
    image, in_place = image_for("mainline", tree, tmp_path)
    assert in_place == 0
    console = boot(image, *RISCV64)
    assert "mappings done" in console
    assert "\nbad " not in console


def test_code_in_place_crashes_the_kernel(tree: Tree, tmp_path: Path) -> None:
    # An image for a system without an MMU is not refused, so it shows the crash.
    image, in_place = image_for("nommu", tree, tmp_path)
    assert in_place > 50
    command: list[str | Path] = [BOARD, "run", image, "--icount", "--timeout", "600", *RISCV64]
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if "mappings done" in run.stdout:
        pytest.skip("this kernel maps code from flash")
    assert run.returncode == 1
    assert "the guest's kernel panicked" in run.stderr
    assert "Unable to handle kernel" in run.stdout
    assert "good " not in run.stdout


@pytest.mark.parametrize("version", [pytest.param("6.1", marks=at_hand("6.1", "riscv64"))])
def test_code_in_place_runs_on_our_kernel(tree: Tree, tmp_path: Path, version: str) -> None:
    image, in_place = image_for("patched", tree, tmp_path, riscv_code=True)
    assert in_place > 50
    console = boot(image, "--arch", "riscv64", "--version", version)
    assert "mappings done" in console
    assert "\nbad " not in console
