# SPDX-License-Identifier: MIT
"""A recording of the reference workload against what QEMU itself saw of it in flash."""

from __future__ import annotations

from pathlib import Path

from target.booting import RECORD_FROM_THE_START, Demo
from target.witness import build_witness, touched_offsets
from tinyprof.cli.opening import open_profile
from tinyprof.cramfs.format import EntryKind
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image


def recorded_pages(demo: Path) -> set[tuple[str, int]]:
    """The pages that the recording holds, under one name each."""
    profile = open_profile([demo / "boot.tprof"])
    return {(file.path, page) for file in profile.files for page in file.pages}


def test_what_a_boot_touches_is_recorded_and_nothing_else(demo: Demo, tmp_path: Path) -> None:
    tree = Tree.from_directory(demo.folder / "rootfs")
    everything = {node.path: range(node.pages) for node in tree.files() if node.pages}
    image = tmp_path / "uncompressed"
    image.write_bytes(write_image(tree, everything, WriteOptions()).image)
    offsets = touched_offsets(
        build_witness(tmp_path / "witness"), image, "--append", RECORD_FROM_THE_START
    )
    names: dict[int, list[tuple[str, int]]] = {}
    parsed = read_image(image.read_bytes())
    for entry in parsed.entries:
        if entry.kind is EntryKind.FILE:
            for page, block in enumerate(parsed.blocks(entry)):
                names.setdefault(block.offset, []).append((entry.path, page))
    recorded = recorded_pages(demo.folder)
    # Pages of the same bytes are one in the image: which of them was meant, the witness cannot
    # tell.
    touched = [names[at] for at in offsets if at in names]
    missed = [group[0] for group in touched if not recorded.intersection(group)]
    wrong = recorded.difference(*touched)
    print(
        f"touched {len(touched)}, recorded {len(recorded)}, missed {len(missed)}, wrong "
        f"{len(wrong)}"
    )
    print("missed", sorted(missed)[:20])
    print("wrong", sorted(wrong)[:20])
    assert len(missed) <= 0.01 * len(touched)
    assert len(wrong) <= 0.01 * len(recorded)
