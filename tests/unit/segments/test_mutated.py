# SPDX-License-Identifier: MIT
"""No file, however broken, gives anything but our own error, takes long, or is split into
something else."""

from __future__ import annotations

import os

from support.elf_fuzz import run
from support.image_fuzz import run_parallel

CASES = int(os.environ.get("TINYPROF_FUZZ", "4000"))
"""Files; TINYPROF_FUZZ asks for more. Two cores try 100,000 in two minutes."""

FIRST = int(os.environ.get("TINYPROF_FUZZ_FIRST", "0"))
"""The number of the first case."""


def test_mutated_files_are_refused_or_split_and_proved() -> None:
    print(f"cases {FIRST} to {FIRST + CASES - 1}")
    tried, failures = run_parallel(CASES, FIRST, run=run)
    assert tried == CASES
    assert failures == []
