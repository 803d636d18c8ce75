# SPDX-License-Identifier: MIT
"""Mappings of a file of which none, some or all pages are in place, as programs use them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from target.booting import KERNELS, PAGES, boot, pattern_image

CHECKS = 17

IN_PLACE = {
    "none": [],
    "every second": range(0, PAGES, 2),
    "all but the first": range(1, PAGES),
    "all": range(PAGES),
}


@pytest.mark.parametrize("version", KERNELS)
@pytest.mark.parametrize("kernel", ["patched", "stock"])
@pytest.mark.parametrize("in_place", IN_PLACE)
def test_a_program_sees_its_file_whatever_it_does(
    tmp_path: Path, guest: Callable[[str], Path], in_place: str, kernel: str, version: str
) -> None:
    image = pattern_image(tmp_path, guest("mappings"), IN_PLACE[in_place])
    console = boot(image, "--version", version, *(["--stock"] if kernel == "stock" else []))
    assert re.findall(r"^bad .*$", console, re.MULTILINE) == []
    assert len(re.findall(r"^good .*$", console, re.MULTILINE)) == CHECKS
    assert "mappings done" in console
