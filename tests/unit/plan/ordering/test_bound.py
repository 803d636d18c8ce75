# SPDX-License-Identifier: MIT
"""The most pages that a linker order could save."""

from __future__ import annotations

import random

from tinyprof.pages import PAGE_SIZE, pages_in
from tinyprof.plan.ordering.bound import least_pages
from tinyprof.profile.model import NamedRange


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
