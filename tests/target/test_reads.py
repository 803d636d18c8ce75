# SPDX-License-Identifier: MIT
"""Blocks in place are read and copied straight from flash: nothing of them is cached
(guest/reads.c)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from target.booting import KERNELS, PAGES, boot, pattern_image

EVERY_SECOND = range(0, PAGES, 2)
CHECKS = 6


@pytest.mark.parametrize("version", KERNELS)
@pytest.mark.parametrize(("kernel", "cached"), [("patched", []), ("stock", list(EVERY_SECOND))])
def test_reads_are_right_and_leave_blocks_in_place_out_of_the_page_cache(
    tmp_path: Path, guest: Callable[[str], Path], kernel: str, cached: list[int], version: str
) -> None:
    image = pattern_image(tmp_path, guest("reads"), EVERY_SECOND)
    console = boot(image, "--version", version, *(["--stock"] if kernel == "stock" else []))
    assert "reads done" in console
    assert re.findall(r"^bad .*$", console, re.MULTILINE) == []
    assert len(re.findall(r"^good .*$", console, re.MULTILINE)) == CHECKS
    assert [int(page) for page in re.findall(r"^cached (\d+)", console, re.MULTILINE)] == cached
