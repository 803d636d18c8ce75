# SPDX-License-Identifier: MIT
"""Plans for a stock kernel with split segments hold their budgets, and are what the build makes of
them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.elf_cases import PAGE, Shape, link
from tinyprof.capture.reader import CaptureReader
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.cache import DiskCache
from tinyprof.cramfs.writing.compressor import choose_compressor
from tinyprof.cramfs.writing.packer import compressed_size_of
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.plan.offers import split_segment_offers
from tinyprof.plan.planner import Budget, Planner
from tinyprof.profile.resolve import make_profile
from tinyprof.rootfs.indexing import index_image
from tinyprof.rootfs.match import match
from tinyprof.segments.split_tree import AS_PLANNED, split_tree
from tinyprof.wire.messages import EpochEnd, Hello, Pages, Volume

HOT = [0, 1, 5, 6, 7, 20, 30, 31, 32, 33]
LEVEL = WriteOptions(kernel="mainline")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    root = tmp_path / "root"
    root.mkdir()
    (root / "program").write_bytes(link(Shape(pages=40, separate=False, gap=1500)))
    return Tree.from_directory(root)


@pytest.fixture
def planner(tree: Tree, tmp_path: Path, capture_of: Callable[..., CaptureReader]) -> Planner:
    index = index_image(read_image(write_image(tree, {}, WriteOptions()).image))
    volume = Volume(1, index.fsid, index.size, index.name, True)
    hello = Hello(1, "0.1.0", "6.1.192", "armv7l", PAGE, b"1st boot", 1000, 1, (volume,))
    ids = tuple(index.files[0].page_ids[page] for page in HOT)
    messages = [
        hello,
        Pages(1, 1, 5, ids, bytes(len(ids))),
        EpochEnd(1, 1, 9, (len(ids), 0, 0, 0)),
    ]
    profile = make_profile([capture_of(messages, index)])
    cache = DiskCache(tmp_path / "cache", "test")
    return Planner(
        tree, match(profile, tree), LEVEL, cache, split_segment_offers(lambda _: 100.0), split=True
    )


def test_without_a_budget_all_that_pays_is_mapped(planner: Planner) -> None:
    plan = planner.plan(Budget())
    assert set(HOT) <= plan.pages["/program"]


@pytest.mark.parametrize("budget", [20_000, 40_000, 60_000])
def test_a_budget_holds_and_the_build_is_what_was_predicted(
    tree: Tree, planner: Planner, budget: int
) -> None:
    plan = planner.plan(Budget(flash=budget))
    assert plan.prediction.image <= planner.image_before + budget
    assert plan.pages
    made = split_tree(
        tree, plan.pages, compressed_size_of(choose_compressor(6, False), None), AS_PLANNED
    )
    written = write_image(made.tree, made.pages, LEVEL)
    assert len(written.image) == plan.prediction.image
    assert written.refused == ()
    assert written.in_place["/program"] == plan.pages["/program"]


def test_more_flash_is_never_worth_less(planner: Planner) -> None:
    values = [
        planner.plan(Budget(flash=budget)).value for budget in range(16_000, 100_000, 16_000)
    ]
    assert values == sorted(values)
