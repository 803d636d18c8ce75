# SPDX-License-Identifier: MIT
"""The agent is built with one folder of a kernel tree and nothing else of it (docs/porting.md)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from qemu_board.kernel_source import archive_at_hand, source_tree

ROOT = Path(__file__).resolve().parents[2]
GCC = "arm-linux-gnueabihf-gcc"


@pytest.mark.parametrize("version", ["6.1", "6.12"])
@pytest.mark.skipif(not shutil.which(GCC), reason=f"no {GCC}")
def test_the_folder_nolibc_of_a_tree_is_enough(version: str, tmp_path: Path) -> None:
    if not archive_at_hand(version):
        pytest.skip(f"no linux-source-{version}")
    folder = tmp_path / "nolibc"
    shutil.copytree(source_tree(version) / "tools/include/nolibc", folder)
    subprocess.run(
        [
            *("make", "-s", "-C", ROOT / "agent", "target"),
            "CROSS_COMPILE=arm-linux-gnueabihf-",
            f"NOLIBC={folder}",
            f"O={tmp_path}/out",
        ],
        check=True,
    )
    assert (tmp_path / "out/tinyprof-agent").read_bytes().startswith(b"\x7fELF")
