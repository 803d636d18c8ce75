# SPDX-License-Identifier: MIT
"""The folder of `make demo`, run once for the same inputs and kept in the cache.

Its boots count time by instructions, so that the same inputs give the same figures. The inputs are
all files of the host program, of the board, of the kernel part and of the agent, the packages of
the root filesystem, the tools, and the Python packages. `make test-all` runs the demo anew.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

from qemu_board.architecture import ARMHF
from qemu_board.cache import appearing, cache_root, key_of, locked
from qemu_board.kernel_source import archive
from qemu_board.packages import version_of
from qemu_board.rootfs import ARCHITECTURE, RECIPES
from support.extent import ALL
from target.booting import ROOT

FOLDERS = ("host/tinyprof", "firmware/board", "firmware/linux", "agent")
KEPT_MAX = 2
"""Folders that stay in the cache, of 200 MB each."""


def demo_into(folder: Path, program: Path) -> str:
    """Make the demo's folder with this tinyprof, or copy it. Returns the words that it printed."""
    kept = cache_root() / "demo" / _key()
    if not ALL:
        with locked("demo"):
            if kept.exists():
                shutil.copytree(kept / "demo", folder, symlinks=True)
                return (kept / "printed").read_text()
    command: list[str | Path] = [ROOT / "firmware/board/demo", folder, "--tinyprof", program]
    run = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert run.returncode == 0, run.stdout
    with locked("demo"):
        _keep(kept, folder, run.stdout)
    return run.stdout


def _keep(kept: Path, folder: Path, printed: str) -> None:
    shutil.rmtree(kept, ignore_errors=True)
    others = sorted(kept.parent.glob("[!.]*"), key=lambda path: path.stat().st_mtime_ns)
    for old in others[: -(KEPT_MAX - 1)]:
        shutil.rmtree(old)
    with appearing(kept) as filling:
        shutil.copytree(folder, filling / "demo", symlinks=True)
        (filling / "printed").write_text(printed)


def _key() -> str:
    """A name for all inputs."""
    files = sorted(
        path
        for name in FOLDERS
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )
    wanted = key_of(RECIPES["reference"].packages())
    packages = (cache_root() / "packages").glob(f"{ARCHITECTURE}-{wanted}/*.deb")
    tools = (ARMHF.compiler, *ARMHF.qemu_packages)
    words = [str(path.relative_to(ROOT)) for path in files]
    words += [sys.version, archive("6.1").package_version, *map(str, map(version_of, tools))]
    words += sorted(package.name for package in packages)
    words += sorted(f"{it.name} {it.version}" for it in distributions())
    return key_of(words, [Path(__file__), *files])
