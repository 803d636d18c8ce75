# SPDX-License-Identifier: MIT
"""The kernel's source: the tarball of Debian's linux-source package, and the tree that it holds.

A version that the running Debian has is an installed package. Another one is fetched from the
suite that has it, into the cache, with apt lists of its own. It stays the same from then on.
"""

from __future__ import annotations

import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from qemu_board.cache import appearing, cache_root, key_of, locked
from qemu_board.packages import Suite, download, need, unpack_package, version_of
from qemu_board.tool import output_of

SUITES = {
    "5.10": Suite("bullseye-security"),
    "7.2": Suite("forky"),
    "7.3": Suite("experimental"),
}
"""The suites of versions that Debian 12 does not have."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A tarball, and the version of the Debian package that it comes from."""

    version: str
    tarball: Path
    package_version: str

    @property
    def release(self) -> tuple[int, ...]:
        """The kernel's own number: (6, 12, 117) of Debian's 6.12.117-1."""
        number = re.split("[-~]", self.package_version)[0]
        return tuple(int(word) for word in number.split("."))


def package_of(version: str) -> str:
    """The name of the source package."""
    return f"linux-source-{version}"


def packages(version: str) -> tuple[str, ...]:
    """The packages that have to be installed for a version's source."""
    return () if version in SUITES else (package_of(version),)


def archive(version: str) -> Archive:
    """The source of a version, fetched if it is neither installed nor in the cache.

    Raises BoardError where it cannot be had.
    """
    if there := archive_at_hand(version):
        return there
    if version not in SUITES:
        need(package_of(version))
    with locked(f"kernel-archive-{version}"):
        if not archive_at_hand(version):
            _fetch(version)
    there = archive_at_hand(version)
    assert there
    return there


def archive_at_hand(version: str) -> Archive | None:
    """The source of a version that is installed or in the cache, None where there is none."""
    if installed := version_of(package_of(version)):
        tarball = Path("/usr/src") / f"{package_of(version)}.tar.xz"
        return Archive(version, tarball, installed)
    for folder in sorted(_cache().glob(f"{version}_*")):
        tarball = folder / f"{package_of(version)}.tar.xz"
        return Archive(version, tarball, folder.name.partition("_")[2])
    return None


def _cache() -> Path:
    return cache_root() / "kernel-archive"


def _fetch(version: str) -> None:
    suite = SUITES[version]
    _say(f"kernel {version}: fetching its source from Debian's {suite.name}")
    name = package_of(version)
    state = cache_root() / "apt" / suite.name
    with tempfile.TemporaryDirectory(dir=cache_root(), prefix=f".{name}.") as folder:
        (deb,) = download([name], "amd64", state, Path(folder), suite)
        fault = f"cannot read the package {deb.name}"
        found = output_of(["dpkg-deb", "-f", deb, "Version"], fault).strip()
        unpack_package(deb, Path(folder))
        with appearing(_cache() / f"{version}_{found}") as filling:
            (Path(folder) / "usr/src" / f"{name}.tar.xz").rename(filling / f"{name}.tar.xz")


def source_tree(version: str) -> Path:
    """The unpacked source of a kernel version: for its headers, and for scripts/checkpatch.pl."""
    need("xz-utils")
    package = archive(version)
    tree = cache_root() / "kernel-source" / f"{version}-{key_of([package.package_version])}"
    if not tree.exists():
        _say(f"kernel {version}: unpacking the source")
        with appearing(tree) as filling:
            unpack(package, filling / "source")
    return tree / "source"


def unpack(package: Archive, into: Path, *members: str) -> None:
    """Unpack members of the tarball, all without any, as if they had been written just now."""
    into.mkdir(exist_ok=True)
    top = package_of(package.version)
    wanted = [f"{top}/{member}" for member in members]
    # make must see a file that came back as newer than its object.
    command = ["tar", "-x", "--touch", "--strip-components=1", "-C", str(into)]
    command += ["-f", str(package.tarball), *wanted]
    output_of(command, f"cannot unpack {package.tarball}", "reinstall its package")


def _say(line: str) -> None:
    print(f"board: {line}", file=sys.stderr, flush=True)
