# SPDX-License-Identifier: MIT
"""The agent for a machine, built once for the same ingredients and kept in the cache."""

from __future__ import annotations

import subprocess
from pathlib import Path

from qemu_board.agent import ABI, AGENT, ingredients
from qemu_board.architecture import ARMHF
from qemu_board.cache import appearing, cache_root, key_of, locked
from qemu_board.kernel_source import archive, source_tree

VERSION = "6.1"
"""The kernel whose nolibc it is built with."""


def agent_program(cross: str, sources: str = "all", mode: str = "") -> Path:
    """The agent built by the compiler of that prefix. `mode` replaces the Makefile's MODE."""
    compiler = subprocess.run(
        [f"{cross}gcc", "--version"], capture_output=True, text=True, check=True
    ).stdout
    files = ingredients(ARMHF)
    words = [cross, sources, mode, compiler, archive(VERSION).package_version]
    key = key_of([*words, *(file.name for file in files)], [Path(__file__), *files, ABI])
    folder = cache_root() / "agent" / key
    with locked("agent"):
        if not folder.exists():
            nolibc = source_tree(VERSION) / "tools/include/nolibc"
            with appearing(folder) as filling:
                command = ["make", "-s", "-C", str(AGENT), "target", f"CROSS_COMPILE={cross}"]
                command += [f"NOLIBC={nolibc}", f"O={filling}", f"SOURCES={sources}"]
                subprocess.run([*command, *([f"MODE={mode}"] if mode else [])], check=True)
    return folder / "tinyprof-agent"
