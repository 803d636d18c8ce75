# SPDX-License-Identifier: MIT
"""The board's root filesystems: Debian armhf packages, our agent and a workload in, a folder out.

1. The reference has the software of a small device: a shell, a web server, a database, two
   scripting languages. The workload uses a part of them.
2. The heavier one has larger programs and no ballast: its workload runs all of them.

Nothing of the packages is installed on this machine or kept in the repository.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from qemu_board.agent import agent
from qemu_board.cache import appearing, cache_root, key_of, locked
from qemu_board.errors import BoardError
from qemu_board.kernel import FIRMWARE
from qemu_board.packages import download, need, unpack_package

ARCHITECTURE = "armhf"
HERE = FIRMWARE / "board"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A root filesystem: the file that names its Debian packages, and the folders of our own files
    in it. A later folder's files take the places of those of an earlier one. `left_out` are
    patterns of further files and folders that it does without."""

    package_list: Path
    folders: tuple[Path, ...]
    left_out: tuple[str, ...] = ()

    def packages(self) -> tuple[str, ...]:
        """Names of the Debian packages."""
        lines = self.package_list.read_text().splitlines()
        return tuple(name for line in lines for name in line.partition("#")[0].split())


RECIPES = {
    "reference": Recipe(HERE / "packages", (HERE / "rootfs",)),
    "heavier": Recipe(
        HERE / "heavier/packages",
        (HERE / "rootfs", HERE / "heavier/rootfs"),
        (
            *(
                "usr/share/locale",
                "usr/lib/*/kea",
                "usr/lib/*/engines-3",
                "usr/lib/*/ossl-modules",
            ),
            *("usr/bin/*_bench", "usr/bin/sst_dump", "usr/bin/ssh-a*", "usr/bin/ssh-keyscan"),
            *("usr/lib/openssh/ssh-*", "etc/ssh/moduli", "etc/lighttpd", "srv/www/cgi-bin"),
            *("usr/bin/perl5*", "usr/share/device/*.lua"),
        ),
    ),
}

LEFT_OUT = tuple(f"usr/share/{name}" for name in ("doc", "man", "lintian", "gcc", "gdb"))
"""Folders that nobody puts in flash."""

LEFT_OUT_ANYWHERE = ("gconv", "__pycache__")
"""Folders of these names: libc's converters between character sets, and Python's cache."""

APPLETS = {
    "bin": "sh cat ls grep sed sleep mount umount mkdir rm cp mv ln df ps date dd chmod hostname "
    "kill sync touch true false uname vi mkfifo",
    "sbin": "ifconfig reboot poweroff sysctl",
    "usr/bin": "awk sort tail head wc free wget find cut tr test [ env top sha256sum md5sum cmp "
    "du id logger tee xargs seq printf expr",
}
"""Names of busybox by their folder."""

FOLDERS = ("dev", "proc", "sys", "tmp", "var", "run", "root", "mnt")


def rootfs(into: Path, recipe: Recipe = RECIPES["reference"]) -> None:
    """Assemble a root filesystem in a new or empty folder. Raises BoardError."""
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise BoardError(
            f"{into} is there already and not an empty folder", "remove it or name another"
        )
    need("dpkg", "apt")
    packages = _packages(recipe.packages())
    binary = agent("6.1")
    into.parent.mkdir(parents=True, exist_ok=True)
    with appearing(into) as filling:
        for package in packages:
            unpack_package(package, filling)
        _leave_out(filling)
        _link_applets(filling)
        for name in FOLDERS:
            (filling / name).mkdir(exist_ok=True)
        for folder in recipe.folders:
            shutil.copytree(folder, filling, dirs_exist_ok=True)
        for pattern in recipe.left_out:
            _remove(filling.glob(pattern))
        (filling / "sbin/tinyprof-agent").write_bytes(binary.read_bytes())
        (filling / "sbin/tinyprof-agent").chmod(0o755)


def _packages(names: tuple[str, ...]) -> list[Path]:
    """The packages' files, fetched once for each list of names."""
    folder = cache_root() / "packages" / f"{ARCHITECTURE}-{key_of(names)}"
    with locked("packages"):
        if not folder.exists():
            print(
                f"board: fetching {len(names)} {ARCHITECTURE} packages",
                file=sys.stderr,
                flush=True,
            )
            with appearing(folder) as filling:
                download(names, ARCHITECTURE, cache_root() / "apt" / ARCHITECTURE, filling)
    return sorted(folder.glob("*.deb"))


def _leave_out(top: Path) -> None:
    for name in LEFT_OUT:
        shutil.rmtree(top / name, ignore_errors=True)
    for name in LEFT_OUT_ANYWHERE:
        for folder in list(top.rglob(name)):
            shutil.rmtree(folder)


def _remove(paths: Iterable[Path]) -> None:
    for path in list(paths):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _link_applets(top: Path) -> None:
    for folder, applets in APPLETS.items():
        (top / folder).mkdir(parents=True, exist_ok=True)
        for applet in applets.split():
            link = top / folder / applet
            if not os.path.lexists(link):
                link.symlink_to("/bin/busybox")
