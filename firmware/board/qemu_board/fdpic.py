# SPDX-License-Identifier: MIT
"""A linker for FDPIC, the ELF programs whose segments are mapped apart from each other: Debian's
binutils-source in, one program out.

Debian's compiler writes FDPIC objects for ARM, and Debian's own linker does not link them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from qemu_board.cache import appearing, cache_root, key_of, locked
from qemu_board.packages import download, need, unpack_package
from qemu_board.tool import output_of

PACKAGE = "binutils-source"
TARGET = "arm-uclinuxfdpiceabi"
EMULATION = "armelf_linux_fdpiceabi"
"""The word behind the linker's -m."""

LEFT_OUT = (
    *("gas", "binutils", "gold", "gprof", "gprofng", "gdb", "gdbserver", "sim", "libctf"),
    *("plugins", "nls", "werror", "shared", "libdecnumber", "readline"),
)
"""Parts of binutils that a linker does without."""


def linker() -> Path:
    """The linker, built if the cache has none: that takes some minutes. Raises BoardError."""
    need("gcc", "libc6-dev", "make", "flex", "bison", "xz-utils")
    folder = cache_root() / "fdpic" / key_of([TARGET, *LEFT_OUT])
    with locked("fdpic"):
        if not folder.exists():
            _build(folder)
    return folder / "ld"


def _build(folder: Path) -> None:
    architecture = _run(["dpkg", "--print-architecture"], Path.cwd()).strip()
    print("board: building a linker for FDPIC; this takes minutes", file=sys.stderr, flush=True)
    with appearing(folder) as filling:
        state = cache_root() / "apt" / architecture
        (package,) = download([PACKAGE], architecture, state, filling)
        unpack_package(package, filling / "package")
        (archive,) = (filling / "package/usr/src/binutils").glob("binutils-*.tar.*")
        objects = filling / "objects"
        for name in ("source", "objects"):
            (filling / name).mkdir()
        _run(["tar", "-x", "--strip-components=1", "-C", "source", "-f", str(archive)], filling)
        words = [f"--disable-{name}" for name in LEFT_OUT]
        words += [f"--target={TARGET}", "--without-zstd", "MAKEINFO=true", "CFLAGS=-O1"]
        _run(["../source/configure", *words], objects)
        jobs = len(os.sched_getaffinity(0))
        _run(["make", f"-j{jobs}", "all-ld", "MAKEINFO=true"], objects)
        (objects / "ld/ld-new").rename(filling / "ld")
        _run(["rm", "-r", "source", "objects", "package", package.name], filling)


def _run(command: list[str], folder: Path) -> str:
    fault = f"{command[0]} failed while a linker for FDPIC was built"
    return output_of(command, fault, folder=folder)
