# SPDX-License-Identifier: MIT
"""No input, however broken, gives anything but our own errors, takes long, or takes much
memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from support import table_fuzz
from support.image_fuzz import (
    Failure,
    bases,
    corpus,
    make,
    memory_limit,
    memory_peak,
    run_parallel,
    try_image,
)

CASES = int(os.environ.get("TINYPROF_FUZZ", "6000"))
"""Images, and a third of it tables and packs of a cache; TINYPROF_FUZZ asks for more."""

FIRST = int(os.environ.get("TINYPROF_FUZZ_FIRST", "0"))
"""The number of the first case."""

CORPUS = Path(__file__).parents[2] / "corpus" / "images"


def test_mutated_images_are_refused_or_read() -> None:
    print(f"cases {FIRST} to {FIRST + CASES - 1}")
    tried, failures = run_parallel(CASES, FIRST)
    assert tried == CASES
    assert failures == []


@pytest.mark.parametrize("path", corpus(CORPUS), ids=lambda path: path.stem)
def test_what_was_found_once_stays_fixed(path: Path, tmp_path: Path) -> None:
    assert try_image(path.read_bytes(), tmp_path / "target") == ""


def test_memory_is_bounded_by_the_input() -> None:
    images = bases()
    for number in range(300):
        image = make(number, images)
        assert memory_peak(image) < memory_limit(len(image)), f"case {number}"


@pytest.mark.parametrize("run", [table_fuzz.run_tables, table_fuzz.run_packs])
def test_mutated_tables_and_packs_are_refused_or_used(
    run: Callable[[range], tuple[int, list[Failure]]],
) -> None:
    print(f"cases {FIRST} to {FIRST + CASES // 3 - 1}")
    tried, failures = run_parallel(CASES // 3, FIRST, run=run)
    assert tried == CASES // 3
    assert failures == []
