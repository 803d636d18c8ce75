# SPDX-License-Identifier: MIT
"""No image, however broken, gives anything but our own error, takes long, or leaves its
directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.image_fuzz import bases, corpus, make, memory_peak, run_parallel, try_image

CASES = int(os.environ.get("TINYPROF_FUZZ_CASES", "200000"))
FIRST = int(os.environ.get("TINYPROF_FUZZ_FIRST", "0"))
"""Two cores do this in half a minute; TINYPROF_FUZZ_CASES asks for more or fewer."""

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
        # A hole takes four bytes of an image for each of its pages, which are in memory singly and
        # joined.
        assert memory_peak(image) < 2 * 1024 * len(image) + (2 << 20), f"case {number}"
