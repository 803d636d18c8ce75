# SPDX-License-Identifier: MIT
"""The reference root filesystem: Debian armhf packages, our agent and a workload in, a folder out.

It has the software of a small device: a shell, a web server, a database, two scripting languages.
The workload uses a part of them. Nothing of the packages is installed on this machine or kept in
the repository.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from qemu_board.agent import agent
from qemu_board.cache import appearing, cache_root, key_of, locked
from qemu_board.errors import BoardError
from qemu_board.kernel import FIRMWARE
from qemu_board.packages import download, need

ARCHITECTURE = "armhf"
RECIPE = FIRMWARE / "board/rootfs"

PACKAGES = tuple(
    name
    for line in (FIRMWARE / "board/packages").read_text().splitlines()
    for name in line.partition("#")[0].split()
)
"""Names of the Debian packages."""

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


def rootfs(into: Path) -> None:
    """Assemble the root filesystem in a new or empty folder. Raises BoardError."""
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise BoardError(
            f"{into} is there already and not an empty folder", "remove it or name another"
        )
    need("dpkg", "apt")
    packages = _packages()
    binary = agent("6.1")
    into.parent.mkdir(parents=True, exist_ok=True)
    with appearing(into) as filling:
        for package in packages:
            subprocess.run(["dpkg-deb", "-x", package, filling], check=True)
        _leave_out(filling)
        _link_applets(filling)
        for name in FOLDERS:
            (filling / name).mkdir(exist_ok=True)
        shutil.copytree(RECIPE, filling, dirs_exist_ok=True)
        (filling / "sbin/tinyprof-agent").write_bytes(binary.read_bytes())
        (filling / "sbin/tinyprof-agent").chmod(0o755)


def _packages() -> list[Path]:
    """The packages' files, fetched once for each list of names."""
    folder = cache_root() / "packages" / f"{ARCHITECTURE}-{key_of(PACKAGES)}"
    with locked("packages"):
        if not folder.exists():
            print(
                f"board: fetching {len(PACKAGES)} {ARCHITECTURE} packages",
                file=sys.stderr,
                flush=True,
            )
            with appearing(folder) as filling:
                download(PACKAGES, ARCHITECTURE, cache_root() / "apt" / ARCHITECTURE, filling)
    return sorted(folder.glob("*.deb"))


def _leave_out(top: Path) -> None:
    for name in LEFT_OUT:
        shutil.rmtree(top / name, ignore_errors=True)
    for name in LEFT_OUT_ANYWHERE:
        for folder in list(top.rglob(name)):
            shutil.rmtree(folder)


def _link_applets(top: Path) -> None:
    for folder, applets in APPLETS.items():
        (top / folder).mkdir(parents=True, exist_ok=True)
        for applet in applets.split():
            link = top / folder / applet
            if not os.path.lexists(link):
                link.symlink_to("/bin/busybox")
