# SPDX-License-Identifier: MIT
"""The heavier root filesystem: it fits the flash with everything in place, and its workload is
done."""

from __future__ import annotations

import subprocess
from pathlib import Path

from target.booting import TINYPROF, board, boot

FLASH = 64 << 20


def test_the_heavier_workload_ends_on_a_stock_kernel_with_all_programs_in_place(
    tmp_path: Path,
) -> None:
    rootfs, image = tmp_path / "rootfs", tmp_path / "image"
    board("rootfs", rootfs, "--recipe", "heavier")
    build = [*TINYPROF, "build", "-q", "-X", "-X"]
    subprocess.run([*build, rootfs, image], check=True, capture_output=True)
    assert image.stat().st_size <= FLASH
    assert "report workload done" in boot(image, "--stock", "--append", "WORKLOAD_ROUNDS=1")
