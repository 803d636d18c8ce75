# SPDX-License-Identifier: MIT
"""Kernels that check themselves find nothing wrong with our part under stress (guest/stress).

A run here is short. `make soak` stresses each for half an hour.
"""

from __future__ import annotations

import pytest

from target.stress import FAMILIES, look_through, stress

SECONDS = 20
SEED = 1
PERHAPS_NEVER = {"killed", "huge_page"}
"""Counts that may be 0: children killed where memory was short, and huge pages in a short run."""


@pytest.mark.parametrize("family", FAMILIES)
def test_a_kernel_that_checks_itself_finds_nothing_under_stress(family: str) -> None:
    print(f"seed {SEED}")
    result = stress(family, SECONDS, SEED)
    assert result.found == ()
    assert result.ended, result.console[-2000:]
    assert {name for name, times in result.counts.items() if not times} <= PERHAPS_NEVER
    assert ("kmemleak scanned" in result.console) == (family == "lockdep")


@pytest.mark.parametrize(
    "line",
    [
        "[    1.0] WARNING: possible circular locking dependency detected",
        "[    1.0] kernel BUG at mm/memory.c:1838!",
        "[    1.0] BUG: KASAN: use-after-free in tinyprof_touch+0x10/0x20",
        "[    1.0] UBSAN: shift-out-of-bounds in fs/cramfs/xip.c:1:2",
        "bad touch: file 3, page 7, byte 12",
        "hang tracer rearm",
        "leak unreferenced object 0xffff000001234500 (size 64):",
        "tainted 512",
    ],
)
def test_a_line_that_tells_of_something_wrong_is_found(line: str) -> None:
    assert look_through(f"count touch 3 17\n{line}\nstress done\n").found == (line,)


def test_what_a_good_run_prints_is_no_complaint() -> None:
    result = look_through("seed 1\ncount touch 3 17\r\ntainted 0\r\nstress done\r\n")
    assert (result.found, result.counts, result.ended) == ((), {"touch": 3}, True)
