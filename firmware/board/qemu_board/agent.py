# SPDX-License-Identifier: MIT
"""The agent for the board: agent/ and the kernel tree's nolibc headers in, one small program
out."""

from __future__ import annotations

import subprocess
from pathlib import Path

from qemu_board.architecture import ARMHF
from qemu_board.cache import appearing, cache_root, key_of, locked
from qemu_board.errors import BoardError
from qemu_board.kernel import FIRMWARE, LINUX
from qemu_board.kernel_source import source_tree
from qemu_board.packages import need, version_of

AGENT = FIRMWARE.parent / "agent"
ABI = LINUX / "overlay/include/uapi/linux/cramfs_tinyprof.h"


def agent(version: str) -> Path:
    """The program, built if the cache has none of the same ingredients."""
    need(*ARMHF.tools, "make")
    sources = sorted(
        path for path in AGENT.iterdir() if path.suffix in (".c", ".h") or path.name == "Makefile"
    )
    words = [version, str(version_of(ARMHF.compiler)), *(source.name for source in sources)]
    folder = cache_root() / "agent" / key_of(words, [*sources, ABI])
    with locked("agent"):
        if not folder.exists():
            _build(version, folder)
    return folder / "tinyprof-agent"


def _build(version: str, folder: Path) -> None:
    nolibc = source_tree(version) / "tools/include/nolibc"
    with appearing(folder) as filling:
        words = [f"CROSS_COMPILE={ARMHF.cross}", f"NOLIBC={nolibc}", f"O={filling}"]
        command = ["make", "-s", "-C", str(AGENT), "target", *words]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            raise BoardError(f"the agent does not compile:\n{run.stderr.strip()}")
