# SPDX-License-Identifier: MIT
"""The most pages that a linker order could save."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from support.profile_cases import STEADY, use
from tinyprof.cramfs.tree import Tree
from tinyprof.pages import PAGE_SIZE, pages_in
from tinyprof.plan.ordering.bound import as_if_ordered, least_pages
from tinyprof.profile.model import NamedRange
from tinyprof.rootfs.match import Counts, FoundFile, Match


def test_one_small_function_on_each_page_could_share_one_page() -> None:
    symbols = [NamedRange(f"f{page}", page * PAGE_SIZE + 8, 100) for page in range(20)]
    assert least_pages(symbols, set(range(20))) == 1


def test_pages_inside_a_function_and_pages_without_a_symbol_stay() -> None:
    symbols = [NamedRange("big", 0, 4 * PAGE_SIZE)]
    assert least_pages(symbols, {0, 1, 2, 3, 9}) == 5


def test_no_workload_leaves_fewer_pages() -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(100):
        at, symbols = 0, []
        while at < 12 * PAGE_SIZE:
            size = rng.choice((16, 100, 1000, 9000))
            symbols.append(NamedRange(f"f{at}", at, size))
            at += size
        used = [it for it in symbols if rng.random() < 0.2]
        pages = {
            page
            for it in used
            for page in range(it.offset // PAGE_SIZE, (it.offset + it.size - 1) // PAGE_SIZE + 1)
        }
        assert least_pages(symbols, pages) <= pages_in(sum(it.size for it in used))


@pytest.mark.parametrize(
    ("left", "stay"), [(4, {1, 2, 3, 4}), (3, {1, 3, 4}), (2, {3, 4}), (1, {4}), (0, {4})]
)
def test_pages_that_were_only_read_take_none_of_the_pages_that_are_left(
    tmp_path: Path, left: int, stay: set[int]
) -> None:
    (tmp_path / "program").write_bytes(b"program")
    (node,) = Tree.from_directory(tmp_path, squash=True).files()
    only_read = {page: use(f=STEADY) for page in range(10, 16)} | {16: use(w=1)}
    mapped = {1: use(x=5), 2: use(x=1), 3: use(r=9), 4: use(x=2, f=1)}
    file = FoundFile(node, mapped | only_read, STEADY, Counts())
    (ordered,) = as_if_ordered(Match((file,), {}), {"/program": left}).files
    assert ordered.uses.keys() == stay | only_read.keys()
