# SPDX-License-Identifier: MIT
"""Real ELF files, of Debian packages: fetched once, kept in the cache, nothing of them
installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from qemu_board.cache import appearing, cache_root, key_of, locked
from qemu_board.packages import download

PACKAGES: dict[str, tuple[str, ...]] = {
    # Shared libraries, PIE, static executables of glibc, and musl, which Debian has for these.
    "armhf": (
        "busybox-static",
        "musl",
        "libc6",
        "libstdc++6",
        "libgcc-s1",
        "dash",
        "libsqlite3-0",
        "grep",
    ),
    "arm64": ("busybox-static", "musl", "libc6", "libstdc++6", "coreutils"),
    # libc-bin brings a static PIE; libc6 and coreutils run here. The others are for machines of
    # other classes and byte orders: riscv64, and big-endian mips (32), powerpc (32) and s390x
    # (64).
    "amd64": (
        *("busybox-static", "musl", "libc6", "libc-bin", "libstdc++6", "libgcc-s1", "coreutils"),
        *("libselinux1", "libgmp10", "libacl1", "libattr1", "libpcre2-8-0", "libssl3"),
        *("libc6-riscv64-cross", "libstdc++6-riscv64-cross", "libgcc-s1-riscv64-cross"),
        *("libc6-mips-cross", "libc6-powerpc-cross", "libc6-s390x-cross"),
    ),
}

LEFT_OUT = ("gconv", "doc", "man")


def debian_files(architecture: str) -> Path:
    """The folder of an architecture's packages, unpacked, with nothing in it but ELF files."""
    return unpacked(architecture, PACKAGES[architecture])


def unpacked(architecture: str, packages: tuple[str, ...]) -> Path:
    """The folder of these packages' ELF files."""
    folder = cache_root() / "elf-files" / f"{architecture}-{key_of(packages)}"
    with locked("elf-files"):
        if not folder.exists():
            with appearing(folder) as filling:
                debs = filling / "debs"
                for deb in download(
                    packages, architecture, cache_root() / "apt" / architecture, debs
                ):
                    subprocess.run(["dpkg-deb", "-x", deb, filling], check=True)
                shutil.rmtree(debs)
                _keep_elf(filling)
    return folder


def _keep_elf(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif not path.is_symlink() and (_is_left_out(path) or not _is_elf(path)):
            path.unlink()


def _is_left_out(path: Path) -> bool:
    return any(name in path.parts for name in LEFT_OUT)


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def elf_files(architecture: str) -> list[Path]:
    """The ELF files themselves, in order."""
    folder = debian_files(architecture)
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
