# SPDX-License-Identifier: MIT
"""Plans for a stock kernel with split segments hold their budgets, and are what the build makes of
them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.elf_cases import PAGE, Shape, link
from support.profile_cases import candidate, use
from tinyprof.capture.reader import CaptureReader
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.cache import DiskCache
from tinyprof.cramfs.writing.compressor import choose_compressor
from tinyprof.cramfs.writing.packer import compressed_size_of
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.plan.offers import split_segment_offers
from tinyprof.plan.planner import Budget, Planner
from tinyprof.plan.selection import choose_by_profile
from tinyprof.profile.resolve import make_profile
from tinyprof.rootfs.indexing import index_image
from tinyprof.rootfs.match import Match, match
from tinyprof.segments.split_tree import AS_PLANNED, Prices, Splitting, split_tree
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
def found(tree: Tree, capture_of: Callable[..., CaptureReader]) -> Match:
    index = index_image(read_image(write_image(tree, {}, WriteOptions()).image))
    volume = Volume(1, index.fsid, index.size, index.name, True)
    hello = Hello(1, "0.1.0", "6.1.192", "armv7l", PAGE, b"1st boot", 1000, 1, (volume,))
    ids = tuple(index.files[0].page_ids[page] for page in HOT)
    messages = [
        hello,
        Pages(1, 1, 5, ids, bytes(len(ids))),
        EpochEnd(1, 1, 9, (len(ids), 0, 0, 0)),
    ]
    return match(make_profile([capture_of(messages, index)]), tree)


@pytest.fixture
def planner(tree: Tree, found: Match, tmp_path: Path) -> Planner:
    cache = DiskCache(tmp_path / "cache", "test")
    splitting = Splitting(Prices(processes=1, start=4.0))
    return Planner(tree, found, LEVEL, cache, splitting=splitting)


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


def test_a_plan_without_a_budget_is_what_a_build_by_profile_chooses(
    tree: Tree, found: Match, planner: Planner
) -> None:
    sizes = compressed_size_of(choose_compressor(6, False), None)
    splitting = Splitting(Prices(processes=1, start=4.0))
    made = choose_by_profile(tree, found, sizes, "mainline", splitting)
    written = write_image(made.tree, made.pages, LEVEL)
    plan = planner.plan(Budget())
    assert plan.pages == written.in_place
    assert plan.prediction.image == len(written.image)
    assert 0.9 < plan.of_bound <= 1


def test_the_offers_of_a_file_of_many_scattered_pages_take_few_steps() -> None:
    """Counted in calls of functions: a busy machine does not change them."""
    file = candidate({page: use(x=page % 10 + 1) for page in range(0, 3000, 3)}, pages=3010)
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        (offers,) = split_segment_offers(lambda _: 3000.0)(file)
    finally:
        sys.setprofile(None)
    assert len(offers) > 5
    assert calls < 2_000_000
