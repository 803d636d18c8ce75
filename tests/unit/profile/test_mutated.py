# SPDX-License-Identifier: MIT
"""No profile and no plan file, however broken, gives anything but our own errors, takes long, or
takes much memory."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from support.image_fuzz import Failure, run_parallel
from support.text_fuzz import run_plans, run_profiles

CASES = int(os.environ.get("TINYPROF_FUZZ", "6000"))
"""Of each; TINYPROF_FUZZ asks for more."""

FIRST = int(os.environ.get("TINYPROF_FUZZ_FIRST", "0"))
"""The number of the first case."""


@pytest.mark.parametrize("run", [run_profiles, run_plans])
def test_mutated_texts_are_refused_or_used(
    run: Callable[[range], tuple[int, list[Failure]]],
) -> None:
    print(f"cases {FIRST} to {FIRST + CASES - 1}")
    tried, failures = run_parallel(CASES, FIRST, run=run)
    assert tried == CASES
    assert failures == []
