# SPDX-License-Identifier: MIT
"""The trees of Buildroot and Yocto, where they are at hand; and a root filesystem with its
profile for their rules.

The trees are looked for in TINYPROF_BUILDROOT, TINYPROF_OECORE and TINYPROF_BITBAKE, else under
~/.cache/tinyprof (buildroot, openembedded-core, bitbake). Nothing is ever fetched.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from qemu_board.cache import cache_root
from qemu_board.rootfs import rootfs
from support.commands import PYTHON

ROOT = Path(__file__).resolve().parents[2]
TINYPROF = PYTHON


@dataclass(frozen=True)
class Reference:
    """A root filesystem, and a profile of it."""

    tree: Path
    profile: Path

    def image(self, output: Path, *words: str | Path, plan_words: tuple[str, ...] = ()) -> bytes:
        """The image that the plain commands make of it. `words`: more of `tinyprof build`."""
        plan = output.with_suffix(".plan")
        kernel = ("--kernel", "mainline", "--split-segments")
        tinyprof("plan", self.tree, "-p", self.profile, *kernel, *plan_words, "-o", plan)
        tinyprof("build", self.tree, output, *kernel, "--plan", plan, *words)
        return output.read_bytes()


def tinyprof(*words: str | Path) -> None:
    """Run tinyprof. A slightly stale profile (3) is none of these tests' business."""
    done = subprocess.run([*TINYPROF, *map(str, words)], capture_output=True, check=False)
    assert done.returncode in (0, 3), done.stderr


def tree_of(setting: str, name: str, sign: str) -> Path:
    """The tree that an environment variable names, or that is in the cache; else skip.

    `sign`: a file by which the tree is known.
    """
    path = Path(os.environ.get(setting) or cache_root() / name)
    if not (path / sign).exists():
        pytest.skip(f"no {sign} in {path}: {setting} names the tree of {name}")
    return path


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    folder = tmp_path_factory.mktemp("reference")
    rootfs(folder / "rootfs")
    recorded = ROOT / "host/tinyprof/record/board.tpcap"
    tinyprof("profile", recorded, "-o", folder / "boot.tprof")
    return Reference(folder / "rootfs", folder / "boot.tprof")


@pytest.fixture(scope="session")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program `tinyprof` of this checkout, as a package would install it."""
    path = tmp_path_factory.mktemp("bin") / "tinyprof"
    path.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT}/host exec {sys.executable} -m tinyprof "$@"\n')
    path.chmod(0o755)
    return path
