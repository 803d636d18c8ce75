# SPDX-License-Identifier: MIT
"""The agent for the board: agent/ and the kernel tree's nolibc headers in, one small program
out."""

from __future__ import annotations

import subprocess
from pathlib import Path

from qemu_board.architecture import ARMHF, Architecture
from qemu_board.cache import appearing, cache_root, key_of, locked
from qemu_board.errors import BoardError
from qemu_board.kernel import FIRMWARE, LINUX
from qemu_board.kernel_source import source_tree
from qemu_board.packages import need, version_of

AGENT = FIRMWARE.parent / "agent"
ABI = LINUX / "overlay/include/uapi/linux/cramfs_tinyprof.h"
STRIP = AGENT / "drop-sections"
"""The script that takes sections out of a program with an MMU."""

FLAT = (
    AGENT / "flat.ld",
    AGENT / "armv7m/arch.h",
    FIRMWARE / "board/flat",
    FIRMWARE / "board/qemu_board/flat.py",
)
"""Files that a program without an MMU is made with, beside the sources."""


def agent(version: str, machine: Architecture = ARMHF) -> Path:
    """The program, built if the cache has none of the same ingredients.

    It is built for 32-bit ARM, or for a machine without an MMU.
    """
    need(*ARMHF.tools, "make")
    sources = ingredients(machine)
    words = [version, str(version_of(ARMHF.compiler)), *(source.name for source in sources)]
    folder = cache_root() / "agent" / key_of(words, [*sources, ABI])
    with locked("agent"):
        if not folder.exists():
            _build(version, folder, machine)
    return folder / ("tinyprof-agent" if machine.mmu else "tinyprof-agent-nommu")


def ingredients(machine: Architecture) -> list[Path]:
    """The files of this repository that the program is made with, beside the kernel's header."""
    sources = [path for path in AGENT.iterdir() if path.suffix in (".c", ".h")]
    return sorted([*sources, AGENT / "Makefile", *((STRIP,) if machine.mmu else FLAT)])


def _build(version: str, folder: Path, machine: Architecture) -> None:
    target = ["nommu"]
    if machine.mmu:
        target = ["target", f"NOLIBC={source_tree(version) / 'tools/include/nolibc'}"]
    with appearing(folder) as filling:
        words = [*target, f"CROSS_COMPILE={ARMHF.cross}", f"O={filling}"]
        command = ["make", "-s", "-C", str(AGENT), *words]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            raise BoardError(f"the agent does not compile:\n{run.stderr.strip()}")
