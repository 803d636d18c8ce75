# SPDX-License-Identifier: MIT
"""The reference root filesystem: Debian armhf packages, our agent and a workload in, a folder out.

It is what a small device carries: a shell, a web server, a database, two scripting languages, of
which the workload uses a part. Nothing of the packages is installed on this machine or kept in the
repository.
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

PACKAGES = (
    # What the workload runs.
    *("busybox", "libc6", "libgcc-s1", "libcrypt1"),
    *("lua5.4", "liblua5.4-0", "libreadline8", "libtinfo6"),
    *("sqlite3", "libsqlite3-0", "zlib1g"),
    *("lighttpd", "libpcre2-8-0", "libxxhash0", "libnettle8"),
    # What a device carries and seldom runs: a second scripting language,
    *("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "media-types"),
    *("libexpat1", "libffi8", "libbz2-1.0", "liblzma5", "libuuid1", "libncursesw6", "libdb5.3"),
    *("libnsl2", "libtirpc3", "libgssapi-krb5-2", "libkrb5-3", "libk5crypto3", "libkrb5support0"),
    *("libcom-err2", "libkeyutils1", "libssl3"),
    # the tools of its network,
    *("openssl", "dropbear-bin", "libtomcrypt1", "libtommath1", "libgmp10"),
    *(
        "wpasupplicant",
        "libdbus-1-3",
        "libnl-3-200",
        "libnl-genl-3-200",
        "libnl-route-3-200",
        "libpcsclite1",
    ),
    *("libsystemd0", "libcap2", "libgcrypt20", "libgpg-error0", "liblz4-1", "libzstd1"),
    *(
        "iproute2",
        "libbpf1",
        "libelf1",
        "libmnl0",
        "libxtables12",
        "libselinux1",
        "libcap2-bin",
        "libbsd0",
    ),
    *("libmd0", "libatm1"),
    *("tcpdump", "libpcap0.8"),
    # and those of its maintenance.
    *("gdbserver", "libstdc++6", "strace", "libunwind8"),
)

LEFT_OUT = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/lintian",
    "usr/share/gcc",
    "usr/share/gdb",
)
"""What nobody puts in flash, and libc's converters between character sets."""

LEFT_OUT_ANYWHERE = ("gconv", "__pycache__")

APPLETS = {
    "bin": (
        *(
            "sh",
            "cat",
            "ls",
            "grep",
            "sed",
            "sleep",
            "mount",
            "umount",
            "mkdir",
            "rm",
            "cp",
            "mv",
            "ln",
            "df",
        ),
        *(
            "ps",
            "date",
            "dd",
            "chmod",
            "hostname",
            "kill",
            "sync",
            "touch",
            "true",
            "false",
            "uname",
            "vi",
            "mkfifo",
        ),
    ),
    "sbin": ("ifconfig", "reboot", "poweroff", "sysctl"),
    "usr/bin": (
        *(
            "awk",
            "sort",
            "tail",
            "head",
            "wc",
            "free",
            "wget",
            "find",
            "cut",
            "tr",
            "test",
            "[",
            "env",
            "top",
        ),
        *(
            "sha256sum",
            "md5sum",
            "cmp",
            "du",
            "id",
            "logger",
            "tee",
            "xargs",
            "seq",
            "printf",
            "expr",
        ),
    ),
}

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
        for applet in applets:
            link = top / folder / applet
            if not os.path.lexists(link):
                link.symlink_to("/bin/busybox")
