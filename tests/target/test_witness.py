# SPDX-License-Identifier: MIT
"""A recording of the reference workload against what QEMU itself saw of it in flash."""

from __future__ import annotations

from pathlib import Path

from target.booting import RECORD_FROM_THE_START, Demo
from target.witness import build_witness, missed_and_wrong, touched_pages
from tinyprof.cli.opening import open_profile
from tinyprof.cramfs.tree import Tree


def recorded_pages(demo: Path) -> set[tuple[str, int]]:
    """The pages that the recording holds, under one name each."""
    profile = open_profile([demo / "boot.tprof"])
    return {(file.path, page) for file in profile.files for page in file.pages}


def test_what_a_boot_touches_is_recorded_and_nothing_else(demo: Demo, tmp_path: Path) -> None:
    witness = build_witness(tmp_path / "witness")
    tree = Tree.from_directory(demo.folder / "rootfs")
    words = ("--append", RECORD_FROM_THE_START)
    touched = touched_pages(witness, tree, tmp_path / "uncompressed", *words)
    recorded = recorded_pages(demo.folder)
    missed, wrong = missed_and_wrong(touched, recorded)
    assert len(missed) <= 0.01 * len(touched)
    assert len(wrong) <= 0.01 * len(recorded)
