# SPDX-License-Identifier: MIT
"""examples/target/in-place.sh on a booted guest, run by its busybox."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.predictions import run
from qemu_board.rootfs import rootfs
from target.booting import ROOT, TINYPROF, boot

INIT = """#!/bin/sh
export PATH=/sbin:/usr/sbin:/bin:/usr/bin
mount -t proc proc /proc
sqlite3 :memory: 'select 1' > /dev/null
/in-place.sh
echo "it ended with $?"
reboot -f
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference root filesystem, with the script as all that it does."""
    tree = tmp_path_factory.mktemp("in-place") / "rootfs"
    rootfs(tree)
    (tree / "sbin/init").write_text(INIT)
    shutil.copy(ROOT / "examples/target/in-place.sh", tree)
    return tree


@pytest.mark.parametrize(
    ("words", "verdict", "code"), [(["-X", "-X"], "yes", 0), ([], "no", 1)], ids=["all", "none"]
)
def test_a_guest_knows_whether_its_programs_are_in_place(
    tree: Path, tmp_path: Path, words: list[str], verdict: str, code: int
) -> None:
    image = tmp_path / "image"
    run(*TINYPROF, "build", "-q", *words, tree, image)
    console = boot(image, "--stock")
    assert "root: cramfs on mtd0" in console
    assert f"in place: {verdict}: " in console
    assert f"it ended with {code}" in console
