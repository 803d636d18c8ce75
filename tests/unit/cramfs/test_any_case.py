# SPDX-License-Identifier: MIT
"""For any tree, plan and options an image is read as it was written, and the checker finds no
fault."""

from __future__ import annotations

import pytest

from support.cramfs_cases import make_case
from tinyprof.cramfs.kernel import KERNEL_MODELS
from tinyprof.cramfs.reading.checker import check_image
from tinyprof.cramfs.reading.findings import Rule
from tinyprof.cramfs.reading.reader import Image, read_image
from tinyprof.cramfs.writing.writer import write_image

BATCH = 50


@pytest.mark.parametrize("first", range(0, 600, BATCH))
def test_what_is_written_is_read_and_is_clean(first: int) -> None:
    for seed in range(first, first + BATCH):
        case = make_case(seed, kernels=KERNEL_MODELS, big_endian=True)
        tree = case.tree()
        written = write_image(tree, case.plan, case.options)
        image = read_image(written.image)
        assert _contents(image) == {
            **{path: file.content for path, file in case.files.items()},
            **case.links,
        }, f"seed {seed}"
        assert _inodes(image) == [
            (node.path, node.mode, node.uid, node.gid, node.device) for node in tree.walk()
        ], f"seed {seed}"
        entries = {entry.path: entry for entry in image.entries}
        for path, pages in written.in_place.items():
            blocks = image.blocks(entries[path])
            assert all(blocks[page].in_place for page in pages), f"seed {seed}"
        report = check_image(written.image, case.options.kernel)
        assert not [
            finding for finding in report.findings if finding.rule is not Rule.LAST_PAGE
        ], f"seed {seed}"
        assert report.errors == 0, f"seed {seed}"


@pytest.mark.parametrize("first", range(0, 200, BATCH))
def test_the_superblock_counts_every_page_and_file_that_a_tracer_may_meet(first: int) -> None:
    """The tracer's tables have room for no more (allocate_tables() of fs/cramfs/tinyprof.c)."""
    for seed in range(first, first + BATCH):
        case = make_case(seed, kernels=KERNEL_MODELS, big_endian=True)
        image = read_image(write_image(case.tree(), case.plan, case.options).image)
        tables = {entry.ino: entry.pages for entry in image.entries if image.blocks(entry)}
        fsid, size = image.superblock.fsid, image.superblock.size
        assert sum(tables.values()) <= min(fsid.blocks, size // 4), f"seed {seed}"
        assert len(tables) <= min(fsid.files, size // 12), f"seed {seed}"


def _contents(image: Image) -> dict[str, bytes]:
    return {entry.path: image.read(entry) for entry in image.entries if entry.kind.has_blocks}


def _inodes(image: Image) -> list[tuple[str, int, int, int, int]]:
    return [
        (entry.path, entry.mode, entry.uid, entry.gid, entry.device) for entry in image.entries
    ]
